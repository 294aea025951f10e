"""Retry-After: how long the server asks to wait, in all the ways it is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Give the seconds to wait: ``retry-after-ms``, else ``retry-after`` as seconds or as a date; None if not said.

    A date counts from the answer's own ``date`` header, so that a wrong clock here does no harm.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after") or headers.get("llm_provider-retry-after")
    if not said:
        return None
    seconds = _number(said)
    return seconds if seconds is not None else _until(said, headers.get("date"))


def read_duration(text: str | None) -> float | None:
    """Read a Go duration such as ``6m0s``, ``1.5s`` or ``12ms`` as seconds; None when it is none."""
    if not text or _DURATION.sub("", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None


def _until(said: str, now: str | None) -> float | None:
    try:
        then = parsedate_to_datetime(said)
        start = parsedate_to_datetime(now) if now else datetime.now(UTC)
    except ValueError:
        return None
    return max(0.0, (_aware(then) - _aware(start)).total_seconds())


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
