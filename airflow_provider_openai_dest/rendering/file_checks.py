"""File checks: what the API would refuse of a file, found before it is sent; streaming, all faults at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.line_rules import RULES, LineRules
from airflow_provider_openai_dest.rendering.lines import DEFAULT_FILE_LIMIT, FILE_LIMITS
from airflow_provider_openai_dest.rendering.multipart import FilePart
from airflow_provider_openai_dest.sources.json_text import JSON_ERRORS, read_json, reason_of
from airflow_provider_openai_dest.sources.lines import split_lines

NAMED_FAULTS = 20
"""Faults that are named; the others are counted."""

LINE_BYTES = 16 * 1024 * 1024
BLOCK_BYTES = 256 * 1024

UPLOAD_BYTES = 8 * 1024**3
"""The most that the Uploads API takes (https://platform.openai.com/docs/api-reference/uploads/create)."""

PART_BYTES = 64 * 1024 * 1024
"""The most that it takes in one part (https://platform.openai.com/docs/api-reference/uploads/add-part)."""

SHORTEST_LIFE, LONGEST_LIFE = 3600, 2_592_000
"""Seconds after which a file may expire: an hour to 30 days."""

EXTENSIONS = {"batch": ".jsonl", "fine-tune": ".jsonl"}
"""By purpose, where the API takes one only (https://platform.openai.com/docs/api-reference/files/create)."""


def check_file(file: FilePart, purpose: str, *, in_parts: bool = True) -> None:
    """Raise RecordError with all that is wrong with a file, the first 20 faults by name.

    :param in_parts: whether it may go in parts, where it is too large for one request.
    """
    check_form(file, purpose, in_parts=in_parts)
    if purpose in RULES:
        with file.open() as stream:
            _raise_if_any(file, _line_faults(stream, RULES[purpose]()))


def check_form(file: FilePart, purpose: str, *, in_parts: bool = True) -> None:
    """Raise RecordError for its size and name alone, without a look at its lines."""
    _raise_if_any(file, _outer_faults(file, purpose, in_parts=in_parts))


def expiry_faults(expires_after: Any) -> Iterator[str]:
    """Say what is wrong with when a file expires; texts are left, since they may be placeholders."""
    if not isinstance(expires_after, Mapping) or {"anchor", "seconds"} != {*expires_after}:
        yield 'expires_after must be {"anchor": "created_at", "seconds": ...}'
        return
    anchor, seconds = expires_after["anchor"], expires_after["seconds"]
    if anchor != "created_at":
        yield f"expires_after: anchor={anchor!r} must be 'created_at'"
    if not isinstance(seconds, str) and not (type(seconds) is int and SHORTEST_LIFE <= seconds <= LONGEST_LIFE):
        yield f"expires_after: seconds={seconds!r} must be a whole number of {SHORTEST_LIFE:,} to {LONGEST_LIFE:,}"


def max_bytes(purpose: str, *, in_parts: bool) -> int:
    """Give how large a file may be."""
    if purpose in FILE_LIMITS:
        return FILE_LIMITS[purpose].max_bytes
    return UPLOAD_BYTES if in_parts else DEFAULT_FILE_LIMIT.max_bytes


def _raise_if_any(file: FilePart, found: Iterator[str]) -> None:
    faults = [*islice(found, NAMED_FAULTS)]
    if faults:
        rest = sum(1 for _ in found)
        more = f"; and {rest:,} more" if rest else ""
        raise RecordError("invalid_file", f"{file.filename}: {'; '.join(faults)}{more}", param="file")


def _outer_faults(file: FilePart, purpose: str, *, in_parts: bool) -> Iterator[str]:
    if not file.size:
        yield "it is empty"
    if file.size > (most := max_bytes(purpose, in_parts=in_parts)):
        yield f"it has {file.size:,} bytes, for {purpose!r} at most {most:,}"
    extension = EXTENSIONS.get(purpose)
    if extension is not None and not file.filename.endswith(extension):
        yield f"for {purpose!r} its name must end in {extension}"


def _line_faults(stream: BinaryIO, rules: LineRules) -> Iterator[str]:
    blocks = iter(lambda: stream.read(BLOCK_BYTES), b"")
    for number, line in enumerate(split_lines(blocks, LINE_BYTES), start=1):
        for fault in _faults_of(line, rules):
            yield f"line {number}: {fault}"


def _faults_of(line: bytes | None, rules: LineRules) -> Iterator[str]:
    if line is None:
        yield f"longer than {LINE_BYTES:,} bytes"
        return
    try:
        value: Any = read_json(line)
    except JSON_ERRORS as error:
        yield f"not JSON: {reason_of(error)}"
    else:
        yield from rules.faults(value)
