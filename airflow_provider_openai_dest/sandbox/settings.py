"""SandboxSettings: how one sandbox behaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox.faults import FaultRule

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """How one sandbox behaves.

    :param latency: seconds that each piece of work takes.
    :param requests_per_minute: limit of requests; None is no limit.
    :param tokens_per_minute: limit of tokens; None is no limit.
    :param burst_seconds: how many seconds of the limits may come at once.
    :param faults: rules of what goes wrong, as :meth:`.FaultRule.parse` reads them.
    :param seed: seed of the faults' chance.
    :param api_key: the only key taken; None takes any that is not empty.
    :param needs_key: whether a request needs a key; False takes those without one, as a local server does.
    :param key_header: header that carries the key: ``authorization``, or another as ``api-key`` of Azure.
    :param base64: whether embeddings are given as base64; False refuses to.
    :param subject: the only subject token that ``/oauth/token`` gives a token for; then no other key is taken.
    :param token_lifetime: seconds that such a token is good.
    :param token_requests: requests that such a token is good for; None for any number.
    :param tokens_taken: how many of the tokens are taken, the first ones; None for all.
    :param webhook_secret: secret that the inbox verifies signatures with; None takes everything in, unverified.
    :param max_file_bytes: sum of the bytes of the files kept.
    :param max_body_bytes: size of one request body.
    :param processing_reads: how often a new file is told to be ``uploaded`` before it is ``processed``.
    :param batch_reads: how often a batch is told to be ``in_progress``, a share further each time, before it is
        ``completed``.
    """

    latency: float = 0.0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_seconds: float = 1.0
    faults: Sequence[FaultRule | str] = ()
    seed: int = 0
    api_key: str | None = None
    needs_key: bool = True
    key_header: str = "authorization"
    base64: bool = True
    subject: str | None = None
    token_lifetime: float = 3600.0
    token_requests: int | None = None
    tokens_taken: int | None = None
    webhook_secret: str | None = None
    max_file_bytes: int = 512 * MEBIBYTE
    max_body_bytes: int = 520 * MEBIBYTE
    processing_reads: int = 0
    batch_reads: int = 0

    def __post_init__(self) -> None:
        low = [
            f"{name} must be above 0, not {value}"
            for name in ("requests_per_minute", "tokens_per_minute", "burst_seconds")
            if (value := getattr(self, name)) is not None and value <= 0
        ]
        if self.latency < 0:
            low.append(f"latency must not be negative, not {self.latency}")
        if low:
            raise ConfigurationError(*low)
