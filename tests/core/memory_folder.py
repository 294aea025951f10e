"""MemoryFolder: a folder without a disk, which behaves as object storage does: files are put whole and don't grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any


@dataclass
class Store:
    """Files by name; ``fails`` is raised by the operations named in ``failing`` (``read``, ``write``, ``list``)."""

    files: dict[str, bytes] = field(default_factory=dict)
    fails: Exception = field(default_factory=lambda: PermissionError("access denied"))
    failing: set[str] = field(default_factory=set)
    puts: int = 0

    def check(self, operation: str) -> None:
        """Fail when it is told to."""
        if operation in self.failing:
            raise self.fails


@dataclass(frozen=True)
class MemoryFolder:
    """A folder, or a file, of a store."""

    store: Store = field(default_factory=Store)
    path: str = "mem://results"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __truediv__(self, name: str) -> MemoryFolder:
        return MemoryFolder(self.store, f"{self.path}/{name}")

    def __str__(self) -> str:
        return self.path

    def open(self, mode: str) -> IO[Any]:
        if mode == "wb":
            self.store.check("write")
            return _Writing(self)
        self.store.check("read")
        if self.path not in self.store.files:
            raise FileNotFoundError(self.path)
        return BytesIO(self.store.files[self.path])

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        assert (parents, exist_ok) == (True, True)

    def iterdir(self) -> Iterator[MemoryFolder]:
        self.store.check("list")
        found = [path for path in self.store.files if path.startswith(f"{self.path}/")]
        if not found:
            raise FileNotFoundError(self.path)
        return iter([MemoryFolder(self.store, path) for path in found])

    def exists(self) -> bool:
        self.store.check("list")
        return self.path in self.store.files


class _Writing(BytesIO):
    """A file on its way; it is there when it is closed."""

    def __init__(self, file: MemoryFolder) -> None:
        super().__init__()
        self._file = file

    def close(self) -> None:
        if not self.closed:
            self._file.store.files[self._file.path] = self.getvalue()
            self._file.store.puts += 1
        super().close()
