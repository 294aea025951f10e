"""Quarantine as a source: the rejected records of an earlier run, with their own keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.readable_file import ReadableFile
from airflow_provider_openai_dest.sources.record import Record

_FILE = re.compile(r"(?P<delivery>(?:quarantine|undelivered)-[0-9a-f]{10}-d\d+)-g\d+-t\d+-[0-9a-f]+(?:-\d+)?\.jsonl")


def is_quarantine(files: Sequence[ReadableFile]) -> bool:
    """Tell whether these files were written by a quarantine, by their names."""
    return bool(files) and all(_FILE.fullmatch(file.name) for file in files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What a quarantined record was in the delivery that rejected it: ``delivery`` is the name of that, in ``file``."""

    file: ReadableFile
    delivery: str
    key: str
    position: int
    record_digest: str | None


class QuarantineSource:
    """Gives back what was quarantined; rows without the record's data are faults of their own.

    A record that several tries of a delivery rejected comes once. Where several deliveries share a key, the later
    ones stand under the key with the delivery's name.

    :param files: files that a quarantine wrote.
    :param name: what was asked for, for the fingerprint; None is the paths of the files.
    :param passed_over: records that are not sent again: names of deliveries, each with a key.
    """

    def __init__(
        self,
        files: Sequence[ReadableFile],
        name: str | None = None,
        *,
        passed_over: AbstractSet[tuple[str, str]] = frozenset(),
    ) -> None:
        self._files = files
        self._name = name
        self._passed_over = passed_over

    def __iter__(self) -> Iterator[Record]:
        """Give the records in the order of the rows."""
        return (record for record, _ in self.entries())

    def entries(self) -> Iterator[tuple[Record, Original]]:
        """Give each record with what it was before."""
        seen: set[tuple[str, str]] = set()
        keys: set[str] = set()
        for original, row in self._rows():
            record = _unwrapped(row, len(keys)) or _broken(row, keys)
            known = original.delivery, record.key
            if known in seen or known in self._passed_over:
                continue
            seen.add(known)
            if record.key in keys:
                record = replace(record, key=f"{original.delivery} {record.key}")
            keys.add(record.key)
            yield record, original

    def fingerprint(self) -> str:
        """Name the place."""
        return f"quarantine {FilesSource(self._files, file_format='jsonl', name=self._name).fingerprint()}"

    def _rows(self) -> Iterator[tuple[Original, Record]]:
        for file in self._files:
            match = _FILE.fullmatch(file.name)
            for row in FilesSource([file], file_format="jsonl"):
                yield _original(file, match["delivery"] if match else file.name, row.data), row


def delivery_of(name: str) -> str | None:
    """Give the name of the delivery whose quarantine is in a file of this name: its scope and number; None otherwise.

    Items that a webhook did not take are no records of a delivery.
    """
    match = _FILE.fullmatch(name)
    kind, _, delivery = match["delivery"].partition("-") if match else ("", "", "")
    return delivery if kind == "quarantine" else None


def _original(file: ReadableFile, delivery: str, row: Any) -> Original:
    fields = row if isinstance(row, dict) else {}
    key, position, digest = (fields.get(name) for name in ("key", "position", "record_digest"))
    return Original(
        file=file,
        delivery=delivery,
        key=key if isinstance(key, str) else "",
        position=position if isinstance(position, int) else 0,
        record_digest=digest if isinstance(digest, str) else None,
    )


def _unwrapped(row: Record, position: int) -> Record | None:
    """Give the record that a row holds; None when it is no row of a quarantine."""
    match row.data:
        case {"key": str(key), **rest} if key:
            is_kept = "record" in rest and "record_repr" not in rest
            fault = None if is_kept else RecordError("record_not_kept", "the quarantine kept no data of it")
            return Record(key=key, position=position, data=rest.get("record"), fault=fault)
    return None


def _broken(row: Record, keys: set[str]) -> Record:
    """Give a record that is known by the row's place, since nobody knows its key."""
    key = f"quarantine row {row.position}"
    while key in keys:
        key = f"#{key}"
    fault = row.fault or RecordError("broken_row", "this is no row of a quarantine: it has no key")
    return Record(key=key, position=len(keys), data=None, fault=fault)
