"""Limit headers: what an answer's ``x-ratelimit-*`` say of one limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from airflow_provider_openai_dest.limits.retry_after import read_count, read_duration

SECONDS_A_MINUTE = 60.0

LONGEST_RESET_SECONDS = 1.5 * 86_400
"""The longest limit is a day's; what takes longer is not believed."""


class Told(msgspec.Struct, frozen=True):
    """One limit as the server tells it.

    :param rate: refill a second.
    :param capacity: how much there is when it is full.
    :param left: how much there was when the request had been charged.
    :param is_long: whether it is a limit for longer than a minute, such as a day's.
    """

    rate: float
    capacity: float
    left: float
    is_long: bool = False


def read_limit(headers: Mapping[str, str], name: str) -> Told | None:
    """Read the headers of the limit ``requests``, ``tokens`` or ``images``; None when they tell none."""
    limit, left, reset = _NAMES[name]
    said = headers.get(limit)
    return _told(said, headers.get(left), headers.get(reset)) if said else None


_NAMES = {
    name: tuple(f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset"))
    for name in ("requests", "tokens", "images")
}


@lru_cache(1024)  # an account within its limits is told the same again and again
def _told(limit_said: str, left_said: str | None, reset_said: str | None) -> Told | None:
    """Read a limit.

    It is a minute's unless it takes longer to fill up, as a day's does. And a server may count a minute's by the
    second: then the bucket is full sooner, and holds less.
    """
    limit, left = read_count(limit_said), read_count(left_said)
    if not limit or left is None:
        return None
    left = min(left, limit)
    used = limit - left
    rate = limit / SECONDS_A_MINUTE
    full_after = read_duration(reset_said)
    if full_after is None or full_after > LONGEST_RESET_SECONDS:
        return Told(rate, limit, left)
    if used and full_after > 1.5 * used / rate + 1:  # generous: a server may round a minute's reset up to a second
        return Told(used / full_after, limit, left, is_long=True)
    return Told(rate, max(1.0, min(limit, left + full_after * rate)), left)
