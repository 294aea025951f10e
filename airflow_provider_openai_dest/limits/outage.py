"""Outage: a server that fails again and again is asked rarely, by one request at a time. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

MOST_FAILURES = 5
"""Failures without an answer between them that make an outage of it."""

LONGEST_PROBE_SECONDS = 4.0
"""The longest pause between two probes: so much too late is the end of an outage noticed."""

NEVER_UP_SHARE = 0.1
"""How much sooner a server is given up that never answered: its address or the network may be wrong."""


@dataclass(slots=True, kw_only=True)
class Outage:
    """Watches whether answers come at all.

    :param first_pause: seconds before the first probe; doubled each time.
    :param give_up_after: how long an outage lasts before the rest is left to the next try.
    """

    first_pause: float = 0.5
    give_up_after: float = 150.0
    _was_up: bool = False
    _failures: int = 0
    _since: float = 0.0
    _paused_at: float = float("-inf")
    _paused_until: float = float("-inf")

    @property
    def is_on(self) -> bool:
        """Whether requests go as probes, one at a time."""
        return self._failures >= MOST_FAILURES

    def answered(self) -> None:
        """Take any answer of a server that works: a success, a refusal, a rate limit."""
        self._was_up = True
        self._failures = 0

    def failed(self, sent_at: float, now: float, asked: float | None, random: float) -> None:
        """Take a failure, and pause before the next probe; ``asked`` is the server's own pause for everybody.

        Requests that were on the wire before the pause began say nothing new.
        """
        if sent_at <= self._paused_at:
            return
        if not self._failures:
            self._since = now
        self._failures += 1
        if self.is_on:
            doubled = self.first_pause * 2.0 ** min(self._failures - MOST_FAILURES, 10)
            pause = min(LONGEST_PROBE_SECONDS, doubled) * (0.75 + random / 4)
            self._paused_at = now
            self._paused_until = now + max(pause, asked or 0.0)

    def wait(self, now: float) -> float:
        """Give the seconds until the next probe may go; 0.0 when there is no outage."""
        return max(0.0, self._paused_until - now) if self.is_on else 0.0

    def lasts(self, now: float) -> float:
        """Give the seconds since the first of its failures."""
        return now - self._since

    def is_over_long(self, now: float) -> bool:
        """Whether it lasts so long that the rest is left to the next try."""
        patience = self.give_up_after * (1.0 if self._was_up else NEVER_UP_SHARE)
        return self.is_on and self.lasts(now) > patience
