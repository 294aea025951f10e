"""Pace: how many requests a second a server bears that tells no limits, or that asks to slow down.

Pure arithmetic: the time comes in as an argument.
"""

from __future__ import annotations

from airflow_provider_openai_dest.limits.flow import MEMORY_SECONDS, Flow

CATCHING_UP_SECONDS = 0.02
"""For how long a late awakening is made up."""

MEASURING_SECONDS = 1.0
"""How long must lie between two refusals, so that what passed in between tells what the server bears."""

REMEMBERING_SECONDS = 10.0
"""What lies further back counts half with each refusal."""

SURPLUS = 1.01
"""What is tried of that: less than all would fill a bucket that is full after a long pause, and be lost."""

SLOWER = 0.7
"""What a refusal does to the pace that comes too soon to measure anything."""

SEEKING, SEARCHING = 0.0005, 0.1
"""How the pace rises, measured or not: by so much of itself, times the square of the seconds since the last refusal.

What was measured holds for long so, and is doubled after 45 s when the limit was raised; without it that takes 3 s.
"""

CALMER, LEAST = 0.5, 0.1
"""What a plea to slow down does to the pace; and which share of what there was is never gone below."""

SLOWEST = 1 / 60
"""Requests a second that are tried at least, so that the end of a long refusal is noticed within a minute."""

CALM_SECONDS = 0.5
"""The requests that were under way bring the same plea; it counts once in that time."""

RISING = 0.11
"""How fast the pace comes back after that, as a share of what there was a second: from the least to all in 8 s."""


class Pace:
    """Requests a second by what the server refuses; as long as it refuses nothing, there is none.

    Whenever a server refuses, its bucket is empty. So what it accepts between two refusals is what it bears.
    """

    def __init__(self) -> None:
        self._flow = Flow()
        self._rate = self._top = self._credit = 0.0
        self._at = self._fell_at = self._topped_at = 0.0
        self._is_refused = self._is_counting = self._is_measured = False
        self._counts_since = self._accepted = 0.0

    def wait(self, now: float) -> float:
        """Give the seconds until the next request may go."""
        if not self._rate:
            return 0.0
        self._advance(now)
        return -self._credit / self._rate if self._credit < 0 < self._rate else 0.0

    def take(self, now: float) -> None:
        """Count a request that is sent now."""
        self._flow.add(1.0, now)
        if self._rate:
            self._credit -= 1.0
        self._accepted += 1.0

    def refused(self, sent: float, now: float) -> None:
        """Find the pace by a refusal that no header explains.

        :param sent: when the request was sent; those sent before the last refusal say nothing new.
        """
        if self._is_refused and sent <= self._fell_at:
            return
        self._advance(now)
        self._is_refused = True
        self._accepted -= 1.0
        seconds = now - self._counts_since
        if not self._is_counting:
            self._top = self._present(now)
            self._counts_since, self._accepted = now, 0.0
            self._is_counting = True
        elif seconds < MEASURING_SECONDS:
            self._top *= SLOWER
        else:
            self._measure(seconds, now)
        self._top = max(SLOWEST, self._top)
        self._fall(self._top, now)

    def slow_down(self, now: float) -> None:
        """Fall at once, and rise again to where it was."""
        if self._rate and now - self._fell_at < CALM_SECONDS:
            return
        self._advance(now)
        if not self._rate:
            self._rate = self._top = self._present(now)
        self._fall(max(self._rate * CALMER, self._top * LEAST), now)

    def _present(self, now: float) -> float:
        return max(self._flow.now(now), 1 / MEMORY_SECONDS)

    def _measure(self, seconds: float, now: float) -> None:
        self._is_measured = True
        self._top = max(1.0, self._accepted) / seconds * SURPLUS
        if seconds > REMEMBERING_SECONDS:
            self._accepted /= 2
            self._counts_since = now - seconds / 2

    def _fall(self, rate: float, now: float) -> None:
        self._rate, self._credit = rate, min(0.0, self._credit)
        self._at = self._fell_at = self._topped_at = now

    def _advance(self, now: float) -> None:
        """Let the time pass: below the top the pace rises to it; there it is dropped, or seeks more."""
        seconds = now - self._at
        if not self._rate or seconds <= 0:
            return
        self._at = now
        self._credit = min(self._rate * CATCHING_UP_SECONDS, self._credit + seconds * self._rate)
        if self._rate < self._top:
            self._rate += RISING * self._top * seconds
            self._topped_at = now
        elif self._is_refused:
            self._seek(now)
        else:
            self._rate = self._credit = 0.0

    def _seek(self, now: float) -> None:
        """Try more with time; what was measured is void when twice as much is accepted."""
        step = SEEKING if self._is_measured else SEARCHING
        self._rate = self._top * (1 + step * (now - self._topped_at) ** 2)
        if self._rate > 2 * self._top:
            self._top, self._topped_at = self._rate, now
            self._is_counting = self._is_measured = False
