"""CSV and TSV: a header row names the columns, each row after it is one record of strings."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.lines import LINE_BYTES, split_lines
from airflow_provider_openai_dest.sources.readable_file import ReadableFile, location, read_blocks

# csv keeps a field as 4 bytes a character, and an unclosed quote makes a field of all that follows.
FIELD_CHARACTERS = 16 * 1024 * 1024

_REASONS = {"unexpected end of data": "a quote is opened and never closed"}


def read_csv(file: ReadableFile) -> Iterator[Any]:
    """Yield each row of a comma-separated file as an object of strings; see :func:`read_rows`."""
    return read_rows(file, ",")


def read_tsv(file: ReadableFile) -> Iterator[Any]:
    """Yield each row of a tab-separated file as an object of strings; see :func:`read_rows`."""
    return read_rows(file, "\t")


def read_rows(file: ReadableFile, delimiter: str) -> Iterator[Any]:
    """Yield each row as an object of strings, or a :class:`RecordError` ``broken_line`` for one that can't be read.

    Streams with flat memory. Quotes follow RFC 4180 to the letter, for a stray one would change values silently. Empty
    lines are skipped. Faults are a row of too few or too many columns, bytes that are no UTF-8, a field above 16 Mi
    characters, and a quote that is never closed: that one takes all lines up to the next quote with it, and the message
    names them.

    :raises ConfigurationError: the header can't be read, or names a column twice or not at all.
    """
    where = location(file)
    lines = _Lines(split_lines(read_blocks(file)))
    csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARACTERS))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _read_header(reader, lines, where)
    while True:
        before = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.take_fault()
            yield _broken(where, before + 1, reader.line_num, _REASONS.get(str(error), str(error)))
            continue
        if lines.fault:
            yield _broken(where, before + 1, reader.line_num, lines.take_fault())
        elif len(row) == len(header):
            yield dict(zip(header, row, strict=True))
        elif row:
            count = f"has {len(row)} columns, the header {len(header)}"
            yield _broken(where, before + 1, reader.line_num, count)


class _Lines:
    """The lines as text, for csv; ``fault`` tells of a line that could not be had, until it is taken."""

    def __init__(self, lines: Iterable[bytes | None]) -> None:
        self._lines = iter(lines)
        self.fault = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if line is None:
                self.fault = f"longer than {LINE_BYTES:,} bytes"
                yield "\n"
                continue
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                self.fault = f"not UTF-8: {error.reason}"
                text = line.decode(errors="replace")
            yield text + "\n"

    def take_fault(self) -> str:
        fault, self.fault = self.fault, ""
        return fault


def _read_header(reader: Iterator[list[str]], lines: _Lines, where: str) -> list[str]:
    try:
        header = next(filter(None, reader), [])
    except csv.Error as error:
        raise ConfigurationError(f"{where}: the header can't be read: {error}") from None
    if lines.fault:
        raise ConfigurationError(f"{where}: the header can't be read: {lines.fault}")
    if faults := [f"{where}: {fault}" for fault in _faults_of(header)]:
        raise ConfigurationError(*faults)
    return header


def _faults_of(header: list[str]) -> Iterator[str]:
    for number, name in enumerate(header, start=1):
        if not name.strip():
            yield f"column {number} has no name"
    for name, count in Counter(header).items():
        if count > 1 and name.strip():
            yield f"the header names column {name!r} {count} times"


def _broken(where: str, first: int, last: int, reason: str) -> RecordError:
    lines = f"line {first}" if last <= first else f"lines {first} to {last}"
    return RecordError("broken_line", f"{where} {lines}: {reason}")
