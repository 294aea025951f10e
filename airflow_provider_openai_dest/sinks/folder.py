"""Folder: a place for files, on disk or in object storage, and rows of JSON Lines in it."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol
from zlib import crc32

import msgspec

from airflow_provider_openai_dest.exceptions import RecordError, SinkError, TransientError
from airflow_provider_openai_dest.sources.gzip_stream import inflate
from airflow_provider_openai_dest.sources.lines import split_lines

log = logging.getLogger(__name__)

PRIVATE = 0o600

BLOCK_BYTES = 256 * 1024
"""So much of a file is read at once."""

MOST_STARTS = 64
"""Places of a broken line where a whole row is looked for."""

_ROW = re.compile(rb'(?<![:,\[])\{"key":')

PIECE_BYTES = 1024 * 1024
"""So much is held before it is written to a local file, however much one flush brings."""


class Folder(Protocol):
    """What this package needs of ``pathlib.Path`` and Airflow's ``ObjectStoragePath``."""

    @property
    def name(self) -> str:
        """Give the last part."""

    def __truediv__(self, name: str) -> Folder:
        """Give a file or folder below."""

    def open(self, mode: str) -> IO[Any]:
        """Open the file."""

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder."""

    def iterdir(self) -> Iterator[Folder]:
        """Give what is in the folder."""

    def exists(self) -> bool:
        """Tell whether it is there."""


def put_file(folder: Folder, name: str, content: bytes) -> Folder:
    """Write a whole file, or none of it: on disk by a rename, in object storage by one put. Raises SinkError."""
    target = folder / name
    with _told_as_sink_error(target):
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(target, Path):
            _replace(target, content)
        else:
            with target.open("wb") as stream:
                stream.write(content)
    return target


def put_new_file(folder: Folder, stem: str, extension: str, content: bytes) -> Folder:
    """Write a file as :func:`put_file` does, but leave one of that name as it is: the new one has a digest then."""
    target = folder / f"{stem}.{extension}"
    with _told_as_sink_error(target):
        if target.exists():
            stem = f"{stem}-{hashlib.sha256(content).hexdigest()[:10]}"
    return put_file(folder, f"{stem}.{extension}", content)


@contextmanager
def _told_as_sink_error(target: Folder) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # clients of object storage raise what they like
        raise SinkError(f"can't write {target}: {type(error).__name__}: {error}") from error


def _replace(target: Path, content: bytes) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as stream:
            stream.write(content)
        part.replace(target)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


class RowLog:
    """Rows in JSON Lines files, durable when flushed and never overwritten.

    Each row ends with the field ``crc32``, the checksum of the row without it.

    On disk one file is appended to; in object storage each flush puts a new segment, since objects can't grow.

    :param folder: where the files are.
    :param name: start of every file's name, without an extension; it must be new for every try.

    ``position`` is how far the rows are durable: in bytes of the local file, or in segments.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self.name = name
        self._content = bytearray()
        self._waiting = 0
        self._segments = 0
        self._file: int | None = None
        self.count = 0
        self.position = 0

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take rows; they are durable after the next flush. Raises SinkError."""
        for row in rows:
            encoded = _encoder.encode(row)
            self._content += encoded[:-1]
            self._content += _CHECKSUM % crc32(encoded)
            self._waiting += 1
            if len(self._content) >= PIECE_BYTES and isinstance(self._folder, Path):
                self._append(self._folder)

    def flush(self) -> None:
        """Write what was taken. Raises SinkError, and then nothing of it counts as written or is tried again."""
        rows, self._waiting = self._waiting, 0
        if not rows:
            return
        if isinstance(self._folder, Path):
            self._append(self._folder)
        else:
            content, self._content = self._content, bytearray()
            put_file(self._folder, f"{self.name}-{self._segments:06d}.jsonl", bytes(content))
            self._segments += 1
            self.position = self._segments
        self.count += rows

    def close(self) -> None:
        """Flush and close the file; a second time does nothing."""
        try:
            self.flush()
        finally:
            self._close_file()

    def _append(self, folder: Path) -> None:
        path = folder / f"{self.name}.jsonl"
        content, self._content = self._content, bytearray()
        try:
            if self._file is None:
                folder.mkdir(parents=True, exist_ok=True)
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
            left = memoryview(content)
            while left:
                left = left[os.write(self._file, left) :]
            self.position += len(content)
        except OSError as error:
            self._waiting = 0
            raise SinkError(f"can't write to {path}: {error}") from error

    def _close_file(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                os.close(file)
        except OSError as error:
            raise SinkError(f"can't close {self._folder / self.name}.jsonl: {error}") from error


def list_names(folder: Folder, prefix: str) -> list[str]:
    """List the files whose names start so. A folder that can't be listed is TransientError, never an empty one."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.name.startswith(prefix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:
        raise TransientError(f"can't list {folder}: {type(error).__name__}: {error}") from error


