"""Duplicates: records whose request equals one that came before. Nothing is sent for them: they get its answer."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.sources.record import Record

Key = tuple[str | bytes, ...]
"""All that makes a request, or a record's part of a packed one: equal requests have equal keys, and no others."""

MOST_BYTES = 12 * 1024 * 1024
"""Answers that are kept for later duplicates: 1,500 vectors of 1,536 numbers."""

OWN_BYTES = 512
"""What an original takes beside its key and its answer."""

SEEN_WORDS = 1 << 19
"""Of 32 bits, two of which a request sets: 2 MB. Of a million different ones 1 % seem to have come before."""


class Original:
    """What is sent, and what others equal. ``end`` is what came of it, None until then: delivery says what that is.

    ``waiting`` are the records that get the same then.
    """

    __slots__ = ("end", "size", "waiting")

    def __init__(self) -> None:
        self.end: Any = None
        self.size = 0
        self.waiting: list[Record] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A record that gets what came, or will come, of an equal one."""

    record: Record
    original: Original


class Originals:
    """Finds the original of a request: while it is on its way, and then while its answer is among the last in use.

    Asked by the thread that renders, and told by the one that sends. A request that nobody equals costs no more than
    its key.

    :param keeps_all: keep every answer for a while; else, where answers are large, those to what came twice.
    :param most_bytes: answers are kept up to this size.
    """

    def __init__(self, *, keeps_all: bool, most_bytes: int = MOST_BYTES) -> None:
        self._keeps_all = keeps_all
        self._most_bytes = most_bytes
        self._on_their_way: dict[Key, Original | None] = {}
        self._kept: dict[Key, Original] = {}  # the one that was used last is the last
        self._bytes = 0
        self._seen = array("I", [0]) * (0 if keeps_all else SEEN_WORDS)
        self._lock = Lock()

    def find(self, key: Key) -> Original | None:
        """Give the original of a request; None when it is this request itself that is sent."""
        with self._lock:
            if key in self._on_their_way:
                original = self._on_their_way[key] = self._on_their_way[key] or Original()
                return original
            if self._kept and key in self._kept:
                original = self._kept[key] = self._kept.pop(key)
                return original
            is_wanted = not self._keeps_all and self._was_seen(key)
            self._on_their_way[key] = Original() if is_wanted else None
            return None

    def withdraw(self, key: Key) -> None:
        """Take back one that is not sent after all; called before another is looked for."""
        with self._lock:
            self._on_their_way.pop(key, None)

    def close(self, keys: Sequence[Key]) -> list[Original | None]:
        """Take those that have ended, and give the ones of which somebody wants to know what came of them.

        These can be found until they are forgotten: each must be told its ``end``, and then be kept or forgotten.
        """
        with self._lock:
            originals = [self._on_their_way.pop(key) for key in keys]
            if self._keeps_all:
                originals = [original or Original() for original in originals]
            if any(originals):
                self._kept.update((key, original) for key, original in zip(keys, originals, strict=True) if original)
        return originals

    def keep(self, key: Key, size: int) -> None:
        """Keep one whose answer takes so many bytes, and forget the oldest ones for it."""
        with self._lock:
            original = self._kept.get(key)
            if original is None:  # others have taken its room
                return
            original.size = size + sum(map(len, key)) + OWN_BYTES
            if original.size > self._most_bytes:
                del self._kept[key]
                return
            self._bytes += original.size
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.pop(next(iter(self._kept))).size

    def forget(self, key: Key) -> None:
        """Find one no more."""
        with self._lock:
            self._kept.pop(key, None)

    def _was_seen(self, key: Key) -> bool:
        """Tell whether a request has probably come before, and remember it."""
        hashed = hash(key)
        place, bits = hashed % SEEN_WORDS, 1 << (hashed >> 24 & 31) | 1 << (hashed >> 32 & 31)
        word = self._seen[place]
        self._seen[place] = word | bits
        return word & bits == bits


class Claim(msgspec.Struct, frozen=True):
    """The keys under which the records of a request are found as originals, one each."""

    originals: Originals
    keys: tuple[Key, ...]


def new_originals(endpoint: EndpointTemplate, deduplicate: bool | None = None) -> Originals | None:  # noqa: FBT001
    """Make what finds equal requests to an endpoint; None sends each.

    :param deduplicate: send equal requests once; None does so where the endpoint gives equal answers.
    """
    is_once = endpoint.deterministic if deduplicate is None else deduplicate
    return Originals(keeps_all=endpoint.packing is None) if is_once else None
