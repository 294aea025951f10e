"""Holding rows: of all that the tries of a delivery have written, the one row of each record that counts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords, key_hash
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sinks.folder import read_rows
from airflow_provider_openai_dest.sources.hash_index import HashIndex
from airflow_provider_openai_dest.sources.record import Record

_NONE = -1
_ROW_BITS = 40


class SourceKeys:
    """The keys of the records that a source gave, in their order; 16 bytes each."""

    def __init__(self) -> None:
        self._places = HashIndex()
        self._digest = blake2b(digest_size=8)

    def __len__(self) -> int:
        return len(self._places)

    def see(self, record: Record) -> None:
        """Take the next record."""
        hashed = key_hash(record.key)
        self._places.add(hashed)
        self._digest.update(hashed.to_bytes(8, "little", signed=True))

    def place_of(self, key: str) -> int | None:
        """Give the place of a record in the source; None when it has no such record."""
        return self._places.find(key_hash(key))

    def digest(self) -> bytes:
        """Give a digest of the keys and their order."""
        return self._digest.digest()


class HoldingRows:
    """Gives each record of the source once, with its place there, in the order in which the rows were written.

    The rows are read twice: to find which of them hold, and to give these. So 32 bytes a record are held, and no row.

    :param log: the delivery.
    :param keys: what the source gave.
    :param look: is shown each outcome that may hold.
    """

    def __init__(
        self, log: DeliveryLog, kind: str, keys: SourceKeys, look: Callable[[Outcome], None] = lambda _outcome: None
    ) -> None:
        self._log = log
        self._keys = keys
        self._files = log.row_files(kind)
        self._holders = array("q", [_NONE]) * len(keys)
        self._find(look)

    def __len__(self) -> int:
        return len(self._holders) - self._holders.count(_NONE)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Give place and row."""
        for file in reversed(range(len(self._files))):
            for number, place, _, row in self._rows(file):
                if self._holders[place] == number:
                    yield place, row

    def _find(self, look: Callable[[Outcome], None]) -> None:
        held = SettledRecords()
        for file, (generation, _) in enumerate(self._files):
            for number, place, outcome, _ in self._rows(file):
                is_void = outcome.status is Status.REJECTED and generation < self._log.generation
                if not is_void and held.add(outcome):
                    self._holders[place] = number
                    look(outcome)

    def _rows(self, file: int) -> Iterator[tuple[int, int, Outcome, dict[str, Any]]]:
        """Read the rows of a file, each with a number of its own and its record's place in the source."""
        for line, row in enumerate(read_rows(self._log.folder, [self._files[file][1]])):
            try:
                outcome = Outcome.from_row(row)
            except RecordError:
                continue
            place = self._keys.place_of(outcome.record.key)
            if place is not None:
                yield file << _ROW_BITS | line, place, outcome, row
