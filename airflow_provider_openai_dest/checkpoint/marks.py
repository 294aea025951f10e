"""Marks: 16 bytes for each settled record, so that a resume need not read the answers again.

Each file of marks stands for a stretch of a log of rows, and is put beside it, never overwritten. One that is missing
or damaged costs time only: the rows themselves are read then.
"""

from __future__ import annotations

import logging
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import msgspec

from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.settled import end_of, key_hash, was_delivered
from airflow_provider_openai_dest.exceptions import SinkError, TransientError
from airflow_provider_openai_dest.manifest import Tally
from airflow_provider_openai_dest.sinks.folder import Folder, put_file

log = logging.getLogger(__name__)

ROLL_RECORDS = 16_384
"""Settled records in one file of marks: so many rows are read at most, for each try, at a resume."""

LEAST_RECORDS = 1024
"""Fewer are not worth a file when the try ends."""


class _Head(msgspec.Struct):
    begin: int
    end: int
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Marks:
    """What one file says: pairs of key hash and end, in the order in which they were settled.

    ``begin`` and ``end`` are the stretch of the log of rows, in bytes of a local file or in segments.
    """

    begin: int
    end: int
    pairs: array[int]
    summary: dict[str, Any]

    def newest_first(self) -> Iterator[tuple[int, int]]:
        """Give key hash and end of each record."""
        pairs = self.pairs
        return ((pairs[place], pairs[place + 1]) for place in range(len(pairs) - 2, -1, -2))

    def delivered_only(self) -> Marks:
        """Give the marks without those of rejected records, and without the kinds of rejection."""
        pairs = array("q")
        for place in range(0, len(self.pairs), 2):
            if was_delivered(self.pairs[place + 1]):
                pairs.extend(self.pairs[place : place + 2])
        return Marks(self.begin, self.end, pairs, self.summary | {"kinds": []})


class MarksLog:
    """Collects the marks of outcomes whose rows are durable, and writes them when they are many.

    :param name: start of every file's name, that of the log of rows.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._files = self._begin = self._end = 0
        self._forget()

    def add(self, outcomes: Sequence[tuple[Outcome, str | None]], end: int) -> None:
        """Take outcomes with the digests in their rows, durable up to ``end`` in the log."""
        for outcome, record_digest in outcomes:
            self._pairs.append(key_hash(outcome.record.key))
            self._pairs.append(end_of(outcome.status, record_digest))
            self._tally.remember(outcome)
        self._end = end
        if len(self._pairs) >= 2 * ROLL_RECORDS:
            self._put()

    def close(self) -> None:
        """Write the rest, when it is worth it."""
        if len(self._pairs) >= 2 * LEAST_RECORDS:
            self._put()

    def _put(self) -> None:
        head = _Head(self._begin, self._end, self._tally.summary())
        content = msgspec.json.encode(head) + b"\n" + _little_endian(self._pairs).tobytes()
        try:
            put_file(self._folder, f"{self._name}-{self._files:06d}.bin", b"%08x\n" % crc32(content) + content)
        except SinkError as error:  # a gap, behind which the rows are read: it costs time only
            log.warning("Marks of settled records could not be written: %s", error)
        self._files += 1
        self._begin = self._end
        self._forget()

    def _forget(self) -> None:
        self._pairs = array("q")
        self._tally = Tally(max_inline_bytes=-1)


def read_marks(folder: Folder, names: Sequence[str]) -> list[Marks]:
    """Read the files of one log as far as they follow each other from its start without a gap.

    Raises TransientError when one is there and can't be read.
    """
    found: list[Marks] = []
    for name in sorted(names):
        try:
            with (folder / name).open("rb") as stream:
                content = stream.read()
        except Exception as error:
            raise TransientError(f"can't read {folder / name}: {type(error).__name__}: {error}") from error
        marks = _decoded(content)
        if marks is None:
            log.warning("%s is damaged: the rows are read instead", folder / name)
        if marks is None or marks.begin != (found[-1].end if found else 0):
            break
        found.append(marks)
    return found


def _decoded(content: bytes) -> Marks | None:
    """Read one file: its checksum, a line of JSON, and the pairs; None when anything is wrong with it."""
    checksum, _, content = content.partition(b"\n")
    if checksum != b"%08x" % crc32(content):
        return None
    line, _, rest = content.partition(b"\n")
    head = msgspec.json.decode(line, type=_Head)
    pairs = array("q")
    pairs.frombytes(rest)
    return Marks(head.begin, head.end, _little_endian(pairs), head.summary)


def _little_endian(pairs: array[int]) -> array[int]:
    if sys.byteorder == "big":
        pairs = array("q", pairs)
        pairs.byteswap()
    return pairs
