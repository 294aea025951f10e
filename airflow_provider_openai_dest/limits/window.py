"""Window: how many requests may be on the wire at once, by what comes back. Pure arithmetic.

Additive increase, multiplicative decrease, as TCP has it (https://www.rfc-editor.org/rfc/rfc5681): while the server
answers, one more for each window of answers; while it fails, half.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = 64
"""What a server is trusted with before it has answered; the rate limit's probes go before all others."""

GENTLER = 0.9
"""What a rate limit makes of the window: its own pace is the rate limit's, the window only follows."""


@dataclass(slots=True, kw_only=True)
class Window:
    """Grows by what is answered and shrinks by what is not.

    :param most: upper bound, the user's ``concurrency``.
    """

    most: int
    _size: float = field(init=False)
    _grows_fast_to: float = field(init=False)
    _worked: float = field(init=False, default=0.0)
    _shrunk_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self._size = float(min(self.most, START))
        self._grows_fast_to = float(self.most)

    @property
    def size(self) -> int:
        """Give the number of requests that may be on the wire."""
        return int(self._size)

    def answered(self, in_flight: int) -> None:
        """Grow when an answer came and the window was in use; fast up to half of what had worked before."""
        self._worked = max(self._worked, in_flight)
        if self._size < self.most and in_flight >= self.size:
            self._size = min(self.most, self._size + (1 if self._size < self._grows_fast_to else 1 / self._size))

    def limited(self, sent_at: float, now: float) -> None:
        """Shrink a little after a 429."""
        self._shrink(GENTLER, sent_at, now)

    def failed(self, sent_at: float, now: float) -> None:
        """Shrink to half after a 503, a time-out, or a lost connection."""
        self._shrink(0.5, sent_at, now)

    def _shrink(self, factor: float, sent_at: float, now: float) -> None:
        """Shrink once for all requests that were on the wire together: they met the same moment of the server."""
        if sent_at <= self._shrunk_at:
            return
        self._shrunk_at = now
        self._size = max(1.0, self._size * factor)
        self._grows_fast_to = max(self._size, self._worked / 2)
