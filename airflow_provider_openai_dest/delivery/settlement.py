"""Settlement: brings outcomes to the sinks, in batches and in a thread of its own. Write, flush, then it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from airflow_provider_openai_dest.delivery.outcome import Outcome

FLUSH_RECORDS = 64
FLUSH_SECONDS = 1.0
"""A crash repeats at most what was answered since the last flush: so many records or so long, whichever is first."""

QUEUE_LIMIT = 4096
"""Outcomes that may wait for the sinks before the sending waits too."""

Write = Callable[[Sequence[Outcome]], None]


class Settlement:
    """Collects outcomes and writes them, at the latest every second.

    ``error`` is why a write failed, and ``unwritten`` how many outcomes were not written then and since.

    :param write: takes a batch to all sinks and flushes them; called from one thread.
    :param on_error: called once when a write failed, so that no more is sent.
    """

    def __init__(self, write: Write, on_error: Callable[[], None]) -> None:
        self._write = write
        self._on_error = on_error
        self._queue: asyncio.Queue[Outcome | None] = asyncio.Queue(QUEUE_LIMIT)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="openai-dest-write")
        self.error: Exception | None = None
        self.unwritten = 0

    async def put(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes; waits while the sinks are behind."""
        for outcome in outcomes:
            await self._queue.put(outcome)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._queue.put(None)
        await self._task
        self._thread.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        ended = False
        while not ended:
            batch, ended = await self._next_batch()
            if self.error is None and batch:
                try:
                    await loop.run_in_executor(self._thread, self._write, batch)
                except Exception as error:  # noqa: BLE001 - whatever it is, it ends the run and is raised then
                    self.error = error
                    self._on_error()
            if self.error is not None:
                self.unwritten += len(batch)

    async def _next_batch(self) -> tuple[list[Outcome], bool]:
        """Give what came until the batch is full or old; and whether it was the last."""
        first = await self._queue.get()
        if first is None:
            return [], True
        batch = [first]
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                while len(batch) < FLUSH_RECORDS or not self._queue.empty():
                    outcome = await self._queue.get()
                    if outcome is None:
                        return batch, True
                    batch.append(outcome)
                    if len(batch) >= QUEUE_LIMIT:
                        break
        except TimeoutError:
            pass
        return batch, False
