"""Settlement: brings outcomes to the sinks, in batches and in a thread of its own. Write, flush, then it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from airflow_provider_openai_dest.delivery.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Flush:
    """When outcomes are written: so many, or so long after the first of them, whichever comes first.

    A crash repeats at most what was answered since then.
    """

    records: int
    seconds: float


PUT = Flush(64, 1.0)
"""For object storage, where each flush is a file of its own."""

APPEND = Flush(64, 0.02)
"""For a local file, which grows at next to no cost."""

QUEUE_LIMIT = 4096
"""Outcomes that may wait for the sinks before the reading waits too."""

QUEUE_BYTES = 4 * 1024 * 1024
"""So many bytes of their answers, likewise: a few hundred images would else be gigabytes before a slow storage."""

Write = Callable[[Sequence[Outcome]], None]


class Settlement:
    """Collects outcomes and writes them, at the latest every second.

    ``error`` is why a write failed, and ``unwritten`` how many outcomes were not written then and since. ``taken``
    counts all outcomes, ``ended`` those that were written, or were not for that reason.

    :param write: takes a batch to all sinks and flushes them; called from one thread.
    :param on_error: called once when a write failed, so that no more is sent.
    :param flush: when a batch is written.
    :param most_at_risk: outcomes of requests that may be answered and not yet durable, before a further request that
        is answered holds its place on the wire until some are: a crash repeats them.
    """

    def __init__(
        self, write: Write, on_error: Callable[[], None], flush: Flush, *, most_at_risk: int = QUEUE_LIMIT
    ) -> None:
        self._write = write
        self._flush = flush
        self._on_error = on_error
        self._most_at_risk = most_at_risk
        self._waiting: list[Outcome] = []
        self._waiting_answers = self._at_risk = self._held = 0
        self._written = asyncio.Event()
        self._being_written = self._written
        self._is_due = asyncio.Event()
        self._has_ended = self._is_hurried = False
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="openai-dest-write")
        self.error: Exception | None = None
        self.unwritten = self.taken = self.ended = 0

    async def put_answered(self, outcomes: Sequence[Outcome], *, held: int = 0, until_written: bool = False) -> None:
        """Take outcomes of a request; waits while too many of such are not durable.

        :param held: bytes of the answer that they hold.
        :param until_written: wait until these are written, since they hold much memory until then.
        """
        self._waiting_answers += len(outcomes)
        self._at_risk += len(outcomes)
        written = self._written
        if self._take(outcomes, held, until_written=until_written):
            await written.wait()
        while self._at_risk > self._most_at_risk and not written.is_set():
            self._is_due.set()
            await self._being_written.wait()

    async def put(self, outcomes: Sequence[Outcome], *, held: int = 0, until_written: bool = False) -> None:
        """Take outcomes; waits while the sinks are behind."""
        written = self._written
        if self._take(outcomes, held, until_written=until_written):
            await written.wait()

    def _take(self, outcomes: Sequence[Outcome], held: int, *, until_written: bool) -> bool:
        """Take outcomes; True when the sinks are behind."""
        self._waiting += outcomes
        self.taken += len(outcomes)
        self._held += held
        is_full = until_written or self._held >= QUEUE_BYTES or len(self._waiting) >= QUEUE_LIMIT
        if is_full or self._is_hurried or len(self._waiting) >= self._flush.records:
            self._is_due.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush.seconds, self._is_due.set)
        return is_full

    def hurry(self) -> None:
        """Write what is waiting now, and from now on whatever comes at once: the process may soon be killed."""
        self._is_hurried = True
        self.write_now()

    def write_now(self) -> None:
        """Write what is waiting now."""
        if self._waiting:
            self._is_due.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_ended = True
        self._is_due.set()
        await self._task
        self._thread.shutdown()

    async def _run(self) -> None:
        while not (self._has_ended and not self._waiting):
            await self._is_due.wait()
            await self._write_batch(*self._next_batch())

    async def _write_batch(self, batch: list[Outcome], answers: int, written: asyncio.Event) -> None:
        if self.error is None and batch:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write, batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends the run and is raised then
                self.error = error
                self._on_error()
        if self.error is not None:
            self.unwritten += len(batch)
        self.ended += len(batch)
        self._at_risk -= answers
        self._being_written = self._written
        written.set()

    def _next_batch(self) -> tuple[list[Outcome], int, asyncio.Event]:
        """Take what is waiting, how much of it was answered, and the event that those who wait for it look at."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        batch, answers, written = self._waiting, self._waiting_answers, self._written
        self._waiting, self._waiting_answers, self._written, self._held = [], 0, asyncio.Event(), 0
        self._being_written = written
        if not self._has_ended:
            self._is_due.clear()
        return batch, answers, written
