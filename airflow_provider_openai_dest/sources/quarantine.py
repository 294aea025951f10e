"""Quarantine as a source: the rejected records of an earlier run, with their own keys and positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.readable_file import ReadableFile
from airflow_provider_openai_dest.sources.record import Record

FILE_PREFIXES = ("quarantine-", "undelivered-")


def is_quarantine(files: Sequence[ReadableFile]) -> bool:
    """Tell whether these files were written by a quarantine, by their names."""
    return bool(files) and all(file.name.startswith(FILE_PREFIXES) for file in files)


class QuarantineSource:
    """Gives back what was quarantined; rows without the record's data are faults of their own."""

    def __init__(self, files: Sequence[ReadableFile]) -> None:
        self._rows = FilesSource(files, file_format="jsonl")

    def __iter__(self) -> Iterator[Record]:
        keys: set[str] = set()
        for row in self._rows:
            record = _unwrapped(row)
            if record.key not in keys:
                keys.add(record.key)
                yield record

    def fingerprint(self) -> str:
        """Name the files."""
        return self._rows.fingerprint()


def _unwrapped(row: Record) -> Record:
    data = row.data if isinstance(row.data, dict) else {}
    key = str(data.get("key", row.key))
    if row.fault or data.get("record") is None:
        fault = row.fault or RecordError("record_not_kept", "the quarantine row does not hold the record's data")
        return Record(key=key, position=row.position, data=None, fault=fault)
    return Record(key=key, position=row.position, data=data["record"])
