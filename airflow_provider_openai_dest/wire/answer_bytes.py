"""Answer bytes: the content of an answer as it comes off the wire, unpacked and bounded before it is held."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Upper bound of an answer: several large images as base64."""

MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""Upper bound of an answer that came packed although none was asked for: it can grow a thousandfold."""

MAX_REFUSAL_BYTES = 64 * 1024
"""How much of a refusal is read; its status says the rest."""


LARGE_BYTES = 1024 * 1024
"""A larger answer waits until there is room for it."""


class UnusableAnswerError(Exception):
    """An answer came, and can't be used: it is too large, or packed in a way that can't be read."""


async def _no_room_needed() -> None:
    pass


async def read_content(
    pieces: AsyncIterator[bytes],
    encoding: str = "",
    *,
    max_bytes: int = MAX_ANSWER_BYTES,
    make_room: Callable[[], Awaitable[None]] = _no_room_needed,
    into: Callable[[bytes], None] | None = None,
) -> bytes:
    """Read the content of an answer; raises UnusableAnswerError.

    :param encoding: the answer's ``content-encoding``.
    :param make_room: waited for, once, before more than :data:`LARGE_BYTES` are held.
    :param into: takes the pieces as they come; nothing is given back then.
    """
    unpacking = _unpacking(encoding)
    limit = min(max_bytes, unpacking.limit)
    read: list[bytes] = []
    keep = into or read.append
    size, may_grow = 0, False
    async for piece in pieces:
        unpacked = unpacking.unpack(piece, limit + 1 - size)
        size += len(unpacked)
        if size > limit:
            raise UnusableAnswerError(f"the answer has more than {limit:,} bytes")
        if not may_grow and size > LARGE_BYTES:
            may_grow = True
            await make_room()
        keep(unpacked)
    unpacking.end()
    return b"".join(read) if len(read) != 1 else read[0]


async def read_refusal(pieces: AsyncIterator[bytes], encoding: str = "") -> bytes:
    """Read the start of an answer that is no success: its status says the rest, so that nothing fails here."""
    content = bytearray()
    try:
        unpacking = _unpacking(encoding)
        async for piece in pieces:
            content += unpacking.unpack(piece, MAX_REFUSAL_BYTES - len(content))
            if len(content) >= MAX_REFUSAL_BYTES:
                break
    except UnusableAnswerError:
        return b""
    return bytes(content)


class _Unpacking(Protocol):
    limit: int

    def unpack(self, piece: bytes, most: int) -> bytes:
        """Unpack the next piece to at most so many bytes."""

    def end(self) -> None:
        """Raise UnusableAnswerError when something is missing."""


def _unpacking(encoding: str) -> _Unpacking:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _Plain()
    if encoding in ("gzip", "x-gzip"):
        return _Gzip()
    raise UnusableAnswerError(f"the answer is packed as {encoding[:40]!r}, which was not asked for")


class _Plain:
    limit = MAX_ANSWER_BYTES

    def unpack(self, piece: bytes, most: int) -> bytes:
        return piece[:most]

    def end(self) -> None:
        pass


class _Gzip:
    limit = MAX_UNPACKED_BYTES

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def unpack(self, piece: bytes, most: int) -> bytes:
        try:
            return self._stream.decompress(piece, most)
        except zlib.error as error:
            raise UnusableAnswerError(f"the answer is no gzip: {error}") from None

    def end(self) -> None:
        if not self._stream.eof:
            raise UnusableAnswerError("the answer is half a gzip")
