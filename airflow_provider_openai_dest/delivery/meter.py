"""Meter: what a delivery measures while it runs, by name, and who takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

PREFIX = "openai_dest."
"""What stands before each name where the measurements of others are, too."""

RECORDS = "records"
REQUESTS = "requests"
REQUEST_DURATION = "request.duration"
RETRIES = "retries"
RATE_LIMITED = "rate_limited"
WAITS_SECONDS = "waits.seconds"
TOKENS = "tokens"
MAYBE_BILLED = "maybe_billed"
IN_FLIGHT = "in_flight"
ALLOWANCE_SHARE = "allowance.share"

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What one name counts, in which unit, with which tags of its own."""

    kind: Literal["counter", "gauge", "timer"]
    meaning: str
    tags: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    RECORDS: Metric(kind="counter", meaning="records that were settled or left", tags=("status",)),
    REQUESTS: Metric(kind="counter", meaning="requests sent, repeated ones included"),
    REQUEST_DURATION: Metric(
        kind="timer", meaning="milliseconds from the sending of a request to its whole answer, the mean of each second"
    ),
    RETRIES: Metric(kind="counter", meaning="requests that were sent again"),
    RATE_LIMITED: Metric(kind="counter", meaning="answers 429 that asked to wait"),
    WAITS_SECONDS: Metric(kind="counter", meaning="seconds in which nothing could be sent, since all had to wait"),
    TOKENS: Metric(kind="counter", meaning="tokens that the answers say were used"),
    MAYBE_BILLED: Metric(kind="counter", meaning="records that may have been billed although their answer was lost"),
    IN_FLIGHT: Metric(kind="gauge", meaning="requests on the wire"),
    ALLOWANCE_SHARE: Metric(kind="gauge", meaning="share of the account's limit that is used, 0.0 to 1.0"),
}


class Meter(Protocol):
    """Takes measurements; it never raises, and never makes a delivery wait."""

    def incr(self, name: str, count: float = 1, tags: Tags | None = None) -> None:
        """Add to a counter."""

    def gauge(self, name: str, value: float, tags: Tags | None = None) -> None:
        """Set a gauge."""

    def timing(self, name: str, milliseconds: float, tags: Tags | None = None) -> None:
        """Add one duration."""


class NoMeter:
    """Takes nothing."""

    def incr(self, name: str, count: float = 1, tags: Tags | None = None) -> None:
        """Drop it."""

    def gauge(self, name: str, value: float, tags: Tags | None = None) -> None:
        """Drop it."""

    def timing(self, name: str, milliseconds: float, tags: Tags | None = None) -> None:
        """Drop it."""
