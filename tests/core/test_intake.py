"""Reading a source in a thread, a little ahead, and counting it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.intake import CHUNK_SECONDS, Census, Intake, read_ahead
from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from tests.core.delivery_parts import ListSource, outcome, record

D, R, P = Status.DELIVERED, Status.REJECTED, Status.PENDING


class Numbers:
    """Numbers that know how many of them were read, and by which threads."""

    def __init__(self, end: int, error: Exception | None = None) -> None:
        self.end = end
        self.error = error
        self.read = 0
        self.threads: set[str] = set()

    def __iter__(self) -> Iterator[int]:
        for number in range(self.end):
            self.threads.add(threading.current_thread().name)
            self.read += 1
            yield number
        if self.error:
            raise self.error


async def all_of(numbers: Numbers, chunk: int, **settings: object) -> list[int]:
    """Read all of it."""
    return [number async for number in read_ahead(iter(numbers), chunk=chunk, **settings)]  # type: ignore[arg-type]


@given(st.integers(0, 50), st.integers(1, 20))
def test_everything_comes_in_order(end: int, chunk: int) -> None:
    """Whatever the size of the chunks."""
    assert list(range(end)) == asyncio.run(all_of(Numbers(end), chunk))


def test_one_thread_reads_all_of_it() -> None:
    """Database cursors may not change threads; and it is not that of the event loop."""
    numbers = Numbers(100)
    asyncio.run(all_of(numbers, 3))
    (name,) = numbers.threads
    assert name.startswith("openai-dest-read")


def test_it_reads_two_chunks_ahead_and_no_further() -> None:
    """A source of millions is not held in memory."""
    numbers = Numbers(1000)

    async def run() -> None:
        async with aclosing(read_ahead(iter(numbers), chunk=10)) as items:
            assert await anext(items) == 0

    asyncio.run(run())
    assert numbers.read <= 20


def test_an_item_that_counts_for_many_fills_a_chunk() -> None:
    """A pack of 2,048 records is a chunk of its own."""
    numbers = Numbers(100)

    async def run() -> None:
        async with aclosing(read_ahead(iter(numbers), chunk=64, weigh=lambda _: 2048)) as items:
            await anext(items)

    asyncio.run(run())
    assert numbers.read <= 2


def test_a_slow_source_is_not_waited_for_to_fill_a_chunk() -> None:
    """What is there is given after a moment."""
    moments = iter([0.0, CHUNK_SECONDS / 2, CHUNK_SECONDS, 10.0, 10.0 + CHUNK_SECONDS, 20.0, 21.0])
    numbers = Numbers(100)

    async def run() -> None:
        async with aclosing(read_ahead(iter(numbers), chunk=64, now=lambda: next(moments))) as items:
            await anext(items)

    asyncio.run(run())
    assert numbers.read <= 3


def test_what_the_source_raises_is_raised() -> None:
    """After what came before it in earlier chunks."""
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(all_of(Numbers(5, ValueError("broken")), 1))


def test_an_early_end_does_not_wait_for_the_source() -> None:
    """A source that hangs does not hang the event loop; its thread ends when it does."""
    hanging = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        hanging.wait(10)
        yield 2

    async def run() -> None:
        async with asyncio.timeout(5):
            async with aclosing(read_ahead(items(), chunk=1)) as ahead:
                await anext(ahead)

    asyncio.run(run())
    hanging.set()


def settled(**ends: Status) -> SettledRecords:
    """Give records that are settled."""
    records = SettledRecords()
    for key, status in ends.items():
        records.add(outcome(key, status))
    return records


def test_every_record_is_counted_once() -> None:
    """Those that are settled by their status, the others are given."""
    intake = Intake(ListSource([record(key) for key in "abcd"]), settled(a=D, c=R), lambda: False)
    assert ["b", "d"] == [one.key for one in intake]
    assert Census(given=2, others={D: 1, R: 1}, is_whole=True) == intake.census()
    assert (4, 2) == (intake.census().input, intake.census().settled)


def test_what_is_read_after_a_stop_is_pending() -> None:
    """It is counted and not given."""
    is_stopped = False
    intake = Intake(ListSource([record(key) for key in "abcd"]), settled(d=D), lambda: is_stopped)
    records = iter(intake)
    next(records)
    is_stopped = True
    assert [] == list(records)
    assert Census(given=1, others={P: 2, D: 1}, is_whole=True) == intake.census()
    assert intake.census().settled == 1


def test_a_source_that_breaks_is_not_whole() -> None:
    """What was read before is counted."""
    intake = Intake(ListSource([record("a")], error=OSError("gone")), settled(), lambda: False)
    with pytest.raises(OSError, match="gone"):
        list(intake)
    assert Census(given=1, others={}, is_whole=False) == intake.census()


def test_a_closed_intake_reads_no_further() -> None:
    """The thread that waits for a record ends with it, and the counts stay."""
    intake = Intake(ListSource([record(key) for key in "abcd"]), settled(), lambda: False)
    records = iter(intake)
    next(records)
    closed = intake.close()
    assert [] == list(records)
    assert closed == intake.census() == Census(given=1, others={}, is_whole=False)
