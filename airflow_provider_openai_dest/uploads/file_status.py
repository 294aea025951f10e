"""File status: asks for files until the API has processed them. It only reads, so it may run in a trigger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_openai_dest.delivery.conversation import read_answer
from airflow_provider_openai_dest.delivery.verdict import OPENAI, Verdict, judge
from airflow_provider_openai_dest.exceptions import AbortError, RecordError, TransientError
from airflow_provider_openai_dest.limits.retry_after import read_retry_after
from airflow_provider_openai_dest.wire.wire import Reply

AT_ONCE = 8
"""Files that are asked for at once."""

ENDED = frozenset({"processed", "error", "deleted"})

Get = Callable[[str], Awaitable[Reply | None]]
"""Gives the answer to a GET of this path; None when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnd:
    """How the processing of a file ended: ``processed``, ``error`` or ``deleted``, and what the API says of it."""

    status: str
    details: str | None = None

    @property
    def is_processed(self) -> bool:
        """Whether the file can be used."""
        return self.status == "processed"

    def as_row(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {"status": self.status, "details": self.details}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> FileEnd:
        """Read back what :meth:`as_row` wrote."""
        return cls(status=str(row["status"]), details=row.get("details"))


class FilesPoll:
    """Rounds of questions for the files that have not ended.

    :param get: asks the API.
    :param file_ids: the files.
    """

    def __init__(self, get: Get, file_ids: Iterable[str]) -> None:
        self._get = get
        self._left = dict.fromkeys(file_ids)
        self._pause = 0.0
        self.ends: dict[str, FileEnd] = {}

    async def ask(self) -> bool:
        """Ask once for each that has not ended; True when all have. Raises AbortError when key or account is refused.

        A question without a usable answer is asked again in the next round.
        """
        self._pause = 0.0
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask_for(file_id, places)) for file_id in self._left]
        for abort in (error for task in asked if (error := task.result())):
            raise AbortError(f"the files can't be asked for: {abort}")
        for file_id in self.ends:
            self._left.pop(file_id, None)
        return not self._left

    async def until_all(
        self,
        poll_interval: float,
        seconds: float | None,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> dict[str, FileEnd]:
        """Ask until all have ended. Raises TransientError when some have not after so many seconds.

        A server that asks to wait longer than ``poll_interval`` is obeyed.
        """
        began = now()
        while not await self.ask():
            pause = max(poll_interval, self._pause)
            if seconds is not None and now() - began + pause > seconds:
                waiting = ", ".join([*self._left][:3])
                raise TransientError(f"{len(self._left)} files are not processed after {seconds:g} s: {waiting}")
            await sleep(pause)
        return self.ends

    async def _ask_for(self, file_id: str, places: asyncio.Semaphore) -> RecordError | None:
        async with places:
            reply = await self._get(f"/files/{file_id}")
        if reply is None:
            return None
        judgement = judge(reply, OPENAI)
        match judgement.verdict:
            case Verdict.DELIVERED:
                self._take(file_id, reply)
            case Verdict.ABORT:
                return judgement.error
            case Verdict.REJECTED:
                self.ends[file_id] = FileEnd(status="deleted", details=str(judgement.error))
            case Verdict.RETRY | Verdict.WAIT:
                self._pause = max(self._pause, read_retry_after(reply.headers) or 0.0)
        return None

    def _take(self, file_id: str, reply: Reply) -> None:
        try:
            file = read_answer(reply)
        except RecordError:
            return
        if (status := file.get("status")) in ENDED:
            details = file.get("status_details")
            self.ends[file_id] = FileEnd(status=str(status), details=None if details is None else str(details)[:500])
