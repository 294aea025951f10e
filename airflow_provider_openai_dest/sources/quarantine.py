"""Quarantine as a source: the rejected records of an earlier run, with their own keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.readable_file import ReadableFile
from airflow_provider_openai_dest.sources.record import Record

FILE_PREFIXES = ("quarantine-", "undelivered-")


def is_quarantine(files: Sequence[ReadableFile]) -> bool:
    """Tell whether these files were written by a quarantine, by their names."""
    return bool(files) and all(file.name.startswith(FILE_PREFIXES) and file.name.endswith(".jsonl") for file in files)


class QuarantineSource:
    """Gives back what was quarantined, each key once; rows without the record's data are faults of their own.

    :param files: files that a quarantine wrote.
    """

    def __init__(self, files: Sequence[ReadableFile]) -> None:
        self._rows = FilesSource(files, file_format="jsonl")

    def __iter__(self) -> Iterator[Record]:
        """Give the records in the order of the rows; a record that several tries rejected comes once."""
        keys: set[str] = set()
        for row in self._rows:
            record = _unwrapped(row, len(keys)) or _broken(row, keys)
            if record.key not in keys:
                keys.add(record.key)
                yield record

    def fingerprint(self) -> str:
        """Name the files."""
        return self._rows.fingerprint()


def _unwrapped(row: Record, position: int) -> Record | None:
    """Give the record that a row holds; None when it is no row of a quarantine."""
    match row.data:
        case {"key": str(key), **rest} if key:
            data = rest.get("record")
            fault = None if data is not None else RecordError("record_not_kept", "the quarantine kept no data of it")
            return Record(key=key, position=position, data=data, fault=fault)
    return None


def _broken(row: Record, keys: set[str]) -> Record:
    """Give a record that is known by the row's place, since nobody knows its key."""
    key = f"quarantine row {row.position}"
    while key in keys:
        key = f"#{key}"
    fault = row.fault or RecordError("broken_row", "this is no row of a quarantine: it has no key")
    return Record(key=key, position=len(keys), data=None, fault=fault)
