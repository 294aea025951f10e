"""A simulated account: a server with token buckets and processes that share it, as events in simulated time.

The server judges a request on its arrival and charges it; the answer comes later, and tells how full the buckets were
at the arrival. A refusal comes at once. Requests arrive, and answers come back, in another order than they were sent.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, floor, inf
from random import Random
from typing import Any

from airflow_provider_openai_dest.limits.rate_limit import Limits, RateLimit, Ticket

ARRIVAL = (0.0, 0.005)
LATENESS = (0.0, 0.003)
IN_FLIGHT = 64


@dataclass
class Bucket:
    """The server's bucket; it starts full."""

    limit: float
    burst_seconds: float
    at: float = 0.0
    level: float = 0.0

    def __post_init__(self) -> None:
        """Fill it."""
        self.level = self.capacity

    @property
    def rate(self) -> float:
        """Give the refill a second."""
        return self.limit / 60

    @property
    def capacity(self) -> float:
        """Give what it holds when full."""
        return max(1.0, self.rate * self.burst_seconds)

    def refill(self, now: float) -> None:
        """Let the time pass."""
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What the account allows, and how the server behaves."""

    requests: float
    tokens: float
    burst_seconds: float = 1.0
    characters: tuple[int, int] = (40, 120)
    latency: tuple[float, float] = (0.190, 0.215)
    tells_limits: bool = True
    tells_milliseconds: bool = True
    charges_refusals: bool = False
    tells_at_answer: bool = False


S1 = Scenario(requests=3000, tokens=150_000)
S2 = Scenario(requests=600, tokens=1_000_000, burst_seconds=60)
S3 = Scenario(requests=3000, tokens=150_000, characters=(80, 400))
SCENARIOS = {"S1": S1, "S2": S2, "S3": S3}


@dataclass
class Process:
    """One process with its own governor.

    :param records: how many it has to send; it may also stop early, at ``until``.
    :param estimates: how many tokens it takes a token for, beforehand.
    """

    limit: RateLimit
    start: float = 0.0
    records: float = inf
    until: float = inf
    estimates: float = 4 / 3
    in_flight: int = 0
    sent: list[tuple[float, int]] = field(default_factory=list)
    done: list[tuple[float, int]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    ended: float = 0.0
    again: list[tuple[int, int]] = field(default_factory=list)
    next: tuple[int, int] | None = None
    wakes_at: float = inf


class Account:
    """The server, the processes, and the time."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        self.scenario = scenario
        self.random = Random(seed)  # noqa: S311 - simulates
        self.buckets = {
            "requests": Bucket(scenario.requests, scenario.burst_seconds),
            "tokens": Bucket(scenario.tokens, scenario.burst_seconds),
        }
        self.processes: list[Process] = []
        self.now = 0.0
        self.failing: tuple[float, float] = (inf, inf)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def add(self, limits: Limits | None = None, **how: Any) -> Process:
        """Let a process begin at its ``start``."""
        process = Process(RateLimit(limits or Limits()), **how)
        self.processes.append(process)
        self.at(process.start, self._send, process)
        return process

    def at(self, when: float, do: Callable[..., None], *arguments: Any) -> None:
        """Have something done at a time."""
        self._number += 1
        heapq.heappush(self._events, (when, self._number, do, arguments))

    def run(self, until: float = inf) -> None:
        """Let the time pass until all is done."""
        while self._events and self._events[0][0] <= until:
            self.now, _, do, arguments = heapq.heappop(self._events)
            do(*arguments)

    def foreign(self, requests_a_second: float, tokens: int, until: float) -> None:
        """Let somebody without a governor use the account at a steady rate."""
        self._admit(tokens)
        if self.now < until:
            self.at(self.now + 1 / requests_a_second, self.foreign, requests_a_second, tokens, until)

    def change(self, factor: float) -> None:
        """Raise or lower the limits."""
        for bucket in self.buckets.values():
            bucket.refill(self.now)
            bucket.limit *= factor
            bucket.level = min(bucket.level, bucket.capacity)

    def _send(self, process: Process) -> None:
        """Send what may go now, and come again when the governor says so."""
        process.wakes_at = inf if process.wakes_at <= self.now else process.wakes_at
        while process.in_flight < IN_FLIGHT and (record := self._next(process)):
            wait = process.limit.wait(record[0], self.now)
            assert 0.0 <= wait < inf
            if wait:
                later = self.now + wait + self.random.uniform(*LATENESS)
                if later < process.wakes_at:
                    process.wakes_at = later
                    self.at(later, self._send, process)
                return
            process.next = None
            ticket = process.limit.take(record[0], self.now)
            process.in_flight += 1
            process.sent.append((self.now, record[1]))
            self.at(self.now + self.random.uniform(*ARRIVAL), self._arrive, process, ticket, record)

    def _next(self, process: Process) -> tuple[int, int] | None:
        """Give the estimated and the true tokens of the next record."""
        if process.next is None and process.again:
            process.next = process.again.pop()
        if process.next is None and process.records > 0 and self.now < process.until:
            process.records -= 1
            characters = self.random.randint(*self.scenario.characters)
            true = max(1, ceil(characters / 4))
            process.next = (ceil(characters / 4 * process.estimates), true)
        return process.next

    def _arrive(self, process: Process, ticket: Ticket, record: tuple[int, int]) -> None:
        if self.failing[0] <= self.now < self.failing[1]:
            self.at(self.now + self.random.uniform(*ARRIVAL), self._fail, process, ticket, record)
        elif (wait := self._admit(record[1])) is None:
            then = self.now + self.random.uniform(*self.scenario.latency)
            headers = None if self.scenario.tells_at_answer else self._headers()
            self.at(then, self._answer, process, ticket, headers, record)
        else:
            then = self.now + self.random.uniform(*ARRIVAL)
            self.at(then, self._refuse, process, ticket, self._headers(), wait, record)

    def _answer(
        self, process: Process, ticket: Ticket, headers: dict[str, str] | None, record: tuple[int, int]
    ) -> None:
        process.in_flight -= 1
        process.done.append((self.now, record[1]))
        process.ended = self.now
        process.limit.observe(ticket, self._headers() if headers is None else headers, record[1], self.now)
        self._send(process)

    def _refuse(
        self, process: Process, ticket: Ticket, headers: dict[str, str], wait: float, record: tuple[int, int]
    ) -> None:
        process.in_flight -= 1
        process.refused.append(self.now)
        process.again.append(record)
        process.limit.pause(ticket, headers, wait, self.now)
        self._send(process)

    def _fail(self, process: Process, ticket: Ticket, record: tuple[int, int]) -> None:
        process.in_flight -= 1
        process.again.append(record)
        process.limit.observe(ticket, {}, 0, self.now)
        process.limit.slow_down(self.now)
        self._send(process)

    def _admit(self, tokens: int) -> float | None:
        """Charge the buckets; or give the seconds to wait."""
        for bucket in self.buckets.values():
            bucket.refill(self.now)
        for name, amount in (("requests", 1), ("tokens", tokens)):
            bucket = self.buckets[name]
            if bucket.level < amount:
                wait = (amount - bucket.level) / bucket.rate
                if self.scenario.charges_refusals:
                    self.buckets["requests"].level = max(0.0, self.buckets["requests"].level - 1)
                return max(1, ceil(wait * 1000)) / 1000 if self.scenario.tells_milliseconds else max(1, ceil(wait))
        self.buckets["requests"].level -= 1
        self.buckets["tokens"].level -= tokens
        return None

    def _headers(self) -> dict[str, str]:
        if not self.scenario.tells_limits:
            return {}
        headers = {}
        for name, bucket in self.buckets.items():
            bucket.refill(self.now)
            headers[f"x-ratelimit-limit-{name}"] = str(floor(bucket.limit))
            headers[f"x-ratelimit-remaining-{name}"] = str(floor(bucket.level))
            headers[f"x-ratelimit-reset-{name}"] = worded((bucket.capacity - bucket.level) / bucket.rate)
        return headers


def worded(seconds: float) -> str:
    """Give a duration as the server words it."""
    if seconds < 1:
        return f"{ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.3f}s" if minutes else f"{rest:.3f}s"


def achieved(account: Account, begin: float, end: float, *, capacity: bool = True) -> float:
    """Give what was admitted in a time as a share of what the account allows in it; the binding bucket's."""
    sent = [item for process in account.processes for item in process.done if begin <= item[0] <= end]
    amounts = {"requests": len(sent), "tokens": sum(tokens for _, tokens in sent)}
    return max(
        amounts[name] / (bucket.capacity * capacity + bucket.rate * (end - begin))
        for name, bucket in account.buckets.items()
    )
