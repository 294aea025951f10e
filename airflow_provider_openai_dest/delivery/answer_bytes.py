"""Answer bytes: the content of an answer as it comes off the wire, unpacked and bounded before it is held."""

from __future__ import annotations

import zlib
from typing import Protocol

import httpx

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Upper bound of an answer: several large images as base64."""

MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""Upper bound of an answer that came packed although none was asked for: it can grow a thousandfold."""

MAX_REFUSAL_BYTES = 64 * 1024
"""How much of a refusal is read; its status says the rest."""


class UnusableAnswerError(Exception):
    """An answer came, and can't be used: it is too large, or packed in a way that can't be read."""


async def read_content(response: httpx.Response, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Read the content of an answer; raises UnusableAnswerError. A refusal is cut off and never raises."""
    if not response.is_success:
        return await _read_refusal(response)
    unpacking = _unpacking(response)
    limit = min(max_bytes, unpacking.limit)
    content = bytearray()
    async for piece in response.aiter_raw():
        content += unpacking.unpack(piece, limit + 1 - len(content))
        if len(content) > limit:
            raise UnusableAnswerError(f"the answer has more than {limit:,} bytes")
    unpacking.end()
    return bytes(content)


async def _read_refusal(response: httpx.Response) -> bytes:
    content = bytearray()
    try:
        unpacking = _unpacking(response)
        async for piece in response.aiter_raw():
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


def _unpacking(response: httpx.Response) -> _Unpacking:
    encoding = response.headers.get("content-encoding", "").strip().lower()
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
