"""Folder: a place for files, on disk or in object storage, and rows of JSON Lines in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec

from airflow_provider_openai_dest.exceptions import SinkError, TransientError

PRIVATE = 0o600


class Folder(Protocol):
    """What this package needs of ``pathlib.Path`` and Airflow's ``ObjectStoragePath``."""

    @property
    def name(self) -> str:
        """The last part."""

    def __truediv__(self, name: str) -> Folder:
        """A file or folder below."""

    def open(self, mode: str) -> IO[Any]:
        """Open the file."""

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder."""

    def iterdir(self) -> Iterator[Folder]:
        """Give what is in the folder."""

    def exists(self) -> bool:
        """Whether it is there."""


def put_file(folder: Folder, name: str, content: bytes) -> Folder:
    """Write a whole file, or none of it: on disk by a rename, in object storage by one put."""
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(target, Path):
            part = target.with_name(f".{name}.{os.getpid()}.part")
            part.write_bytes(content)
            part.replace(target)
        else:
            with target.open("wb") as stream:
                stream.write(content)
    except OSError as error:
        raise SinkError(f"can't write {target}: {type(error).__name__}: {error}") from error
    return target


class RowLog:
    """Rows in JSON Lines files, durable when flushed and never overwritten.

    On disk one file is appended to; in object storage each flush puts a new segment, since objects can't grow.

    :param folder: where the files are.
    :param name: start of every file's name, without an extension; it must be new for every try.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._rows: list[bytes] = []
        self._segments = 0
        self._stream: IO[bytes] | None = None
        self.count = 0

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take rows; they are durable after the next flush."""
        self._rows += [_encoder.encode(row) for row in rows]

    def flush(self) -> None:
        """Write what was taken; raises SinkError, and then nothing of it counts as written."""
        if not self._rows:
            return
        content = b"\n".join(self._rows) + b"\n"
        if isinstance(self._folder, Path):
            self._append(self._folder, content)
        else:
            put_file(self._folder, f"{self._name}-{self._segments:06d}.jsonl", content)
            self._segments += 1
        self.count += len(self._rows)
        self._rows.clear()

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _append(self, folder: Path, content: bytes) -> None:
        try:
            if self._stream is None:
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"{self._name}.jsonl"
                self._stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE), "wb")
            self._stream.write(content)
            self._stream.flush()
        except OSError as error:
            raise SinkError(f"can't write to {folder / self._name}.jsonl: {error}") from error


def list_names(folder: Folder, prefix: str) -> list[str]:
    """List the files whose names start so. A folder that can't be listed is an error, never an empty one."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.name.startswith(prefix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise TransientError(f"can't list {folder}: {error}") from error


def read_rows(folder: Folder, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read the rows of these files. A row cut off by a crash is passed over: its record counts as not settled."""
    for name in names:
        try:
            with (folder / name).open("rb") as stream:
                for line in stream:
                    row = _decoded(line)
                    if row is not None:
                        yield row
        except OSError as error:
            raise TransientError(f"can't read {folder / name}: {error}") from error


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


_encoder = msgspec.json.Encoder()
