"""File range: a part of a file, read for itself, so that several parts can go at once."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, cast

from airflow_provider_openai_dest.rendering.multipart import FilePart


def file_range(file: FilePart, start: int, size: int, *, name: str, filename: str, piece_bytes: int) -> FilePart:
    """Give ``size`` bytes of a file from ``start`` on as a file of a form; each opening of it seeks there.

    :param name: the form's field.
    :param filename: what the form calls it.
    :param piece_bytes: bytes held in memory while it is sent.
    """

    def open_range() -> BinaryIO:
        return cast("BinaryIO", _Range(file.open, start, size))

    return FilePart(name=name, filename=filename, size=size, open=open_range, piece_bytes=piece_bytes)


class _Range:
    """A stream that begins at ``start`` and ends after ``size`` bytes, as far as a form reads streams."""

    def __init__(self, opened: Callable[[], BinaryIO], start: int, size: int) -> None:
        self._stream = opened()
        self._stream.seek(start)
        self._left = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._left))
        self._left -= len(content)
        return content
