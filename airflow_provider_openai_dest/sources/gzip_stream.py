"""A gzip stream unpacked block by block; a broken one gives all that stands before the damage."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from airflow_provider_openai_dest.exceptions import RecordError

_GZIP = 31  # wbits: a gzip header, the largest window


def inflate(blocks: Iterable[bytes], where: str, block_bytes: int) -> Iterator[bytes]:
    """Unpack gzip members that follow each other, in blocks of ``block_bytes`` at most.

    :param where: the name of the file, for the message.
    :raises RecordError: ``broken_file`` with the offset in the packed file, after all that could be unpacked.
    """
    stream = zlib.decompressobj(_GZIP)
    offset = 0
    for block in blocks:
        packed = block
        while packed:
            if stream.eof:
                padding = len(packed) - len(packed.lstrip(b"\0"))  # zeros may follow a member
                offset, packed = offset + padding, packed[padding:]
                if not packed:
                    break
                stream = zlib.decompressobj(_GZIP)
            before = stream.copy()
            try:
                unpacked = stream.decompress(packed, block_bytes)
            except zlib.error as error:
                rescued, good_bytes = _rescue(before, packed)
                yield rescued
                raise _broken(where, offset + good_bytes, str(error)) from None
            yield unpacked
            left = stream.unused_data or stream.unconsumed_tail
            offset += len(packed) - len(left)
            packed = left
    if not stream.eof:
        yield stream.flush()
        raise _broken(where, offset, "it ends too soon")


def _rescue(stream: zlib._Decompress, block: bytes) -> tuple[bytes, int]:
    """Give what can be unpacked before the damage in ``block``, and how many packed bytes that took, by halving."""
    rescued = b""
    good_bytes = 0
    while block:
        half = block[: max(1, len(block) // 2)]
        attempt = stream.copy()
        try:
            rescued += attempt.decompress(half)
        except zlib.error:
            block = half if len(half) < len(block) else b""
        else:
            stream = attempt
            good_bytes += len(half)
            block = block[len(half) :]
    return rescued, good_bytes


def _broken(where: str, offset: int, reason: str) -> RecordError:
    return RecordError(
        "broken_file",
        f"{where}: the gzip stream is broken at byte {offset} ({reason}); "
        "what stands after it was not read, nor the record that it cuts",
    )
