"""MemoryFile: a ReadableFile without a disk."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self


@dataclass
class MemoryFile:
    """Bytes under a name; ``opened`` counts how often it was opened."""

    name: str
    data: bytes = b""
    folder: str = "mem://store"
    error: OSError | None = None
    opened: int = field(default=0, compare=False)

    def open(self, mode: str = "rb", /) -> Any:
        assert mode == "rb"
        self.opened += 1
        if self.error:
            raise self.error
        return BytesIO(self.data)

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"


def gzipped(name: str, data: bytes) -> MemoryFile:
    """Give ``data`` packed, under ``name`` and ``.gz``; the same bytes each time."""
    return MemoryFile(f"{name}.gz", gzip.compress(data, mtime=0))


@dataclass
class EndlessLineFile:
    """A file with a line of ``blocks`` times 256 KiB, made as it is read."""

    name: str
    before: bytes
    after: bytes
    blocks: int

    def open(self, mode: str = "rb", /) -> Any:
        assert mode == "rb"
        return _Stream(self._parts())

    def _parts(self) -> Iterator[bytes]:
        yield self.before
        for _ in range(self.blocks):
            yield b"x" * 256 * 1024
        if self.after:
            yield self.after


@dataclass
class _Stream:
    parts: Iterator[bytes]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read(self, _size: int = -1, /) -> bytes:
        return next(self.parts, b"")
