"""Rate limit: a mirror of the account's buckets, so that a request waits here and is not refused there.

Pure arithmetic: the time comes in as an argument. Requests and tokens refill at a minute's limit / 60 a second,
as the API's own buckets do; the answers' ``x-ratelimit-*`` headers seed and correct the mirror.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_openai_dest.delivery.retry_after import read_count

BURST_SECONDS = 1.0
"""How much of a minute's limit may go at once when the server has not said how much is left."""

PROBE_SECONDS = 0.01
"""How soon to ask again while the probe is under way."""

ROUNDING_SECONDS = 1e-6
"""What the arithmetic may leave of a wait that is over."""


@dataclass(slots=True)
class Bucket:
    """A token bucket; ``level`` holds at ``at``, or from whenever it is first asked.

    Levels may go below zero when the estimate was too low.
    """

    rate: float
    capacity: float
    level: float
    at: float | None = None

    def wait_for(self, amount: float, now: float) -> float:
        """Give the seconds until ``amount`` is there; an amount above the capacity waits for a full bucket."""
        self._refill(now)
        missing = min(amount, self.capacity) - self.level
        return max(0.0, missing / self.rate)

    def take(self, amount: float) -> None:
        """Take ``amount``, or give back a negative one."""
        self.level = min(self.capacity, self.level - amount)

    def empty(self, now: float) -> None:
        """Start from nothing, as after a refusal."""
        self._refill(now)
        self.level = min(self.level, 0.0)

    def change(self, rate: float, now: float) -> None:
        """Refill at another rate from now on, with a capacity for as many seconds of it as before."""
        if rate == self.rate:
            return
        self._refill(now)
        self.capacity = max(1.0, self.capacity * rate / self.rate)
        self.level = min(self.level, self.capacity)
        self.rate = rate

    def _refill(self, now: float) -> None:
        since = now if self.at is None else min(self.at, now)
        self.level = min(self.capacity, self.level + (now - since) * self.rate)
        self.at = now


class RateLimit:
    """The account's limits for one model: given, or learnt from the first answer.

    Until a first answer has come, one request goes alone as a probe when nothing was given.

    :param requests_per_minute: given limit; None learns it from the headers.
    :param tokens_per_minute: given limit; None learns it from the headers.
    """

    def __init__(self, requests_per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        self._given = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._buckets = {name: _new_bucket(limit) for name, limit in self._given.items() if limit}
        self._paused_until = 0.0
        self._knows = bool(self._buckets)
        self._probing = False

    @classmethod
    def unlimited(cls) -> RateLimit:
        """Give a limit that lets everything pass but obeys pauses: for servers without rate-limit headers."""
        limit = cls()
        limit.settle()
        return limit

    def wait(self, tokens: int, now: float) -> float:
        """Reserve one request and its tokens and give 0.0; or give the seconds after which to ask again."""
        if now < self._paused_until:
            return self._paused_until - now
        if not self._knows:
            if self._probing:
                return PROBE_SECONDS
            self._probing = True
        amounts = {"requests": 1.0, "tokens": float(tokens)}
        waits = [bucket.wait_for(amounts[name], now) for name, bucket in self._buckets.items()]
        if (longest := max(waits, default=0.0)) > ROUNDING_SECONDS:
            return longest
        for name, bucket in self._buckets.items():
            bucket.take(amounts[name])
        return 0.0

    def observe(self, headers: Mapping[str, str], now: float) -> None:
        """Learn from an answer's headers; the first ones seed the mirror, later ones only lower it."""
        for name in ("requests", "tokens"):
            limit = read_count(headers.get(f"x-ratelimit-limit-{name}"))
            remaining = read_count(headers.get(f"x-ratelimit-remaining-{name}"))
            if limit and remaining is not None:
                self._mirror(name, limit, remaining, now)
        self.settle()

    def correct(self, estimated: int, used: int | None) -> None:
        """Give back what was reserved too much, or take what was too little, but no more than a minute's limit."""
        bucket = self._buckets.get("tokens")
        if bucket is not None and used is not None:
            bucket.take(min(used - estimated, bucket.rate * 60))

    def pause(self, seconds: float, now: float) -> None:
        """Make everybody wait, as a 429 asks."""
        self._paused_until = max(self._paused_until, now + seconds)
        for bucket in self._buckets.values():
            bucket.empty(now)
        self.settle()

    def settle(self) -> None:
        """End the probe: whatever came back, the others may go now."""
        self._knows = True

    def _mirror(self, name: str, limit: int, remaining: int, now: float) -> None:
        rate = min(limit, self._given[name] or limit) / 60
        bucket = self._buckets.get(name)
        if bucket is None:
            self._buckets[name] = Bucket(rate, max(1.0, float(remaining)), float(remaining), now)
            return
        bucket.change(rate, now)
        bucket.level = min(bucket.level, float(remaining))


def _new_bucket(limit_a_minute: int) -> Bucket:
    rate = limit_a_minute / 60
    capacity = max(1.0, rate * BURST_SECONDS)
    return Bucket(rate, capacity, capacity)
