"""Rate limit: the account's limits for one model, so that a request waits here and is not refused there.

Pure arithmetic: the time comes in as an argument. Requests, tokens and images refill at a minute's limit / 60 a
second, as the API's own buckets do; the answers' ``x-ratelimit-*`` headers tell how full they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_openai_dest.delivery.allowance import SECONDS_A_MINUTE, Allowance, Count, Mark
from airflow_provider_openai_dest.delivery.retry_after import read_count, read_duration

SECONDS_A_DAY = 86_400

PROBES = 4
"""Requests that may go before the first answer, when no limit is known."""

PROBE_SECONDS = 0.01
"""How soon to ask again while the probes are under way."""

ROUNDING_SECONDS = 1e-6
"""What the arithmetic may leave of a wait that is over."""

LOWEST_RATIO, HIGHEST_RATIO = 0.02, 50.0
"""How far from the estimate a server's count of tokens is believed: some count characters, or answers too."""

CAUTION = 1.02
"""How much more than expected is reserved, until the answer tells."""

TOLD = ("requests", "tokens", "images")
"""The limits of which headers tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user says of the account's limits; None leaves it to what the answers say."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    images_per_minute: int | None = None
    requests_per_day: int | None = None

    def by_name(self) -> dict[str, float]:
        """Give the given ones, a second."""
        a_second = {
            "requests": (self.requests_per_minute, SECONDS_A_MINUTE),
            "tokens": (self.tokens_per_minute, SECONDS_A_MINUTE),
            "images": (self.images_per_minute, SECONDS_A_MINUTE),
        }
        return {name: limit / seconds for name, (limit, seconds) in a_second.items() if limit}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was reserved for one request, and what the mirrors said then."""

    estimated: int
    amounts: Mapping[str, float]
    marks: Mapping[str, Mark]


class RateLimit:
    """The account's limits for one model: given, or learnt from the answers.

    Until a first answer has come, :data:`PROBES` requests go when nothing was given.

    :param limits: what is given.
    """

    def __init__(self, limits: Limits = Limits()) -> None:
        self._given = limits.by_name()
        self._allowances: dict[str, Allowance] = {}
        self._is_begun = False
        self._paused_until = 0.0
        self._knows = bool(self._given)
        self._probes = 0
        self._ratio = TokenRatio()

    @classmethod
    def unlimited(cls) -> RateLimit:
        """Give a limit that lets everything pass but obeys pauses: for servers without rate-limit headers."""
        limit = cls()
        limit.settle()
        return limit

    def wait(self, tokens: int, now: float, images: int = 0) -> float:
        """Give the seconds after which to ask again; 0.0 when the request may go now, and must be taken then."""
        if now < self._paused_until:
            return self._paused_until - now
        if not self._knows and self._probes >= PROBES:
            return PROBE_SECONDS
        self._begin(now)
        if not self._allowances:
            return 0.0
        amounts = self._amounts(tokens, images)
        longest = max(allowance.wait_for(amounts[name], now) for name, allowance in self._allowances.items())
        return longest if longest > ROUNDING_SECONDS else 0.0

    def take(self, tokens: int, now: float, images: int = 0) -> Ticket:
        """Reserve what a request needs that is sent now."""
        self._begin(now)
        self._probes += 1
        amounts = self._amounts(tokens, images)
        marks = {name: allowance.take(amounts[name], now) for name, allowance in self._allowances.items()}
        return Ticket(tokens, amounts, marks)

    def observe(self, ticket: Ticket, headers: Mapping[str, str], used: int | None, now: float) -> None:
        """Learn from an answer: what it really used, and what is left.

        :param used: tokens; 0 for a refusal, None when it does not say.
        """
        self.settle()
        if used:
            self._ratio.learn(ticket.estimated, used)
        if used is not None and (tokens := self._allowances.get("tokens")):
            tokens.give_back(ticket.amounts["tokens"] - self._ratio.bounded(ticket.estimated, used))
        for name in TOLD:
            count = _count(headers, name)
            if count is not None:
                self._observe(name, ticket, count, now)
        for allowance in self._allowances.values():
            allowance.steer(now)

    def forget(self, ticket: Ticket, now: float) -> None:
        self.settle()

    def pause(self, ticket: Ticket, headers: Mapping[str, str], seconds: float, now: float) -> None:
        """Make everybody wait, as a refusal asks; a server that tells no limits is met by a lower pace, too."""
        self.settle()
        self._paused_until = max(self._paused_until, now + seconds)
        counts = {name: _count(headers, name) for name in TOLD}
        if not any(counts.values()):
            self.slow_down(now)
        for name in ticket.marks:
            if count := counts.get(name):
                self._allowances[name].refused(count, ticket.amounts[name], now)

    def slow_down(self, now: float) -> None:
        """Send fewer requests a second, whatever the limits say."""
        self._allowances.setdefault("requests", Allowance(None, now)).slow_down(now)

    def settle(self) -> None:
        """End the probing: whatever came back, the others may go now."""
        self._knows = True

    def share(self, now: float) -> float | None:
        """Give how much of the tightest limit is used, 0.0 to 1.0; None when no limit is known."""
        shares = [share for allowance in self._allowances.values() if (share := allowance.share(now)) is not None]
        return max(shares, default=None)

    def _begin(self, now: float) -> None:
        """Start the given limits when the first request asks."""
        if not self._is_begun:
            self._is_begun = True
            self._allowances |= {name: Allowance(rate, now) for name, rate in self._given.items()}

    def _amounts(self, tokens: int, images: int) -> dict[str, float]:
        return {"requests": 1.0, "tokens": self._ratio.expected(tokens), "images": float(images)}

    def _observe(self, name: str, ticket: Ticket, count: Count, now: float) -> None:
        allowance = self._allowances.get(name)
        if allowance is None:
            allowance = self._allowances[name] = Allowance(None, now)
        mark = ticket.marks.get(name)
        if mark is not None or not allowance.is_mirrored:
            allowance.observe(mark or allowance.take(0.0, now), count, now)


class TokenRatio:
    """How many tokens a server counts for each that was estimated, learnt from the answers so far."""

    def __init__(self) -> None:
        self._estimated = self._used = 0.0

    def learn(self, estimated: int, used: int) -> None:
        """Take what an answer says; older ones count less and less."""
        if estimated:
            self._estimated = self._estimated * FADING + estimated
            self._used = self._used * FADING + self.bounded(estimated, used)

    def expected(self, estimated: int) -> float:
        """Give what to reserve."""
        if not self._estimated:
            return float(estimated)
        return estimated * self._used / self._estimated * CAUTION

    def bounded(self, estimated: int, used: int) -> float:
        """Give what was used as far as it can be true: the number comes from a server."""
        return min(max(used, LOWEST_RATIO * estimated), HIGHEST_RATIO * max(1, estimated)) if used else 0.0


FADING = 0.98


def _count(headers: Mapping[str, str], name: str) -> Count | None:
    limit = read_count(headers.get(f"x-ratelimit-limit-{name}"))
    left = read_count(headers.get(f"x-ratelimit-remaining-{name}"))
    if not limit or left is None:
        return None
    return Count(limit, left, read_duration(headers.get(f"x-ratelimit-reset-{name}")))
