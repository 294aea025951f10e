"""Counters: what the sandbox was asked for and what it did, the truth that a test compares a client's report with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

MOST_REMEMBERED = 1_000_000


class Counters:
    """Counts since the start or the last reset."""

    def __init__(self) -> None:
        self._in_flight = 0
        self.forget()

    def forget(self) -> None:
        """Start again at nothing; what is in flight stays in flight."""
        self._outcomes: dict[str, Counter[str]] = {}
        self._items: set[int] = set()
        self._most_in_flight = self._in_flight
        self._executions = self._item_count = self._repeated_items = self._tokens = 0

    @contextmanager
    def flight(self) -> Iterator[None]:
        """Count a request as in flight."""
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    def count_outcome(self, operation: str, outcome: str) -> None:
        """Count how a request of an operation ended: its status, or ``reset``."""
        self._outcomes.setdefault(operation, Counter())[outcome] += 1

    def count_work(self, items: Iterable[Hashable], tokens: int) -> None:
        """Count one execution, its items, and how many of them had been worked before."""
        self._executions += 1
        self._tokens += tokens
        for item in items:
            fingerprint = hash(item)
            self._item_count += 1
            self._repeated_items += fingerprint in self._items
            if len(self._items) < MOST_REMEMBERED:
                self._items.add(fingerprint)

    def as_json(self) -> dict[str, Any]:
        """Give all counts."""
        return {
            "requests": {operation: dict(outcomes) for operation, outcomes in sorted(self._outcomes.items())},
            "executions": self._executions,
            "items": self._item_count,
            "repeated_items": self._repeated_items,
            "tokens": self._tokens,
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
        }
