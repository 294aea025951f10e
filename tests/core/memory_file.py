"""MemoryFile: a ReadableFile without a disk."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any


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
