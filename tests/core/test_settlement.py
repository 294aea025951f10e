"""Bringing outcomes to the sinks: write, flush, then it counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.settlement import PUT, QUEUE_BYTES, QUEUE_LIMIT, Settlement
from airflow_provider_openai_dest.exceptions import SinkError
from tests.core.delivery_parts import outcome

OUTCOME = outcome()


@dataclass
class Writing:
    """Batches as they are written; it fails from the one with this number on."""

    fails_from: int | None = None
    batches: list[int] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    tried: int = 0

    def __call__(self, outcomes: Sequence[Outcome]) -> None:
        self.tried += 1
        self.threads.add(threading.current_thread().name)
        if self.fails_from is not None and len(self.batches) >= self.fails_from:
            raise SinkError("no space left on device")
        self.batches.append(len(outcomes))


def settled(
    writing: Callable[[Sequence[Outcome]], None], *puts: int, on_error: Callable[[], None] = lambda: None
) -> Settlement:
    """Put so many outcomes at a time, and end."""

    async def run() -> Settlement:
        async with asyncio.timeout(10), Settlement(writing, on_error, PUT) as settlement:
            for number in puts:
                await settlement.put([OUTCOME] * number)
                await asyncio.sleep(0)
        return settlement

    return asyncio.run(run())


def test_everything_is_written() -> None:
    """Also the last few, which fill no batch."""
    writing = Writing()
    settlement = settled(writing, 100, 30, 1)
    assert (131, 0, None) == (sum(writing.batches), settlement.unwritten, settlement.error)


def test_nothing_is_no_batch() -> None:
    """A run without outcomes writes nothing."""
    writing = Writing()
    settled(writing)
    assert writing.tried == 0


def test_one_thread_writes() -> None:
    """A file has one writer, and it is not the event loop."""
    writing = Writing()
    settled(writing, *[PUT.records] * 5)
    (name,) = writing.threads
    assert name.startswith("openai-dest-write")


def test_a_full_batch_is_written_at_once() -> None:
    """A crash repeats no more than this."""

    async def run() -> None:
        written = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PUT.seconds / 2):
            async with Settlement(
                lambda _: loop.call_soon_threadsafe(written.set) and None, lambda: None, PUT
            ) as settlement:
                await settlement.put([OUTCOME] * PUT.records)
                await written.wait()

    asyncio.run(run())


def test_a_flood_is_written_in_large_batches() -> None:
    """What waits while one batch is written goes with the next."""
    writing = Writing()
    settled(writing, QUEUE_LIMIT)
    assert len(writing.batches) <= 3


def test_the_sending_waits_while_the_sinks_are_behind() -> None:
    """Memory is bounded: no more is taken than the queue holds."""
    free = threading.Event()

    async def run() -> None:
        async with Settlement(lambda _: free.wait(5) and None, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await settlement.put([OUTCOME] * QUEUE_LIMIT * 3)
            free.set()

    asyncio.run(run())


def test_the_sending_waits_for_bytes_as_well() -> None:
    """A few images fill the queue, and are written at once; the next batch begins with an empty one."""
    writing = Writing()

    async def run() -> list[int]:
        async with asyncio.timeout(PUT.seconds / 2), Settlement(writing, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME], held=QUEUE_BYTES - 1)
            await settlement.put([OUTCOME], held=1)
            await settlement.put([OUTCOME], held=QUEUE_BYTES - 1)
            return list(writing.batches)

    assert [2] == asyncio.run(run())


def test_a_few_outcomes_do_not_wait() -> None:
    """The next answer can be taken while the sinks write."""
    free = threading.Event()

    async def run() -> None:
        async with asyncio.timeout(5), Settlement(lambda _: free.wait(5) and None, lambda: None, PUT) as settlement:
            for _ in range(3):
                async with asyncio.timeout(1):
                    await settlement.put([OUTCOME] * PUT.records)
            free.set()

    asyncio.run(run())


def test_a_large_outcome_waits_until_it_is_written() -> None:
    """And is written at once: it holds much memory until then."""
    writing = Writing()

    async def run() -> list[int]:
        async with asyncio.timeout(PUT.seconds / 2), Settlement(writing, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME] * 2)
            await settlement.put([OUTCOME], until_written=True)
            return list(writing.batches)

    assert [3] == asyncio.run(run())


def test_a_large_outcome_waits_for_its_own_batch() -> None:
    """Not for the one that is being written when it comes."""
    free, began = threading.Event(), threading.Event()
    sizes = []

    def write(outcomes: Sequence[Outcome]) -> None:
        began.set()
        free.wait(5)
        sizes.append(len(outcomes))

    async def run() -> list[int]:
        async with asyncio.timeout(5), Settlement(write, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME] * PUT.records)
            await asyncio.to_thread(began.wait, 5)
            waiting = asyncio.create_task(settlement.put([OUTCOME], until_written=True))
            await asyncio.sleep(0)
            free.set()
            await waiting
            return list(sizes)

    assert [PUT.records, 1] == asyncio.run(run())


def test_an_answer_waits_while_too_many_are_not_durable() -> None:
    """What is being written counts as well: a crash would repeat it."""
    free, began = threading.Event(), threading.Event()

    def write(_: Sequence[Outcome]) -> None:
        began.set()
        free.wait(5)

    async def run() -> list[bool]:
        async with asyncio.timeout(5), Settlement(write, lambda: None, PUT, most_at_risk=PUT.records) as settlement:
            await settlement.put_answered([OUTCOME] * PUT.records)
            await asyncio.to_thread(began.wait, 5)
            waiting = asyncio.create_task(settlement.put_answered([OUTCOME]))
            await settlement.put([OUTCOME])  # it was never sent: nobody pays for it again
            held = not waiting.done()
            free.set()
            await waiting
            return [held, settlement.ended >= PUT.records]

    assert [True, True] == asyncio.run(run())


def test_a_large_pack_waits_for_its_own_batch_alone() -> None:
    """It has more records than may be at risk, and is let go when they are written, whatever came after it."""
    writing = Writing()

    async def run() -> list[int]:
        async with asyncio.timeout(5), Settlement(writing, lambda: None, PUT, most_at_risk=1) as settlement:
            await settlement.put_answered([OUTCOME] * 3)
            return list(writing.batches)

    assert [3] == asyncio.run(run())


def test_an_answer_never_waits_for_a_sink_that_failed() -> None:
    """The sending is over then."""

    async def run() -> Settlement:
        settlement = Settlement(Writing(fails_from=0), lambda: None, PUT, most_at_risk=1)
        async with asyncio.timeout(5), settlement:
            for _ in range(3):
                await settlement.put_answered([OUTCOME] * 2)
        return settlement

    assert 6 == asyncio.run(run()).unwritten


def test_nobody_waits_for_a_sink_that_failed() -> None:
    """A large outcome is let go as not written."""

    async def run() -> Settlement:
        async with asyncio.timeout(5), Settlement(Writing(fails_from=0), lambda: None, PUT) as settlement:
            for _ in range(2):
                await settlement.put([OUTCOME], until_written=True)
        return settlement

    assert asyncio.run(run()).unwritten == 2


def test_after_a_failed_write_nothing_is_written_again() -> None:
    """The sending is told once; what was not written is counted, of the failed batch and of all that come after."""
    told = []
    writing = Writing(fails_from=0)

    async def run() -> Settlement:
        failed = asyncio.Event()

        def on_error() -> None:
            told.append(1)
            failed.set()

        async with asyncio.timeout(10), Settlement(writing, on_error, PUT) as settlement:
            await settlement.put([OUTCOME] * PUT.records)
            await failed.wait()
            await settlement.put([OUTCOME] * PUT.records * 2)
        return settlement

    settlement = asyncio.run(run())
    assert isinstance(settlement.error, SinkError)
    assert ([1], 1, 3 * PUT.records) == (told, writing.tried, settlement.unwritten)


def test_any_error_of_a_sink_ends_the_writing() -> None:
    """Also one that no sink should raise."""

    def write(_: Sequence[Outcome]) -> None:
        raise ZeroDivisionError

    settlement = settled(write, 1)
    assert (ZeroDivisionError, 1) == (type(settlement.error), settlement.unwritten)


def test_what_was_answered_is_written_even_when_the_run_breaks() -> None:
    """It was paid for."""
    writing = Writing()

    async def run() -> None:
        async with asyncio.timeout(10), Settlement(writing, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME] * 5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run())
    assert [5] == writing.batches


def test_what_was_answered_is_written_even_when_the_run_is_cancelled() -> None:
    """As when the task's time is over."""
    writing = Writing()

    async def run() -> None:
        async with Settlement(writing, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME] * 5)
            await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(run())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert [5] == writing.batches


def test_after_a_stop_nothing_waits_for_its_batch() -> None:
    """What was there is written at once, and so is whatever comes: the process may be killed soon."""
    writing = Writing()

    async def run() -> list[int]:
        seen = []
        async with asyncio.timeout(PUT.seconds / 2), Settlement(writing, lambda: None, PUT) as settlement:
            await settlement.put([OUTCOME])
            settlement.hurry()
            for _ in range(3):
                await settlement.put([OUTCOME])
                while sum(writing.batches) < 2 + len(seen):  # noqa: ASYNC110 - a thread counts
                    await asyncio.sleep(0)
                seen.append(sum(writing.batches))
        return seen

    assert [2, 3, 4] == asyncio.run(run())
