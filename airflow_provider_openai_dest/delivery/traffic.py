"""Traffic: what went over the wire so far, for the progress, the metrics and the manifest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Traffic:
    """Counts of one run.

    ``limited`` counts 429s, ``waited_seconds`` how long nothing could be sent, ``seconds`` the sum of all requests'
    times, ``again`` those that were sent before.
    """

    requests: int = 0
    again: int = 0
    answers: int = 0
    limited: int = 0
    tokens: int = 0
    in_flight: int = 0
    waited_seconds: float = 0.0
    seconds: float = 0.0

    def sent(self, *, is_again: bool) -> None:
        """Count a request that leaves."""
        self.requests += 1
        self.again += is_again

    def unsent(self, *, is_again: bool) -> None:
        """Take back one that was counted and did not leave."""
        self.requests -= 1
        self.again -= is_again

    def answered(self, seconds: float, in_flight: int) -> None:
        """Count a request that came back, or was lost."""
        self.answers += 1
        self.seconds += seconds
        self.in_flight = in_flight
