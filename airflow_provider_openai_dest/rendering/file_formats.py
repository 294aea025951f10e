"""File formats: how records stand in a file that is made of them: lines of JSON, one array, or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import as_text, encode_json

FileFormat = Literal["jsonl", "json", "csv"]


class RecordsFormat(Protocol):
    """Writes the records of one file; what it gives in turn, from the first record to the end, is the file."""

    def add(self, value: Any, *, is_first: bool) -> bytes:
        """Give the bytes of the next record; raises RecordError when it has no place in the file."""

    @property
    def end(self) -> bytes:
        """Give what stands after the last one."""


class JsonLinesFormat:
    """A line of JSON for each record."""

    end = b""

    def add(self, value: Any, *, is_first: bool) -> bytes:  # noqa: ARG002 - part of the protocol
        """Give a line."""
        return encode_json(value) + b"\n"


class JsonFormat:
    """One array of all records."""

    end = b"\n]\n"

    def add(self, value: Any, *, is_first: bool) -> bytes:
        """Give an item of the array."""
        return (b"[\n" if is_first else b",\n") + encode_json(value)


class CsvFormat:
    """A row for each record; its columns are the fields of the file's first record.

    Objects and lists stand as JSON, null and a missing field as nothing. A field without a column refuses its record.
    """

    end = b""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def add(self, value: Any, *, is_first: bool) -> bytes:
        """Give a row, and before the first one the header."""
        if not isinstance(value, Mapping):
            raise RecordError("not_an_object", "a row of CSV is made of an object")
        encode_json(value)
        columns = [str(name) for name in value] if is_first else self._columns
        if strange := [str(name) for name in value if str(name) not in columns]:
            raise RecordError("unknown_column", f"the first record of the file has no {strange[0][:100]!r}")
        rows = [columns] if is_first else []
        rows.append(["" if value.get(name) is None else as_text(value[name]) for name in columns])
        self._columns = columns
        return _csv(rows)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


FORMATS: dict[FileFormat, type[JsonLinesFormat | JsonFormat | CsvFormat]] = {
    "jsonl": JsonLinesFormat,
    "json": JsonFormat,
    "csv": CsvFormat,
}
