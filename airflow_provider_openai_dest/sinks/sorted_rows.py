"""Sorted rows: any number of them brought into the order of their positions, with bounded memory.

An external merge: runs that fit in memory are sorted and written to temporary files, and these are merged.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

Row = tuple[int, bytes]

RUN_ROWS = 50_000
RUN_BYTES = 24 * 1024 * 1024
"""A run is at most so long."""

FAN_IN = 200
"""Files merged at once; more of them are merged to one first."""

_HEAD = struct.Struct(">QQ")


def in_order(rows: Iterable[Row], *, run_rows: int = RUN_ROWS, run_bytes: int = RUN_BYTES) -> Iterator[Row]:
    """Give rows, each a position and a content, in the order of the positions.

    What is larger than a run takes as much of the temporary folder's disk as the rows have bytes.
    """
    with ExitStack() as stack:
        files: list[IO[bytes]] = []
        for run in _runs(rows, run_rows, run_bytes):
            files.append(_written(stack, run))
            run.clear()  # before the next one is collected
            if len(files) == FAN_IN:
                files = [_written(stack, heapq.merge(*map(_read, files)), closes=files)]
        yield from heapq.merge(*map(_read, files))


def _runs(rows: Iterable[Row], run_rows: int, run_bytes: int) -> Iterator[list[Row]]:
    run: list[Row] = []
    size = 0
    for row in rows:
        run.append(row)
        size += len(row[1])
        if len(run) >= run_rows or size >= run_bytes:
            run.sort()
            yield run
            run, size = [], 0
    run.sort()
    yield run


def _written(stack: ExitStack, rows: Iterable[Row], closes: Iterable[IO[bytes]] = ()) -> IO[bytes]:
    """Write rows into a temporary file, which goes with the stack, and close the files that they came from."""
    file: IO[bytes] = stack.enter_context(TemporaryFile(prefix="openai-dest-"))  # noqa: SIM115 - the stack closes it
    for position, content in rows:
        file.write(_HEAD.pack(position, len(content)))
        file.write(content)
    for other in closes:
        other.close()
    return file


def _read(file: IO[bytes]) -> Iterator[Row]:
    file.seek(0)
    while head := file.read(_HEAD.size):
        position, length = _HEAD.unpack(head)
        yield position, file.read(length)
