"""The stub's account: two token buckets, as OpenAI has them, and the counts of what came and what was answered."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

UNLIMITED = 60_000_000_000  # a minute: so much that no client feels it, and yet a number in the headers
BIN_SECONDS = 0.1


class Bucket:
    """Refills at ``limit / 60`` a second up to ``burst_seconds`` of that, and starts full."""

    def __init__(self, limit_a_minute: int, burst_seconds: float, now: float) -> None:
        self.limit = limit_a_minute
        self.rate = limit_a_minute / 60
        self.capacity = max(1.0, self.rate * burst_seconds)
        self.level = self.capacity
        self._at = now

    def refill(self, now: float) -> None:
        """Bring the level to this time."""
        self.level = min(self.capacity, self.level + (now - self._at) * self.rate)
        self._at = now

    def wait_ms(self, amount: float) -> int:
        """Give the milliseconds until ``amount`` is there, rounded up, at least 1."""
        return max(1, math.ceil((amount - self.level) / self.rate * 1000))

    def reset_in(self) -> str:
        """Give the time until full, as OpenAI writes it: ``12ms``, ``1.5s``, ``1m2s``."""
        seconds = (self.capacity - self.level) / self.rate
        if seconds < 1:
            return f"{math.ceil(seconds * 1000)}ms"
        if seconds < 60:
            return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
        return f"{int(seconds // 60)}m{int(seconds % 60)}s"


@dataclass(frozen=True)
class Refusal:
    """A 429: which bucket lacked, and for how long."""

    kind: str
    wait_ms: int


@dataclass(kw_only=True)
class Counts:
    """What happened since the last reset; times are seconds since the first request."""

    statuses: Counter[int] = field(default_factory=Counter)
    clients: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    bins: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    client_bins: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    tokens: int = 0
    records_arrived: int = 0
    records_answered: int = 0
    uploaded_bytes: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    storm_requests: int = 0
    seen: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    seen_in_storm: set[int] = field(default_factory=set)


class Account:
    """Judges each request as it arrives.

    :param storm: from when to when, in seconds since the first request, every answer is a 503.
    :param charge_failed: whether a 429 costs one request, as OpenAI's guide says it does; the level stays above zero.
    """

    def __init__(
        self,
        *,
        rpm: int | None,
        tpm: int | None,
        burst_seconds: float,
        charge_failed: bool = False,
        storm: tuple[float, float] | None = None,
    ) -> None:
        self._limits = (rpm or UNLIMITED, tpm or UNLIMITED)
        self.is_limited = bool(rpm or tpm)
        self._burst_seconds = burst_seconds
        self._charge_failed = charge_failed
        self._storm = storm
        self.reset()

    def reset(self) -> None:
        """Fill the buckets and forget all counts; the clock starts with the next request."""
        now = time.monotonic()
        self.requests, self.tokens = (Bucket(limit, self._burst_seconds, now) for limit in self._limits)
        self.counts = Counts()
        self._began: float | None = None
        self._cpu_began = time.process_time()

    def judge(self, tokens: int, records: Sequence[int]) -> Refusal | int:
        """Give 200 and charge both buckets, or 503, or a Refusal.

        :param records: a hash of each record in the request.
        """
        now = time.monotonic()
        counts = self.counts
        if self._began is None:
            self._began = now
            self._cpu_began = time.process_time()
        counts.records_arrived += len(records)
        counts.seen.update(records)
        if self._storm and self._storm[0] <= now - self._began < self._storm[1]:
            counts.storm_requests += 1
            counts.seen_in_storm.update(records)
            return 503
        if self.is_limited and (refusal := self._refusal(tokens, now)):
            return refusal
        counts.tokens += tokens
        counts.records_answered += len(records)
        counts.answered.update(records)
        return 200

    def count(self, status: int, client: str) -> None:
        """Count an answer at the time when it is given."""
        now = time.monotonic()
        at = int((now - (self._began or now)) / BIN_SECONDS)
        self.counts.statuses[status] += 1
        self.counts.clients[client][status] += 1
        self.counts.bins[at][status] += 1
        if status == 200:
            self.counts.client_bins[client][at] += 1

    def _refusal(self, tokens: int, now: float) -> Refusal | None:
        self.requests.refill(now)
        self.tokens.refill(now)
        lacking = (
            Refusal("requests", self.requests.wait_ms(1))
            if self.requests.level < 1
            else Refusal("tokens", self.tokens.wait_ms(tokens))
            if self.tokens.level < tokens
            else None
        )
        if lacking is None:
            self.requests.level -= 1
            self.tokens.level -= tokens
        elif self._charge_failed:
            self.requests.level = max(0.0, self.requests.level - 1)
        return lacking

    def stats(self) -> dict[str, Any]:
        """Give the counts in JSON form."""
        counts = self.counts
        return {
            "statuses": {str(status): number for status, number in counts.statuses.items()},
            "clients": {name: {str(s): n for s, n in each.items()} for name, each in counts.clients.items()},
            "bin_seconds": BIN_SECONDS,
            "bins": {str(at): {str(s): n for s, n in each.items()} for at, each in sorted(counts.bins.items())},
            "client_bins": {name: {str(at): n for at, n in each.items()} for name, each in counts.client_bins.items()},
            "tokens": counts.tokens,
            "records_arrived": counts.records_arrived,
            "distinct_records": len(counts.seen),
            "resends": counts.records_arrived - len(counts.seen),
            "records_answered": counts.records_answered,
            "distinct_answered": len(counts.answered),
            "uploaded_bytes": counts.uploaded_bytes,
            "most_in_flight": counts.most_in_flight,
            "storm_requests": counts.storm_requests,
            "storm_distinct": len(counts.seen_in_storm),
            "requests": {"rate": self.requests.rate, "capacity": self.requests.capacity},
            "token_bucket": {"rate": self.tokens.rate, "capacity": self.tokens.capacity},
            "cpu_seconds": time.process_time() - self._cpu_began,
        }
