"""ReadableFile: what a reader needs of a file, and its bytes block by block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.sources.gzip_stream import inflate

BLOCK_BYTES = 256 * 1024

_USER_INFO = re.compile(r"(?<=://)[^/]*@")
_GZIP_MAGIC = b"\x1f\x8b"


class ByteStream(Protocol):
    """An opened file: read it, and close it by leaving the ``with`` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...

    def read(self, size: int = ..., /) -> bytes:
        """Give up to ``size`` bytes; nothing is the end of the file."""


class ReadableFile(Protocol):
    """A file that can be opened again and again: ``pathlib.Path`` and Airflow's ``ObjectStoragePath`` both fit.

    ``str()`` of it is its path.
    """

    @property
    def name(self) -> str:
        """The last part of the path."""

    # The streams of pathlib and fsspec have no type in common, so what is opened can't be named more narrowly.
    def open(self, mode: Literal["rb"], /) -> Any:
        """Open the file for reading; a :class:`ByteStream` comes back."""


def location(file: ReadableFile) -> str:
    """Give the path of a file for messages."""
    return without_user_info(str(file))


def without_user_info(uri: str) -> str:
    """Take out the connection id, or user and password, that stand before the host of a URI."""
    return _USER_INFO.sub("", uri)


def read_blocks(file: ReadableFile, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, unpacked when it is gzipped.

    It is gzipped when it is named ``.gz``, and also when it begins as gzip does, since object stores keep
    compressed files under plain names (``Content-Encoding: gzip``).

    :raises RecordError: the gzip stream is broken; all that could be unpacked was yielded before.
    :raises ConfigurationError: there is no such file.
    :raises TransientError: the file can't be read now.
    """
    blocks = _stored_blocks(file, block_bytes)
    first = next(blocks, b"")
    stored = chain((first,), blocks)
    if file.name.lower().endswith(".gz") or first.startswith(_GZIP_MAGIC):
        return inflate(stored, location(file), block_bytes)
    return stored


def _stored_blocks(file: ReadableFile, block_bytes: int) -> Iterator[bytes]:
    try:
        opened: ByteStream = file.open("rb")
        with opened as stream:
            while block := stream.read(block_bytes):
                yield block
    except FileNotFoundError:
        raise ConfigurationError(f"{location(file)}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigurationError(
            f"{location(file)}: is a folder; name its files, for example with a pattern such as folder/*.jsonl"
        ) from None
    except OSError as error:
        raise TransientError(f"can't read {location(file)}: {error.strerror or type(error).__name__}") from error
