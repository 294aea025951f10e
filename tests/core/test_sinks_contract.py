"""The contract that every Sink keeps, whatever it does with outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.sinks.folder import RowLog, list_names, read_rows
from airflow_provider_openai_dest.sinks.results import QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sinks.sink import Sink
from airflow_provider_openai_dest.sinks.webhook import WebhookSink
from airflow_provider_openai_dest.sources.record import Source
from tests.core.delivery_parts import outcome
from tests.core.memory_folder import MemoryFolder, Store

D, R = Status.DELIVERED, Status.REJECTED


@dataclass
class Place:
    """Where a sink brings outcomes; ``taken`` gives the keys that came there, and ``breaks`` makes it fail."""

    store: Store = field(default_factory=Store)
    forwarded: list[str] = field(default_factory=list)
    is_broken: bool = False

    def rows(self) -> RowLog:
        """Open a log of rows here."""
        return RowLog(MemoryFolder(self.store), "rows")

    def taken(self) -> list[str]:
        """Give the keys."""
        folder = MemoryFolder(self.store)
        return self.forwarded + [row["key"] for row in read_rows(folder, list_names(folder, ""))]

    def breaks(self) -> None:
        """Fail from now on."""
        self.store.failing.add("write")
        self.is_broken = True

    def deliver(self, source: Source) -> Manifest:
        """Take the items of a webhook."""
        for record in source:
            if self.is_broken:
                raise OSError("the receiver's name can't be resolved")
            self.forwarded.append(record.key)
        return Manifest(endpoint="webhook", input=len(self.forwarded), delivered=len(self.forwarded))


SINKS: dict[str, Callable[[Place], Sink]] = {
    "results": lambda place: ResultsSink(place.rows()),
    "results without records": lambda place: ResultsSink(place.rows(), keep_records=False),
    "quarantine": lambda place: QuarantineSink(place.rows()),
    "webhook": lambda place: WebhookSink(place.deliver, lambda one: one.record),
}


@pytest.fixture(params=SINKS)
def made(request: pytest.FixtureRequest) -> tuple[Sink, Place]:
    """Give each sink, and where it brings outcomes."""
    place = Place()
    return SINKS[request.param](place), place


def test_what_is_written_and_closed_has_arrived(made: tuple[Sink, Place]) -> None:
    """In its order, over several flushes."""
    sink, place = made
    for keys in ("ab", "c", "", "de"):
        sink.write([outcome(key, R) for key in keys])
        sink.flush()
    sink.close()
    assert list("abcde") == place.taken()


def test_closing_flushes(made: tuple[Sink, Place]) -> None:
    """What was written last is not lost."""
    sink, place = made
    sink.write([outcome("a", R)])
    sink.close()
    assert ["a"] == place.taken()


def test_a_sink_that_took_nothing_can_be_closed(made: tuple[Sink, Place]) -> None:
    """An empty run."""
    sink, place = made
    sink.close()
    assert [] == place.taken()


def test_a_sink_can_be_closed_twice(made: tuple[Sink, Place]) -> None:
    """The second time does nothing."""
    sink, place = made
    sink.write([outcome("a", R)])
    sink.close()
    sink.close()
    assert ["a"] == place.taken()


def test_a_failing_place_is_a_sink_error(made: tuple[Sink, Place]) -> None:
    """Told by a flush, or by the closing at the latest; and the sink can be closed after it."""
    sink, place = made
    place.breaks()

    def act() -> None:
        sink.write([outcome("a", R)])
        sink.flush()
        sink.close()

    with pytest.raises(SinkError):
        act()
    sink.close()


def test_a_sink_takes_any_outcome(made: tuple[Sink, Place]) -> None:
    """Delivered or rejected, with an answer, a usage, an error or none."""
    sink, place = made
    sink.write([outcome("a", D, answer=[1], usage={"n": 1}), outcome("b", R), outcome("c", D)])
    sink.close()
    assert "b" in place.taken()
