"""What the log says while a delivery runs."""

from __future__ import annotations

import asyncio
import logging

import pytest

from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.delivery.progress import (
    Counts,
    LongWaits,
    Progress,
    log_first_of_kind,
    reporting,
    total_of,
    worded_time,
)
from airflow_provider_openai_dest.delivery.traffic import Traffic
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.limits.rate_limit import Use
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.values import ValuesSource
from tests.core.delivery_parts import ListSource, outcome


def counts(done: int, *, now: int | None = None, use: Use | None = None, **traffic: float) -> Counts:
    """Give how far it is; all that is done was done by this try unless said otherwise."""
    return Counts(done=done, settled_now=done if now is None else now, traffic=Traffic(**traffic), use=use)


def lines(progress: Progress, *moments: tuple[float, int]) -> list[float]:
    """Give the moments, of these with so many records done, that have a line."""
    return [now for now, done in moments if progress.line(counts(done), now) is not None]


def test_a_line_is_due_every_half_minute() -> None:
    """When little goes on."""
    assert [30, 60.5] == lines(Progress(10_000, 0.0), (1, 1), (29, 2), (30, 3), (59, 4), (60.5, 5))


def test_a_line_is_due_every_twentieth() -> None:
    """When much goes on."""
    assert [2, 5] == lines(Progress(1000, 0.0), (1, 49), (2, 50), (3, 99), (4, 99), (5, 140), (6, 150))


def test_there_is_no_line_at_the_end() -> None:
    """The task itself says how it ended."""
    assert [] == lines(Progress(10, 0.0), (40, 10))


def test_a_source_of_unknown_size_has_lines_by_time_alone() -> None:
    """There is no twentieth of it."""
    assert [30] == lines(Progress(None, 0.0), (1, 100), (29, 10_000), (30, 10_001))


def test_a_line_says_how_far_how_fast_and_how_long() -> None:
    """Done of total, records a second, what is on the wire, time left."""
    line = Progress(10_000, 100.0).line(counts(2500, now=2000, in_flight=1200), 200.0)
    assert line == ("2,500 of 10,000 records are done, 20.0 a second, 1,200 on the wire, about 6 min 15 s left")


def test_a_line_says_what_holds_it_up() -> None:
    """How much of which limit is in use, what was sent again, refused by the rate limit, and waited for."""
    use = Use(0.874, "tokens", 30_000_000)
    now = counts(300, use=use, in_flight=7, tokens=1_234_567, again=3, limited=1, waited_seconds=62.4, requests=900)
    assert Progress(None, 0.0).line(now, 30.0) == (
        "300 records are done, 10.0 a second, 87% of 30,000,000 tokens a minute in use, 7 on the wire, "
        "1,234,567 tokens, 3 sent again, 1 refused by the rate limit, held back for 1 min 2 s"
    )


def test_a_limit_that_is_known_and_not_used_is_told() -> None:
    """Nothing in use is not the same as not known."""
    line = Progress(None, 0.0).line(counts(1, use=Use(0.0, "requests", 500, "o9")), 30.0)
    assert line is not None
    assert "0% of 500 requests a minute of o9 in use" in line


def test_a_line_says_no_more_than_is_known() -> None:
    """Without a total there is no time left, without waits no word of them, without a rate no guess."""
    assert Progress(None, 0.0).line(counts(300), 30.0) == "300 records are done, 10.0 a second, 0 on the wire"
    assert Progress(10, 0.0).line(counts(0, waited_seconds=0.9), 30.0) == (
        "0 of 10 records are done, 0.0 a second, 0 on the wire"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (45, "45 s"),
        (200, "3 min 20 s"),
        (59.7, "1 min 0 s"),
        (7500, "2 h 5 min"),
        (1e7, "2,777 h 46 min"),
    ],
)
def test_a_time_is_worded_for_people(seconds: float, words: str) -> None:
    """In its two largest units."""
    assert words == worded_time(seconds)


def test_a_long_wait_is_told_once() -> None:
    """However many requests wait for the same end."""
    waits = LongWaits()
    assert [True, False, False] == [waits.is_news(20.0, now) for now in (0.0, 0.1, 5.0)]


def test_the_next_long_wait_is_told_again() -> None:
    """When the first one is over, or when it became much longer."""
    waits = LongWaits()
    assert [True, True, True] == [waits.is_news(20.0, 0.0), waits.is_news(20.0, 25.0), waits.is_news(300.0, 26.0)]


def test_a_short_wait_is_no_news() -> None:
    """Short waits are how a limit is kept."""
    assert not LongWaits().is_news(9.9, 0.0)


@pytest.mark.parametrize("status", [Status.REJECTED, Status.PENDING])
def test_the_first_of_a_kind_is_told_with_key_and_message(caplog: pytest.LogCaptureFixture, status: Status) -> None:
    """With its key and the message, never with what the record holds."""
    log_first_of_kind(outcome("sku-7", status, error=RecordError("bad", "no such model")))
    (line,) = caplog.messages
    assert f"Record 'sku-7' is {status.value}: bad: no such model" in line


def test_a_line_has_no_room_for_a_key_of_megabytes(caplog: pytest.LogCaptureFixture) -> None:
    """A key is data, and data may be long."""
    log_first_of_kind(outcome("x" * 10_000, Status.REJECTED))
    assert len(caplog.messages[0]) < 300


@pytest.mark.parametrize(
    ("source", "total"), [(ValuesSource([1, 2, 3]), 3), (FilesSource([]), None), (ListSource(), None)]
)
def test_the_total_is_asked_of_the_source(source: ListSource, total: int | None) -> None:
    """A source that does not know, or can't be asked, has none."""
    assert total == total_of(source)


def test_lines_are_logged_while_the_block_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """The clock ticks, and the lines that are due are logged; after the block it ticks no more."""
    caplog.set_level(logging.INFO)
    time = 0.0

    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal time
        time += seconds
        if time > 70:
            enough.set()
        await asyncio.sleep(0)

    async def run() -> float:
        async with (
            asyncio.timeout(5),
            reporting(Progress(None, 0.0), lambda: counts(int(time)), lambda: time, sleep),
        ):
            await enough.wait()
        after = time
        for _ in range(10):
            await asyncio.sleep(0)
        return time - after

    assert asyncio.run(run()) <= 1
    assert [f"{done} records are done, 1.0 a second, 0 on the wire" for done in (30, 60)] == caplog.messages
