"""Intake: reads a source in a thread of its own, a little ahead of the event loop and never further, and counts it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.record import Record, Source

CHUNK_SECONDS = 0.05
"""A slow source is not waited for longer than this when something of it is there already."""

UNKNOWN_FATE = RecordError(
    "unknown_fate", "a try that died may have sent this record, and nobody can know whether it was billed"
)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What was read of a source: ``given`` records to be sent, and the others by status.

    ``is_whole`` says that the source was read to its end.
    """

    given: int
    others: Mapping[Status, int]
    is_whole: bool

    @property
    def input(self) -> int:
        """Give the number of all records that were read."""
        return self.given + sum(self.others.values())

    @property
    def settled(self) -> int:
        """Give the number of records that were settled before."""
        return self.input - self.given - self.others.get(Status.PENDING, 0)


class Claimed(Protocol):
    """What earlier tries may have sent."""

    def see(self, record: Record) -> None:
        """Look at a record of the source; each is shown, in order."""

    def __contains__(self, position: object) -> bool:
        """Tell whether the record at this position may have been sent."""


class Intake:
    """Counts the records of a source, and gives those that must be sent. Read by one thread, asked by others.

    :param settled: the records that are counted and not given.
    :param is_stopped: whether nothing more is sent: what is read then is counted as pending.
    :param claimed: positions of records that earlier tries may have sent. ``unknown`` counts those of them that are not
        settled: nobody can know whether they were billed.
    :param quarantine_unknown: reject those, where they would be sent again.
    """

    def __init__(
        self,
        source: Source,
        settled: SettledRecords,
        is_stopped: Callable[[], bool],
        claimed: Claimed | None = None,
        *,
        quarantine_unknown: bool = False,
    ) -> None:
        self._source = source
        self._settled = settled
        self._is_stopped = is_stopped
        self._claimed = claimed
        self._quarantine_unknown = quarantine_unknown
        self.unknown = 0
        self._given = 0
        self._others: Counter[Status] = Counter()
        self._is_whole = False
        self._is_closed = False

    def __iter__(self) -> Iterator[Record]:
        for record in self._source:
            if self._is_closed:
                return
            if self._claimed:
                self._claimed.see(record)
            status = self._settled.status_of(record)
            if status is not None:
                self._others[status] += 1
            elif self._is_stopped():
                self._others[Status.PENDING] += 1
            else:
                self._given += 1
                yield self._judged(record)
        self._is_whole = True

    def _judged(self, record: Record) -> Record:
        if not self._claimed or record.position not in self._claimed:
            return record
        self.unknown += 1
        return replace(record, fault=UNKNOWN_FATE) if self._quarantine_unknown else record

    def census(self) -> Census:
        """Give the counts of this moment; those of a source that was read to its end are final."""
        is_whole = self._is_whole
        return Census(given=self._given, others=dict(self._others), is_whole=is_whole)

    def close(self) -> Census:
        """Read no more than the record that a thread may be waiting for, and give the counts."""
        self._is_closed = True
        return self.census()


async def read_ahead(
    items: Iterator[Item],
    *,
    chunk: int,
    weigh: Callable[[Item], int] = lambda _item: 1,
    now: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Item]:
    """Give the items of a blocking iterator; the next chunk is read while this one is used.

    One thread reads all of it, since database cursors may not change threads. What the iterator raises, this raises.
    When this is closed early, the thread is left to end with its present item.

    :param chunk: items read at once; 1 gives each item as soon as it is there.
    :param weigh: for how many items one counts.
    :param now: a monotonic clock.
    """

    def take() -> list[Item]:
        taken: list[Item] = []
        weight, started = 0, now()
        while weight < chunk and not (taken and now() - started >= CHUNK_SECONDS):
            try:
                item = next(items)
            except StopIteration:
                break
            taken.append(item)
            weight += weigh(item)
        return taken

    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="openai-dest-read")
    try:
        ahead = loop.run_in_executor(thread, take)
        while taken := await ahead:
            ahead = loop.run_in_executor(thread, take)
            for item in taken:
                yield item
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
