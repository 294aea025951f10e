"""Retry-After: how long the server asks to wait, in all the ways it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 30
"""Characters of a whole number or a duration; what is longer is none."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def read_retry_after(
    headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float | None:
    """Give the seconds to wait: ``retry-after-ms``, else ``retry-after`` as seconds or as a date; None if not said.

    A date counts from the answer's own ``date`` header, so that a wrong clock here does no harm.

    :param now: the wall clock, for an answer without ``date``.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after") or headers.get("llm_provider-retry-after")
    if not said:
        return None
    seconds = _number(said)
    if seconds is not None:
        return seconds
    then = _moment(said)
    return max(0.0, (then - (_moment(headers.get("date")) or now())).total_seconds()) if then else None


def read_reset(headers: Mapping[str, str], tokens: int) -> float | None:
    """Give the seconds until one request of so many tokens fits, by the ``x-ratelimit-*`` headers; None if not said.

    A reset header tells the time until the limit is *full* again; only the share that is needed is waited for.
    """
    waits = [_share(headers, "requests", 1), _share(headers, "tokens", tokens)]
    return max((wait for wait in waits if wait), default=None)


def read_duration(text: str | None) -> float | None:
    """Read a Go duration such as ``6m0s``, ``1.5s`` or ``12ms`` as seconds; None when it is none."""
    if not text or len(text) > LONGEST or _DURATION.sub("", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def read_count(text: str | None) -> int | None:
    """Read a whole number as the limit headers have it; None when it is none."""
    return int(text) if text and len(text) <= LONGEST and text.isascii() and text.isdecimal() else None


def _share(headers: Mapping[str, str], name: str, need: int) -> float | None:
    limit, left = (read_count(headers.get(f"x-ratelimit-{what}-{name}")) for what in ("limit", "remaining"))
    full_after = read_duration(headers.get(f"x-ratelimit-reset-{name}"))
    if not limit or left is None or full_after is None or left >= limit:
        return None
    return full_after * max(0, min(need, limit) - left) / (limit - left)


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else moment and moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # what the standard library makes of strange dates
        return None
