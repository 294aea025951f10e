"""RateLimit: two token buckets, one of requests and one of tokens, and the headers that tell how full they are.

Decides only: the clock is passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from airflow_provider_openai_dest.sandbox.answers import ApiError

MINUTE = 60.0
SMALLEST_WAIT = 1e-6  # what floating point may lack after a client waited exactly as long as it was told


@dataclass(slots=True)
class Bucket:
    """A bucket that starts full and refills at ``limit / 60`` a second.

    :param limit: the limit a minute.
    :param burst_seconds: how many seconds of the limit it holds when full; at least one unit.
    """

    limit: int
    burst_seconds: float
    capacity: float = field(init=False)
    level: float = field(init=False)
    filled_at: float = field(init=False, default=-math.inf)

    def __post_init__(self) -> None:
        self.capacity = self.level = max(1.0, self.limit / MINUTE * self.burst_seconds)

    def refill(self, now: float) -> None:
        """Add what has flowed in since the last look."""
        self.level = min(self.capacity, self.level + (now - self.filled_at) * self.limit / MINUTE)
        self.filled_at = now

    def seconds_until(self, amount: float) -> float:
        """Tell how long until so much is in it; of more than it can ever hold, until it is full."""
        return max(0.0, (min(amount, self.capacity) - self.level) * MINUTE / self.limit)


class RateLimit:
    """Both buckets; None is no limit.

    A request is judged when it arrives; a refused one costs nothing. One that is larger than the token bucket is let
    through when the bucket is full, and charged in full: the level goes below zero and the next ones wait the longer.
    """

    def __init__(self, *, requests_per_minute: int | None, tokens_per_minute: int | None, burst_seconds: float) -> None:
        limits = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._buckets = {name: Bucket(limit, burst_seconds) for name, limit in limits.items() if limit is not None}

    def admit(self, tokens: int, now: float, model: str) -> None:
        """Charge one request with so many tokens, or refuse it with a 429."""
        costs = {"requests": 1, "tokens": tokens}
        for name, bucket in self._buckets.items():
            bucket.refill(now)
            if name == "tokens" and tokens > bucket.limit:
                raise _too_large(bucket, tokens, model)
            wait = bucket.seconds_until(costs[name])
            if wait > SMALLEST_WAIT:
                raise _refusal(name, bucket, costs[name], wait, model)
        for name, bucket in self._buckets.items():
            bucket.level -= costs[name]

    def headers(self, now: float) -> dict[str, str]:
        """Give the ``x-ratelimit-*`` headers; none without a limit."""
        headers = {}
        for name, bucket in self._buckets.items():
            bucket.refill(now)
            headers[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(max(0, math.floor(bucket.level)))
            headers[f"x-ratelimit-reset-{name}"] = go_duration(bucket.seconds_until(bucket.capacity))
        return headers


def go_duration(seconds: float) -> str:
    """Write a duration as Go does, in whole milliseconds rounded up: ``12ms``, ``1.5s``, ``6m0s``."""
    milliseconds = math.ceil(round(seconds * 1000, 6))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    written = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{written}"
    return f"{minutes}m{written}" if minutes else written


def wait_headers(seconds: float) -> dict[str, str]:
    """Give the headers that tell a client to wait: whole seconds rounded up, and exact milliseconds."""
    return {
        "retry-after": str(max(1, math.ceil(seconds))),
        "retry-after-ms": str(max(1, math.ceil(round(seconds * 1000, 6)))),
    }


_SHORT = {"requests": "RPM", "tokens": "TPM"}


def _refusal(name: str, bucket: Bucket, cost: int, wait: float, model: str) -> ApiError:
    message = (
        f"Rate limit reached for {model} in organization org-sandbox on {name} per min ({_SHORT[name]}): "
        f"Limit {bucket.limit}, Requested {cost}. Please try again in {go_duration(wait)}."
    )
    return ApiError(429, message, type=name, code="rate_limit_exceeded", headers=wait_headers(wait))


def _too_large(bucket: Bucket, tokens: int, model: str) -> ApiError:
    # No Retry-After: no wait makes it fit.
    message = (
        f"Request too large for {model} in organization org-sandbox on tokens per min (TPM): Limit {bucket.limit}, "
        f"Requested {tokens}. The input or output tokens must be reduced in order to run successfully."
    )
    return ApiError(429, message, type="tokens", code="rate_limit_exceeded")