def forget_listing(folder: Folder) -> None:
    """Let the next listing find what others have put: clients of object storage keep their listings."""
    file_system = getattr(folder, "fs", None)
    if file_system is not None:
        file_system.invalidate_cache()


def read_rows(folder: Folder, names: Iterable[str], start: int = 0) -> Iterator[dict[str, Any]]:
    """Read the rows of these files, whatever has become of them: damage costs just the rows that it hits.

    Of those the records count as not settled, and a line in the log says how many. A file that can't be read now is
    TransientError, never an empty one.

    :param start: bytes of each file that are passed over.
    """
    for name in names:
        broken = 0
        try:
            for line in split_lines(_unpacked(folder / name, start)):
                row = _decoded(line)
                if row is None:
                    broken += 1
                    row = _rescued(line)
                if row is not None:
                    yield row
        except RecordError:  # a gzip stream: what stands after the damage is lost
            broken += 1
        except Exception as error:
            raise TransientError(f"can't read {folder / name}: {type(error).__name__}: {error}") from error
        if broken:
            log.warning("%s has %d broken rows: their records count as not settled", folder / name, broken)


def _unpacked(file: Folder, start: int) -> Iterator[bytes]:
    blocks = _blocks(file, start)
    return inflate(blocks, str(file), BLOCK_BYTES) if file.name.endswith(".gz") else blocks


def _blocks(file: Folder, start: int) -> Iterator[bytes]:
    with file.open("rb") as stream:
        if start:
            stream.seek(start)
        while block := stream.read(BLOCK_BYTES):
            yield block


def _rescued(line: bytes | None) -> dict[str, Any] | None:
    """Give the row at the end of a broken line, where it was the end of the row before that was lost.

    What stands within that row, after a colon, a comma or a bracket, is none.
    """
    starts = (match.start() for match in _ROW.finditer(line or b"", 1))
    found = (_decoded(line[start:]) for start in islice(starts, MOST_STARTS) if line)
    return next((row for row in found if row is not None), None)


def _decoded(line: bytes | None) -> dict[str, Any] | None:
    """Give the row of a line; None when it is none, was longer than is held, or differs from its checksum."""
    try:
        row = None if line is None else msgspec.json.decode(_verified(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _verified(line: bytes) -> bytes:
    """Give a line without its checksum; nothing when it differs. A line that has none is taken as it is."""
    found = _CHECKSUM_AT_END.search(line, max(0, len(line) - _LONGEST_CHECKSUM))
    if found is None:
        return line
    row = line[: found.start()] + b"}"
    return row if crc32(row) == int(found[1], 16) else b""


_encoder = msgspec.json.Encoder()
_CHECKSUM = b',"crc32":"%08x"}\n'
_CHECKSUM_AT_END = re.compile(rb',"crc32":"([0-9a-f]{8})"\}\s*$')
_LONGEST_CHECKSUM = 40
