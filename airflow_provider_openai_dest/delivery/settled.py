"""Settled records: which records earlier tries have settled, by their keys and by what they held."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Any

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sources.hash_index import HashIndex
from airflow_provider_openai_dest.sources.record import Record

DIGEST_BYTES = 7


def digest(encoded: bytes) -> str:
    """Give a short digest of a record's data as JSON."""
    return blake2b(encoded, digest_size=DIGEST_BYTES).hexdigest()


_NULL = digest(b"null")
_LARGEST_MARK = (1 << 8 * DIGEST_BYTES) - 1


class SettledRecords:
    """Takes outcomes, the newest first, and tells what holds for a record.

    A record takes about 24 bytes, however long its key: the hash of the key, and one integer that is the mark of its
    data and, in the last bit, whether it was delivered. ``duplicates`` counts outcomes that were delivered before.
    """

    def __init__(self) -> None:
        self._keys = HashIndex()
        self._ends = array("q")
        self.duplicates = 0

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, outcome: Outcome) -> bool:
        """Take an outcome; False when one that was taken before stands against it.

        Of the outcomes of the same data a delivered one holds, whenever it came. Those of other data, from before the
        record was changed, are void.
        """
        return self.add_end(key_hash(outcome.record.key), end_of(outcome.status, outcome.record_digest))

    def add_end(self, hashed: int, end: int) -> bool:
        """Take what is kept of an outcome: its key's :func:`key_hash` and its :func:`end_of`."""
        number = self._keys.add(hashed)
        if number == len(self._ends):
            self._ends.append(end)
            return True
        known = self._ends[number]
        self.duplicates += was_delivered(known) and was_delivered(end)
        if was_delivered(known) or not was_delivered(end) or _differ(known >> 1, end >> 1):
            return False
        self._ends[number] = end
        return True

    def status_of(self, record: Record) -> Status | None:
        """Give the status that a record was settled with; None when it was not, or held other data then."""
        known = self._end_of(record.key)
        if known is None or (known >> 1 and _differ(known >> 1, _mark_of(record.data))):
            return None
        return Status.DELIVERED if was_delivered(known) else Status.REJECTED

    def has(self, key: str, record_digest: str | None) -> bool:
        """Tell whether a record was settled when its data had this :func:`digest_of`."""
        known = self._end_of(key)
        return known is not None and not _differ(known >> 1, _mark(record_digest))

    def _end_of(self, key: str) -> int | None:
        number = self._keys.find(key_hash(key)) if self._ends else None
        return None if number is None else self._ends[number]


def key_hash(key: str) -> int:
    """Give the 64-bit hash of a key, the same in every process."""
    return int.from_bytes(blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest(), "little", signed=True)


def end_of(status: Status, record_digest: str | None) -> int:
    """Give what is kept of an outcome: the mark of its data, and in the last bit whether it was delivered."""
    return _mark(record_digest) << 1 | (status is Status.DELIVERED)


def was_delivered(end: int) -> bool:
    """Read the last bit."""
    return bool(end & 1)


def _differ(mark: int, other: int) -> bool:
    return mark != other and bool(mark and other)


def _mark(record_digest: str | None) -> int:
    """Give the digest as a number above 0; 0 is that of data without a digest, and differs from no other."""
    return (int(record_digest, 16) & _LARGEST_MARK) + 1 if record_digest else 0


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
