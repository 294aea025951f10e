"""ObjectFolder: a folder as object storage is, over fsspec: files are put whole, don't grow, and any call may fail.

It is what Airflow's ``ObjectStoragePath`` is to the package, without Airflow, over fsspec's local file system.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import IO, Any, Self

from fsspec.implementations.local import LocalFileSystem


class StorageFailure(Exception):  # noqa: N818 - as the clients of object storage, which raise what they like
    """What a client of object storage raises; no OSError, as botocore's are none."""


@dataclass(kw_only=True)
class Weather:
    """What goes wrong with the calls.

    :param share: share of the calls that fail, of the kinds in ``kinds``: ``put``, ``read``, ``list``.
    :param after_puts: puts that are let through before anything fails.
    :param room: bytes that fit; None is without end.
    :param put_seconds: how long each put takes.
    """

    share: float = 0.0
    kinds: tuple[str, ...] = ("put", "read", "list")
    after_puts: int = 0
    room: int | None = None
    put_seconds: float = 0.0
    seed: str = "1"
    puts: int = 0
    failed: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def check(self, kind: str) -> None:
        """Fail, or not."""
        is_due = kind in self.kinds and self.puts >= self.after_puts
        if is_due and self._random.random() < self.share:
            self.failed += 1
            raise StorageFailure(f"the storage does not answer ({kind})")

    def put(self, size: int) -> None:
        """Take so many bytes, or fail."""
        time.sleep(self.put_seconds)
        self.check("put")
        if self.room is not None:
            if size > self.room:
                self.failed += 1
                raise OSError(28, "No space left on device")
            self.room -= size
        self.puts += 1


class ObjectFolder:
    """A folder or a file.

    :param weather: shared by all that are reached from one.
    """

    def __init__(self, path: str, weather: Weather | None = None, system: LocalFileSystem | None = None) -> None:
        self._path = path.rstrip("/")
        self._weather = weather or Weather()
        self._system = system or LocalFileSystem(auto_mkdir=True)

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __truediv__(self, name: str) -> ObjectFolder:
        return ObjectFolder(f"{self._path}/{name}", self._weather, self._system)

    def __str__(self) -> str:
        return self._path

    def open(self, mode: str) -> IO[Any]:
        """Open for one put, or to be read."""
        if mode == "wb":
            return _Put(self)  # type: ignore[return-value]
        self._weather.check("read")
        opened: IO[Any] = self._system.open(self._path, mode)
        return opened

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Do nothing: there are no folders, only names."""

    def iterdir(self) -> Iterator[ObjectFolder]:
        """List the objects below."""
        self._weather.check("list")
        names = [path.rpartition("/")[2] for path in self._system.ls(self._path, detail=False)]
        return iter([self / name for name in names if not name.endswith(".part")])

    def exists(self) -> bool:
        """Look for the object."""
        self._weather.check("list")
        return bool(self._system.exists(self._path))

    def put(self, content: bytes) -> None:
        """Put the whole object at once. Rows are never put twice."""
        self._weather.put(len(content))
        if self._path.endswith(".jsonl") and self._system.exists(self._path):
            raise AssertionError(f"{self._path} would be overwritten")
        part = f"{self._path}.{os.getpid()}.part"  # fsspec's own way, autocommit=False, leaves the temp in $TMPDIR
        with self._system.open(part, "wb") as stream:
            stream.write(content)
        os.replace(part, self._path)  # noqa: PTH105 - within one file system: whole or not at all


class _Put:
    """A file on its way; it is there when it is closed."""

    def __init__(self, file: ObjectFolder) -> None:
        self._file = file
        self._content = bytearray()

    def write(self, content: bytes) -> int:
        self._content += content
        return len(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.put(bytes(self._content))
