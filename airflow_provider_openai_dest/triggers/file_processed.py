"""OpenAIFileProcessedTrigger: waits for files without a worker. It only reads: a restart of it costs nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_openai_dest.exceptions import AbortError, ConfigurationError, TransientError


class OpenAIFileProcessedTrigger(BaseTrigger):
    """Wait until OpenAI has processed files, and tell how each ended.

    :param conn_id: Airflow connection.
    :param file_ids: the files.
    :param poll_interval: seconds between the questions.
    :param end_time: when to give up, in seconds since 1970, so that a restart does not begin the wait anew.
    :param carried: what the task wants back with the event: ``dag.test()`` forgets the ``kwargs`` of a deferral.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        file_ids: Sequence[str],
        poll_interval: float,
        end_time: float | None,
        carried: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self.conn_id = conn_id
        self.file_ids = [*file_ids]
        self.poll_interval = poll_interval
        self.end_time = end_time
        self.carried = dict(carried or {})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what the trigger is made of again in the triggerer."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "file_ids": self.file_ids,
                "poll_interval": self.poll_interval,
                "end_time": self.end_time,
                "carried": self.carried,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until all have ended."""
        from airflow_provider_openai_dest.hooks.file_status import files_processed
        from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook

        seconds = None if self.end_time is None else max(0.0, self.end_time - time.time())
        found: dict[str, Any]
        try:
            ends = await files_processed(
                OpenAIDestHook(self.conn_id), self.file_ids, poll_interval=self.poll_interval, seconds=seconds
            )
        except (AbortError, ConfigurationError, TransientError) as error:
            found = {"error": type(error).__name__, "message": str(error)}
        else:
            found = {"files": {file_id: end.as_row() for file_id, end in ends.items()}}
        yield TriggerEvent(found | {"carried": self.carried})  # type: ignore[no-untyped-call]  # Airflow's
