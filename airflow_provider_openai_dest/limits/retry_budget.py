"""Retry budget: whether what failed may be tried again now, so that a server in trouble does not get more requests.

A token bucket as gRPC's retry throttling has it: a failure takes one token, an answer gives a tenth, and nothing is
tried again while half of them are gone. So retries make no more than a tenth of the requests more.
https://github.com/grpc/proposal/blob/master/A6-client-retries.md
"""

from __future__ import annotations

from dataclasses import dataclass

MOST = 10.0
ENOUGH = MOST / 2
SHARE = 0.1
"""Tokens for each answer."""


@dataclass(slots=True)
class RetryBudget:
    """Tokens that failures take and answers give."""

    _tokens: float = MOST

    @property
    def has_enough(self) -> bool:
        """Whether what failed may be tried again."""
        return self._tokens > ENOUGH

    def failed(self) -> None:
        """Take a failure."""
        self._tokens = max(0.0, self._tokens - 1.0)

    def answered(self, *, is_rest: bool) -> None:
        """Take an answer. When only retries are left, each answer lets the next one go."""
        self._tokens = min(MOST, self._tokens + (1.0 if is_rest else SHARE))
