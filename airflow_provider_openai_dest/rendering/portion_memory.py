"""Portion memory: what a record that takes several requests asks of the place that outlives its worker."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sources.record import Record

CUTTING = 1
"""Raised when the same input is cut otherwise: what was paid for other chunks fits no more."""


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a record's first requests: the items so far, what they used, and dollars where these are known."""

    items: tuple[dict[str, Any], ...]
    usage: Mapping[str, Any] | None = None
    cost: float | None = None


class PortionMemory(Protocol):
    """Keeps what was paid of records whose last request has not been answered. Used by several threads."""

    @property
    def begun(self) -> Container[str]:
        """Give the keys of records that earlier tries have begun; empty when there are none."""

    def paid(self, key: str, digest: str) -> Paid | None:
        """Give what came of a record that is rendered as it was then; each is given once. Raises TransientError."""

    def keep(self, record: Record, digest: str, paid: Paid, *, before: int) -> bool:
        """Make durable what came so far, of which the items from ``before`` on are new; tell whether that worked."""


def digest_of_input(rest: Mapping[str, Any], values: Sequence[Any], cut_by: object = None) -> str:
    """Give a digest of all that says what a record's requests hold.

    :param cut_by: by what its inputs were cut; None when they were not.
    """
    digest = blake2b(encode_json(rest), digest_size=16)
    digest.update(encode_json([*values]))
    digest.update(f"{CUTTING} {cut_by!r}".encode())
    return digest.hexdigest()
