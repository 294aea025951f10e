"""JSON Lines: each line is one JSON value, and one record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.json_text import JSON_ERRORS, read_json, reason_of
from airflow_provider_openai_dest.sources.lines import LINE_BYTES, split_lines
from airflow_provider_openai_dest.sources.readable_file import ReadableFile, location, read_blocks


def read_json_lines(file: ReadableFile) -> Iterator[Any]:
    """Yield the value of each line, or a :class:`RecordError` ``broken_line`` for one that can't be read.

    Streams with flat memory. Blank lines are skipped. A line above 64 MiB is a fault and is not held.
    """
    where = location(file)
    for number, line in enumerate(split_lines(read_blocks(file)), start=1):
        if line is None:
            yield _broken(where, number, f"longer than {LINE_BYTES:,} bytes")
            continue
        try:
            value = read_json(line)
        except JSON_ERRORS as error:
            if not line.strip(b" \t\r"):
                continue
            value = _broken(where, number, reason_of(error))
        yield value


def _broken(where: str, number: int, reason: str) -> RecordError:
    return RecordError("broken_line", f"{where} line {number}: {reason}")
