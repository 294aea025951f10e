"""Portion log: what was paid of records that take several requests, so that a resume goes on behind it.

Rows beside those of the outcomes, written after each request but a record's last one. The items that came are in files
of their own, written before their row, and read when their record is rendered again: they may have 30 MB::

    {"key": "book", "digest": "9f0c...", "record": "3fa9...", "from": 0, "count": 2048, "file": "portions-....json",
     "check": 1094, "usage": {"total_tokens": 299000}, "cost": 0.006}

``usage`` and ``cost`` are those of all the requests so far.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, KeysView, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import msgspec

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.delivery.settled import SettledRecords, digest_of
from airflow_provider_openai_dest.exceptions import SinkError, TransientError
from airflow_provider_openai_dest.rendering.portion_memory import Paid
from airflow_provider_openai_dest.sinks.folder import RowLog, put_file
from airflow_provider_openai_dest.sources.record import Record

log = logging.getLogger(__name__)

Spent = tuple[Mapping[str, Any], float]


class _Row(msgspec.Struct, kw_only=True):
    key: str
    digest: str
    record: str | None
    start: int = msgspec.field(name="from")
    count: int
    file: str
    check: int
    usage: dict[str, Any] | None
    cost: float | None

    @property
    def spent(self) -> Spent:
        return self.usage or {}, self.cost or 0.0


@dataclass(slots=True)
class _Begun:
    """The rows of one record, as it was rendered then, each behind the one before."""

    rows: list[_Row] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(row.count for row in self.rows)


class PortionLog:
    """What this try pays of records that take several requests, after what earlier ones have.

    What can't be written is paid for again by the next try, and no more.

    :param log: the delivery.
    """

    def __init__(self, log: DeliveryLog) -> None:
        self._log = log
        self._rows: RowLog | None = None
        self._files = 0
        self._begun: dict[str, dict[str, _Begun]] = {}
        self._lock = threading.Lock()

    def recall(self, settled: SettledRecords) -> list[Spent]:
        """Read what earlier tries have paid of records that are not settled, and give usage and dollars of it."""
        if not self._log.is_resumed:
            return []
        unsettled = (row for row in _read(self._log.rows_of("portions")) if not settled.has(row.key, row.record))
        self._begun, repeated = _chained(unsettled)
        return [*repeated, *(begun.rows[-1].spent for known in self._begun.values() for begun in known.values())]

    @property
    def begun(self) -> KeysView[str]:
        """Give the keys of records that earlier tries have begun."""
        return self._begun.keys()

    def paid(self, key: str, digest: str) -> Paid | None:
        """Give what came of a record that is rendered as it was then, once. Raises TransientError."""
        begun = self._begun.get(key, {}).pop(digest, None)
        if begun is None:
            return None
        items: list[dict[str, Any]] = []
        for row in begun.rows:
            found = self._items(row)
            if found is None:
                log.warning("What was paid of the record %r can't be used, it is sent anew: %s", key, row.file)
                return None
            items += found
        last = begun.rows[-1]
        return Paid(items=tuple(items), usage=last.usage, cost=last.cost)

    def keep(self, record: Record, digest: str, paid: Paid, *, before: int) -> bool:
        """Make durable what came so far, of which the items from ``before`` on are new; tell whether that worked."""
        content = msgspec.json.encode(paid.items[before:])
        try:
            with self._lock:
                rows = self._rows = self._rows or self._log.rows("portions")
                file, self._files = f"{rows.name}-{self._files:06d}.json", self._files + 1
            put_file(self._log.folder, file, content)
            row = _Row(
                key=record.key,
                digest=digest,
                record=digest_of(record.data),
                start=before,
                count=len(paid.items) - before,
                file=file,
                check=crc32(content),
                usage=dict(paid.usage) if paid.usage else None,
                cost=paid.cost,
            )
            with self._lock:
                rows.append([msgspec.to_builtins(row)])
                rows.close()  # durable, and no file is left open: the next row opens it again
        except (SinkError, TransientError) as error:
            log.warning("A retry would pay for a part of the record %r again: %s", record.key, error)
            return False
        return True

    def _items(self, row: _Row) -> list[dict[str, Any]] | None:
        """Read the items of a row; None when they are gone or damaged."""
        file = self._log.folder / row.file
        try:
            with file.open("rb") as stream:
                content: bytes = stream.read()
        except FileNotFoundError:
            return None
        except Exception as error:  # clients of object storage raise what they like
            raise TransientError(f"can't read {file}: {type(error).__name__}: {error}") from error
        if crc32(content) != row.check:
            return None
        items = msgspec.json.decode(content, type=list[dict[str, Any]])
        return items if len(items) == row.count else None


def _read(rows: Iterable[Mapping[str, Any]]) -> Iterable[_Row]:
    """Read rows; those of another form are passed over."""
    for row in rows:
        try:
            yield msgspec.convert(row, _Row)
        except msgspec.ValidationError:
            continue


def _chained(rows: Iterable[_Row]) -> tuple[dict[str, dict[str, _Begun]], list[Spent]]:
    """Put the rows of each record together, and give apart what was paid for the same more than once."""
    found: dict[str, dict[str, _Begun]] = {}
    repeated: list[Spent] = []
    for row in rows:
        known = found.setdefault(row.key, {}).setdefault(row.digest, _Begun())
        if row.start == 0 and known.rows:
            repeated.append(known.rows[-1].spent)
            known.rows.clear()
        if row.start == known.count:
            known.rows.append(row)
    return {key: {digest: one for digest, one in known.items() if one.rows} for key, known in found.items()}, repeated
