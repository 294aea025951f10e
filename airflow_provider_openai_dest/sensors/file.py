"""OpenAIFileSensor: waits until files at OpenAI are processed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException, default_deferrable
from airflow_provider_openai_dest.operators.failures import told_to_airflow
from airflow_provider_openai_dest.operators.file_waiting import ends_of, new_trigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.uploads.file_status import FileEnd


class OpenAIFileSensor(BaseSensorOperator):
    """Wait until files are processed; fail when one can't be, or is gone.

    :param file_id: id of the file, or a list of ids, such as those of an upstream task.
    :param conn_id: Airflow connection of the type ``openai_dest``, or of the official provider's ``openai``.
    :param deferrable: wait in the triggerer, which needs no worker; default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = ("file_id", "conn_id")
    ui_color = "#d2f4ea"

    def __init__(
        self,
        *,
        file_id: str | Sequence[str],
        conn_id: str = "openai_dest_default",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.file_id = file_id
        self.conn_id = conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable

    def execute(self, context: Context) -> Any:
        """Wait, in the triggerer where that was asked for."""
        if self.deferrable:
            trigger = new_trigger(self.conn_id, self._file_ids(), float(self.poke_interval), float(self.timeout))
            self.defer(trigger=trigger, method_name="execute_complete")
        return super().execute(context)

    def execute_complete(self, context: Context, event: Any) -> None:  # noqa: ARG002 - Airflow's own form
        """Take what the trigger has found."""
        with told_to_airflow(self.log):
            self._check(ends_of(event))

    def poke(self, context: Context) -> bool:  # noqa: ARG002 - Airflow's own form
        """Ask once for each file."""
        from airflow_provider_openai_dest.exceptions import TransientError
        from airflow_provider_openai_dest.operators.file_waiting import wait_for

        with told_to_airflow(self.log):
            try:
                self._check(wait_for(self.conn_id, self._file_ids(), 0.001, 0))
            except TransientError as error:
                self.log.info("%s", error)
                return False
        return True

    def _file_ids(self) -> list[str]:
        return [self.file_id] if isinstance(self.file_id, str) else [*self.file_id]

    def _check(self, ends: dict[str, FileEnd]) -> None:
        bad = [f"{file_id} is {end.status}: {end.details}" for file_id, end in ends.items() if not end.is_processed]
        if bad:
            raise AirflowFailException(f"{len(bad)} files can't be used: {'; '.join(bad[:5])}")
