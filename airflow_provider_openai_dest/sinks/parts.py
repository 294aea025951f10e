"""Parts: a set of rows as files of bounded size, each put whole under a name that is the same at every try."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal, Protocol, cast

from airflow_provider_openai_dest.exceptions import OpenAIDestError, SinkError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sinks.folder import PRIVATE, Folder

ResultsFormat = Literal["jsonl", "jsonl.gz", "parquet"]

PART_ROWS = 1_000_000
PART_BYTES = 256 * 1024 * 1024
"""A part is closed when it has so many rows or bytes."""

GZIP_LEVEL = 3
"""Vectors in base64 hardly get smaller by more."""

_PIECE_BYTES = 1024 * 1024


class PartWriter(Protocol):
    """Writes rows into one file."""

    def add(self, row: bytes) -> int:
        """Take the JSON of a record's row, and give how many rows of the file it makes."""

    def finish(self) -> None:
        """Write what is held, and the end of the file."""


NewWriter = Callable[[IO[bytes]], PartWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file that was put. It has a row for each record, or several where the form takes a record apart."""

    name: str
    rows: int
    bytes: int
    records: int

    def as_row(self) -> dict[str, Any]:
        """Give what a manifest says of it."""
        return {"name": self.name, "rows": self.rows, "bytes": self.bytes}


def row_bytes(row: Mapping[str, Any]) -> bytes:
    """Give the JSON of a row."""
    return encode_json(row)


def put_parts(
    folder: Folder,
    extension: str,
    new_writer: NewWriter,
    rows: Iterable[bytes],
    *,
    part_rows: int = PART_ROWS,
    part_bytes: int = PART_BYTES,
) -> list[Part]:
    """Put rows as ``part-00000.{extension}``, ``part-00001...``; raises SinkError.

    A part is made in a temporary file and is there whole or not at all, so that memory stays flat.
    """
    parts: list[Part] = []
    left = iter(rows)
    while (row := next(left, None)) is not None:
        name = f"part-{len(parts):05d}.{extension}"
        try:
            with TemporaryFile(prefix="openai-dest-") as file:
                rows_in, records = _fill(new_writer(file), file, chain([row], left), part_rows, part_bytes)
                size = file.tell()
                file.seek(0)
                _put(folder, name, file)
        except OpenAIDestError:
            raise
        except Exception as error:  # clients of object storage raise what they like
            raise SinkError(f"can't write {folder / name}: {type(error).__name__}: {error}") from error
        parts.append(Part(name=name, rows=rows_in, bytes=size, records=records))
    return parts


def _fill(
    writer: PartWriter, file: IO[bytes], rows: Iterator[bytes], part_rows: int, part_bytes: int
) -> tuple[int, int]:
    """Write one file, and give how many rows it has, and of how many records."""
    count = records = 0
    for row in rows:
        count += writer.add(row)
        records += 1
        if count >= part_rows or file.tell() >= part_bytes:
            break
    writer.finish()
    return count, records


def _put(folder: Folder, name: str, content: IO[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not isinstance(target, Path):
        with target.open("wb") as stream:
            shutil.copyfileobj(content, stream, _PIECE_BYTES)
        return
    part = target.with_name(f".{name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as stream:
            shutil.copyfileobj(content, stream, _PIECE_BYTES)
        part.replace(target)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


class JsonLines:
    """One row a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, row: bytes) -> int:
        """Write the row."""
        self._file.write(row + b"\n")
        return 1

    def finish(self) -> None:
        """Nothing is held."""


class PackedJsonLines:
    """One row a line, gzipped; the same rows are the same bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=file, mtime=0)

    def add(self, row: bytes) -> int:
        """Pack the row."""
        self._file.write(row + b"\n")
        return 1

    def finish(self) -> None:
        """Write the end of the stream."""
        self._file.close()


JSON_WRITERS: dict[ResultsFormat, NewWriter] = {"jsonl": JsonLines, "jsonl.gz": cast("NewWriter", PackedJsonLines)}
