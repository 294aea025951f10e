"""Settled records: which records earlier tries have settled, by their keys and by what they held."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sources.record import Record

DIGEST_BYTES = 7


def digest(encoded: bytes) -> str:
    """Give a short digest of a record's data as JSON."""
    return blake2b(encoded, digest_size=DIGEST_BYTES).hexdigest()


_NULL = digest(b"null")


class SettledRecords:
    """Takes outcomes, the newest first, and tells what holds for a record.

    A million records take about 100 MB beside their keys, since each is one small integer: the mark of its data, and
    in the last bit whether it was delivered.
    """

    def __init__(self) -> None:
        self._ends: dict[str, int] = {}

    def add(self, outcome: Outcome) -> bool:
        """Take an outcome; False when one that was taken before stands against it.

        Of the outcomes of the same data a delivered one holds, whenever it came. Those of other data, from before the
        record was changed, are void.
        """
        key, mark = outcome.record.key, _mark(outcome.record_digest)
        is_delivered = outcome.status is Status.DELIVERED
        known = self._ends.get(key)
        if known is not None and (_was_delivered(known) or not is_delivered or _differ(known >> 1, mark)):
            return False
        self._ends[key] = mark << 1 | is_delivered
        return True

    def status_of(self, record: Record) -> Status | None:
        """Give the status that a record was settled with; None when it was not, or held other data then."""
        known = self._ends.get(record.key)
        if known is None or (known >> 1 and _differ(known >> 1, _mark_of(record.data))):
            return None
        return Status.DELIVERED if _was_delivered(known) else Status.REJECTED


def _was_delivered(known: int) -> bool:
    return bool(known & 1)


def _differ(mark: int, other: int) -> bool:
    return mark != other and bool(mark and other)


def _mark(record_digest: str | None) -> int:
    """Give the digest as a number above 0; 0 is that of data without a digest, and differs from no other."""
    return int(record_digest, 16) + 1 if record_digest else 0


def _mark_of(data: Any) -> int:
    return _mark(digest_of(data))


def outcome_digest(outcome: Outcome) -> str:
    """Give the digest of an outcome's record, the same while it is sent and when its row is read again.

    Empty for null and for data that can't be written, of which a row holds nothing.
    """
    found = outcome.record_digest or digest_of(outcome.record.data) or _NULL
    return "" if found == _NULL else found


def digest_of(data: Any) -> str | None:
    """Give the digest of a record's data; None when it can't be written as JSON."""
    try:
        return digest(encode_json(data))
    except RecordError:
        return None
