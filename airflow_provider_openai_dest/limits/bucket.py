"""Bucket: a token bucket of our own, for a limit that the user gave.

Pure arithmetic: the time comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """A level that rises by ``rate`` a second up to ``capacity``; below zero is what was taken too much.

    ``level`` holds at ``at``, or from whenever it is first asked.
    """

    rate: float
    capacity: float
    level: float
    at: float | None = None

    def wait_for(self, amount: float, now: float) -> float:
        """Give the seconds until ``amount`` is there; an amount above the capacity waits for a full bucket."""
        if self.at is not None and now > self.at:
            self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (min(amount, self.capacity) - self.level) / self.rate)

    def take(self, amount: float) -> None:
        """Take ``amount``, or give back a negative one."""
        self.level = min(self.capacity, self.level - amount)
