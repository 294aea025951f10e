"""Progress: what the log says while a delivery runs: how far it is, what holds it up, and the first of each error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.traffic import Traffic
from airflow_provider_openai_dest.limits.rate_limit import Use
from airflow_provider_openai_dest.sources.record import Source

log = logging.getLogger(__name__)

LINE_SECONDS = 30.0
LINE_SHARE = 0.05
"""A line is due after so long, or after such a share of the records, whichever is first."""

TICK_SECONDS = 1.0
"""How often to look whether a line is due; so no two lines are nearer than this."""

LONG_WAIT_SECONDS = 10.0
"""A wait of so long is worth a line."""

LONGEST_KEY = 100
"""Characters of a key in a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How far a delivery is: ``done`` records have an end, ``settled_now`` of them by this try.

    ``use`` is how much of the account's tightest limit is in use; None when it is not known.
    """

    done: int
    settled_now: int
    traffic: Traffic
    use: Use | None = None


class Progress:
    """Decides when a line is due, and words it.

    :param total: records of the source; None when it does not say.
    :param started: when the delivery began, by the clock that ``line`` is told of.
    """

    def __init__(self, total: int | None, started: float) -> None:
        self._total = total or None
        self._started = self._told_at = started
        self._told_share = 0.0

    def line(self, counts: Counts, now: float) -> str | None:
        """Give the line that is due now, or None."""
        share = counts.done / self._total if self._total else 0.0
        is_due = now - self._told_at >= LINE_SECONDS or share - self._told_share >= LINE_SHARE
        if not is_due or share >= 1:
            return None
        self._told_at, self._told_share = now, share
        return self._worded(counts, max(now - self._started, TICK_SECONDS))

    def _worded(self, counts: Counts, seconds: float) -> str:
        rate = counts.settled_now / seconds
        of_total = f" of {self._total:,}" if self._total else ""
        words = [f"{counts.done:,}{of_total} records are done, {rate:,.1f} a second"]
        traffic = counts.traffic
        if counts.use is not None:
            words.append(str(counts.use))
        words.append(f"{traffic.in_flight:,} on the wire")
        if traffic.tokens:
            words.append(f"{traffic.tokens:,} tokens")
        if traffic.again:
            words.append(f"{traffic.again:,} sent again")
        if traffic.limited:
            words.append(f"{traffic.limited:,} refused by the rate limit")
        if traffic.waited_seconds >= 1:
            words.append(f"held back for {worded_time(traffic.waited_seconds)}")
        if self._total and rate:
            words.append(f"about {worded_time((self._total - counts.done) / rate)} left")
        return ", ".join(words)


def worded_time(seconds: float) -> str:
    """Write a time in its two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def total_of(source: Source) -> int | None:
    """Give the number of a source's records, where it knows that without reading them."""
    total: Callable[[], int | None] = getattr(source, "total", lambda: None)
    return total()


def log_first_of_kind(outcome: Outcome) -> None:
    """Log why a record was rejected, or left; called for the first record of each kind of error."""
    key = outcome.record.key[:LONGEST_KEY]
    log.warning("Record %r is %s: %s; the next of this kind are counted", key, outcome.status, outcome.error)


class LongWaits:
    """Tells which waits are worth a line: each long one once, however many requests wait for it."""

    def __init__(self) -> None:
        self._told_until = float("-inf")

    def is_news(self, seconds: float, now: float) -> bool:
        """Tell whether a wait that begins now ends much later than any that was told before."""
        ends = now + seconds
        if seconds < LONG_WAIT_SECONDS or ends < self._told_until + LONG_WAIT_SECONDS:
            return False
        self._told_until = ends
        return True


@asynccontextmanager
async def reporting(
    progress: Progress,
    counts: Callable[[], Counts],
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    measure: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Log the lines that are due, and measure every second, while the block lasts."""

    async def report() -> None:
        while True:
            await sleep(TICK_SECONDS)
            measure()
            line = progress.line(counts(), now())
            if line is not None:
                log.info("%s", line)

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        task.cancel()
