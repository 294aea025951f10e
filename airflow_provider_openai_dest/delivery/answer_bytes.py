"""Answer bytes: the body of an answer as it comes off the wire, unpacked and bounded before it is held."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import httpx

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Upper bound of an answer: several large images as base64."""

MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""Upper bound of an answer that came packed although none was asked for: it can grow a thousandfold."""

MAX_REFUSAL_BYTES = 64 * 1024
"""How much of a refusal is read; the status says the rest."""

_GZIP = 16 + zlib.MAX_WBITS

Unpack = Callable[[bytes, int], bytes]


class UnusableAnswerError(Exception):
    """An answer came, and can't be used: it is too large, or packed in a way that can't be read."""


async def read_content(response: httpx.Response) -> bytes:
    """Read the whole content of an answer; raises UnusableAnswerError. A refusal is cut off and never raises."""
    if not response.is_success:
        return await _read_refusal(response)
    unpack, limit = _unpacker(response)
    content = bytearray()
    async for piece in response.aiter_raw():
        content += unpack(piece, limit + 1 - len(content))
        if len(content) > limit:
            raise UnusableAnswerError(f"the answer has more than {limit:,} bytes")
    return bytes(content)


async def _read_refusal(response: httpx.Response) -> bytes:
    try:
        unpack, _ = _unpacker(response)
        content = bytearray()
        async for piece in response.aiter_raw():
            content += unpack(piece, MAX_REFUSAL_BYTES - len(content))
            if len(content) >= MAX_REFUSAL_BYTES:
                break
        return bytes(content)
    except UnusableAnswerError:
        return b""


def _unpacker(response: httpx.Response) -> tuple[Unpack, int]:
    """Give what unpacks a piece to at most so many bytes, and the bound of the whole."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return lambda piece, most: piece[:most], MAX_ANSWER_BYTES
    if encoding not in ("gzip", "x-gzip"):
        raise UnusableAnswerError(f"the answer is packed as {encoding[:40]!r}, which was not asked for")
    stream = zlib.decompressobj(_GZIP)

    def unpack(piece: bytes, most: int) -> bytes:
        try:
            return stream.decompress(piece, max(1, most))
        except zlib.error as error:
            raise UnusableAnswerError(f"the answer is no whole gzip: {error}") from None

    return unpack, MAX_UNPACKED_BYTES
