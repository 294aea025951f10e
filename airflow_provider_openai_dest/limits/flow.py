"""Flow: how much goes a second, of late.

Pure arithmetic: the time comes in as an argument.
"""

from __future__ import annotations

from math import exp

MEMORY_SECONDS = 2.0
"""Over how long it is averaged: longer than an answer takes, and short enough to show what happens now."""


class Flow:
    """A rate a second, averaged over :data:`MEMORY_SECONDS`."""

    __slots__ = ("_at", "_rate")

    def __init__(self) -> None:
        self._at = self._rate = 0.0

    def add(self, amount: float, now: float) -> None:
        """Count an amount."""
        self._rate = self.now(now) + amount / MEMORY_SECONDS

    def now(self, now: float) -> float:
        """Give the rate, faded since the last amount."""
        if now > self._at:
            self._rate *= exp((self._at - now) / MEMORY_SECONDS)
            self._at = now
        return self._rate
