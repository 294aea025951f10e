"""Rate limit: the account's limits for one model, so that a request waits here and is not refused there.

Pure arithmetic: the time comes in as an argument. Requests, tokens and images refill at a minute's limit / 60 a
second, as the API's own buckets do; the answers' ``x-ratelimit-*`` headers tell how full they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

import msgspec

from airflow_provider_openai_dest.limits.allowance import Allowance, Mark
from airflow_provider_openai_dest.limits.bucket import Bucket
from airflow_provider_openai_dest.limits.limit_headers import SECONDS_A_MINUTE, read_limit
from airflow_provider_openai_dest.limits.pace import Pace
from airflow_provider_openai_dest.limits.token_ratio import TokenRatio

SECONDS_A_DAY = 86_400.0

PROBES = 4
"""Requests that may go before the first answer, when no limit is known."""

PROBE_SECONDS = 0.1
"""When to ask again while the probes are under way; their answers come first, as a rule."""

ROUNDING_SECONDS = 1e-6
"""What the arithmetic may leave of a wait that is over."""

SCARCE = 2
"""A refusal is explained by a limit of which less is left than so many times what the request was taken to need."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a limit is in use.

    :param share: 0.0 to 1.0.
    :param name: what is limited: requests, tokens or images.
    :param a_minute: how many of them.
    :param model: whose limit it is, where there are several.
    """

    share: float
    name: str
    a_minute: float
    model: str = ""

    def __str__(self) -> str:
        """Word it for a log."""
        of_model = f" of {self.model}" if self.model else ""
        return f"{self.share:.0%} of {self.a_minute:,.0f} {self.name} a minute{of_model} in use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user says of the account's limits; None leaves it to what the answers say."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    images_per_minute: int | None = None
    requests_per_day: int | None = None


class Ticket(msgspec.Struct, frozen=True):
    """What was reserved for one request: requests, tokens and, if it makes some, images."""

    sent: float
    tokens: int
    amounts: tuple[float, ...]
    marks: tuple[Mark, ...]


class RateLimit:
    """The account's limits for one model: given, or learnt from the answers.

    Until a first answer has come, :data:`PROBES` requests go when nothing was given.

    :param limits: what is given.
    """

    def __init__(self, limits: Limits = Limits()) -> None:
        self._requests = Allowance(_a_second(limits.requests_per_minute))
        self._tokens = Allowance(_a_second(limits.tokens_per_minute))
        self._images = Allowance(_a_second(limits.images_per_minute))
        self._allowances = (("requests", self._requests), ("tokens", self._tokens), ("images", self._images))
        day = float(limits.requests_per_day or 0)
        self._day = Bucket(day / SECONDS_A_DAY, day, day) if day else None
        self._pace = Pace()
        self._ratio = TokenRatio()
        self._paused_until = 0.0
        self._probes = PROBES
        self._is_settled = any((limits.requests_per_minute, limits.tokens_per_minute, limits.images_per_minute))

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
        if not self._is_settled and self._probes <= 0:
            return PROBE_SECONDS
        longest = max(
            self._pace.wait(now),
            self._requests.wait_for(1.0, now),
            self._tokens.wait_for(self._ratio.expected(tokens), now) if tokens else 0.0,
            self._images.wait_for(float(images), now) if images else 0.0,
            self._day.wait_for(1.0, now) if self._day else 0.0,
        )
        return longest if longest > ROUNDING_SECONDS else 0.0

    def take(self, tokens: int, now: float, images: int = 0) -> Ticket:
        """Reserve what a request needs that is sent now."""
        self._probes -= 1
        self._pace.take(now)
        if self._day:
            self._day.take(1.0)
        amounts: tuple[float, ...] = (1.0, self._ratio.expected(tokens))
        marks: tuple[Mark, ...] = (self._requests.take(1.0, now), self._tokens.take(amounts[1], now))
        if images:
            amounts += (float(images),)
            marks += (self._images.take(float(images), now),)
        return Ticket(now, tokens, amounts, marks)

    def observe(self, ticket: Ticket, headers: Mapping[str, str], used: int | None, now: float) -> None:
        """Learn from an answer that is no 429: what it really used, and what is left.

        :param used: tokens; 0 for a refusal, None when it does not say.
        """
        self.settle()
        if used is not None:
            believed = self._ratio.learn(ticket.tokens, used)
            self._tokens.give_back(ticket.amounts[1] - believed)
        for (name, allowance), mark in zip(self._allowances, ticket.marks, strict=False):
            if told := read_limit(headers, name):
                allowance.observe(mark, told, ticket.sent, now)

    def forget(self, ticket: Ticket, now: float) -> None:  # noqa: ARG002
        """End a request to which no answer came; whether it was charged, the next answers tell."""
        self.settle()

    def pause(self, ticket: Ticket, headers: Mapping[str, str], seconds: float, now: float) -> None:
        """Make everybody wait, as a 429 asks; when no limit explains it, the pace is lowered, too."""
        self.settle()
        self._paused_until = max(self._paused_until, now + seconds)
        is_explained = False
        parts = zip(self._allowances, ticket.marks, ticket.amounts, strict=False)
        for (name, allowance), mark, amount in parts:
            allowance.give_back(amount)
            if told := read_limit(headers, name):
                allowance.observe(mark, told, ticket.sent, now)
                allowance.refuse(told, amount, now)
                is_explained |= told.left < SCARCE * amount
        if not is_explained:
            self._pace.refused(ticket.sent, now)

    def slow_down(self, now: float) -> None:
        """Send fewer requests a second for some seconds, whatever the limits say."""
        self._pace.slow_down(now)

    @property
    def is_probing(self) -> bool:
        """Whether the first answer is waited for, since no limit is known."""
        return not self._is_settled

    def settle(self) -> None:
        """End the probing: whatever came back, the others may go now."""
        self._is_settled = True

    def use(self, now: float) -> Use | None:
        """Give how much of the tightest limit is in use; None when no limit is known."""
        uses = [
            Use(share, name, allowance.rate * SECONDS_A_MINUTE)
            for name, allowance in self._allowances
            if (share := allowance.share(now)) is not None
        ]
        return max(uses, default=None, key=attrgetter("share"))


def _a_second(limit_a_minute: int | None) -> float | None:
    return limit_a_minute / SECONDS_A_MINUTE if limit_a_minute else None
