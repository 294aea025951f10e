"""Bytes split into lines, none of them longer than what memory is given for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LINE_BYTES = 64 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def split_lines(blocks: Iterable[bytes], line_bytes: int = LINE_BYTES) -> Iterator[bytes | None]:
    r"""Yield each line without its ``\n``, and None in place of one that is longer than ``line_bytes``.

    A UTF-8 byte order mark is taken off the first line. A last line need not end in ``\n``. Of a line that is too
    long, no more than ``line_bytes`` and one block are ever held. When ``blocks`` raises, the unfinished line goes
    with it: half a line is never taken for a whole one.
    """
    lines = _split(blocks, line_bytes)
    for first in lines:
        yield first.removeprefix(BYTE_ORDER_MARK) if first else first
        break
    yield from lines


def _split(blocks: Iterable[bytes], line_bytes: int) -> Iterator[bytes | None]:
    parts: list[bytes] = []
    length = 0
    for block in blocks:
        head, newline, rest = block.partition(b"\n")
        parts.append(head)
        length += len(head)
        if length > line_bytes:
            parts.clear()
        if not newline:
            continue
        yield b"".join(parts) if length <= line_bytes else None
        lines = rest.split(b"\n")
        parts = [lines.pop()]
        length = len(parts[0])
        yield from lines
    if length > line_bytes:
        yield None
    elif length:
        yield b"".join(parts)
