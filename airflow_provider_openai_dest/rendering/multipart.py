"""Multipart: a form with files as the API wants it, streamed from disk in 1 MiB pieces, and sendable again.

The field names follow the official SDK: scalar fields first and files last, ``expires_after[seconds]`` for an
object, ``include[]`` for a list, ``image[]`` for several files, booleans as ``true`` and ``false``.
"""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import as_text, encode_json, encode_text

PIECE_BYTES = 1 << 20

# What would end a name is percent-encoded, as in browsers and the official SDK; the backslash too, since parsers differ
# in what they take it for: python-multipart reads name="\\" as a name that goes on.
_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x20), ord('"'), ord("\\"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file of a form: ``open`` gives a new stream at every call, so that a retry reads it again.

    ``piece_bytes`` are held in memory while it is sent.
    """

    name: str
    filename: str
    size: int
    open: Callable[[], BinaryIO]
    piece_bytes: int = PIECE_BYTES

    @property
    def content_type(self) -> str:
        """The type guessed from the file name's extension, as the API does."""
        extension = PurePosixPath(self.filename).suffix
        return mimetypes.guess_type(f"file{extension}")[0] or "application/octet-stream"


class MultipartBody:
    """The bytes of a form, made while they are sent; ``length`` is known before.

    Raises RecordError for fields and file names that can't be written exactly.
    """

    def __init__(self, fields: Mapping[str, Any], files: Sequence[FilePart]) -> None:
        self.fields = fields
        self.files = tuple(files)
        self._boundary = secrets.token_hex(16)
        self._heads = [self._field(name, value) for name, value in flat_fields(fields)]
        self._files = [(self._file_head(part), part) for part in files]
        self._end = f"--{self._boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={self._boundary}"
        self.length = (
            sum(map(len, self._heads)) + sum(len(head) + part.size + 2 for head, part in self._files) + len(self._end)
        )

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes piece by piece; no piece is empty, which would be the end of a stream."""
        if self._heads:
            yield b"".join(self._heads)
        for head, part in self._files:
            yield head
            yield from _pieces(part)
            yield b"\r\n"
        yield self._end

    def preamble(self) -> bytes:
        """Give the fields, and of each file its head alone."""
        return b"".join([*self._heads, *(head for head, _ in self._files)])

    def _field(self, name: str, value: str) -> bytes:
        return encode_text(
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
        )

    def _file_head(self, part: FilePart) -> bytes:
        return encode_text(
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="{_quoted(part.name)}"; filename="{_quoted(part.filename)}"\r\n'
            f"Content-Type: {part.content_type}\r\n\r\n"
        )


def flat_fields(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Flatten a JSON object into form fields: ``a[b]`` for an object, ``a[]`` for a list; null is left out.

    Raises RecordError for what :func:`encode_json` refuses.
    """
    encode_json(fields)
    try:
        return [field for name, value in fields.items() for field in _flat(name, value)]
    except RecursionError:
        raise RecordError("unserializable", "the value is nested too deeply for a form") from None


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _flat(f"{name}[{inner}]", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(f"{name}[]", item)
    else:
        yield name, as_text(value)


def _pieces(part: FilePart) -> Iterator[bytes]:
    left = part.size
    with part.open() as stream:
        while left and (piece := stream.read(min(part.piece_bytes, left))):
            left -= len(piece)
            yield piece
        if left or stream.read(1):
            raise OSError(f"{part.filename}: the file's size changed while it was sent")


def _quoted(text: str) -> str:
    return text.translate(_ESCAPES)
