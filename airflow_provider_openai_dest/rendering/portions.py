"""Portions: a record whose input was cut into chunks, or whose values go in several requests, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import msgspec


class Span(NamedTuple):
    """Where a chunk comes from: the place of the input in the record's list, and its part of that.

    ``start`` and ``end`` count characters of a text, and tokens of a list of tokens; a character that is cut belongs to
    both chunks. ``tokens`` is the chunk's own length.
    """

    input: int
    start: int
    end: int
    tokens: int


class Chunk(NamedTuple):
    """One value of a request; ``span`` is None for a value that the record gave as it is."""

    value: Any
    tokens: int
    span: Span | None = None


class Portions(msgspec.Struct, frozen=True, kw_only=True):
    """What a record needs beside the values of its present request.

    ``later`` gives the chunks of the requests that follow, each once; None when this is the last one. ``items`` came of
    the requests before, ``usage`` is what these used, and ``cost`` the dollars for it, where they are known. ``spans``
    belong to all values so far, or are empty where nothing was cut. With ``is_averaged`` the vectors of each input
    become one; with ``names_input`` each says to which input of the record's list it belongs. Later tries know what
    came by ``digest``; ``is_kept`` tells that they will find it.
    """

    spans: tuple[Span, ...] = ()
    later: Iterator[Chunk] | None = None
    items: tuple[dict[str, Any], ...] = ()
    usage: Mapping[str, Any] | None = None
    cost: float | None = None
    digest: str = ""
    is_kept: bool = False
    is_averaged: bool = False
    names_input: bool = False


@dataclass(slots=True)
class Helping:
    """Chunks that go in one request."""

    chunks: list[Chunk] = field(default_factory=list)
    tokens: int = 0

    @property
    def spans(self) -> tuple[Span, ...]:
        """Give the spans of those that have one."""
        return tuple(chunk.span for chunk in self.chunks if chunk.span)


def take(chunks: Iterator[Chunk], *, max_values: int, max_tokens: int) -> tuple[Helping, Iterator[Chunk] | None]:
    """Take as many chunks as go in one request, at least one, and give what is left; None when that is nothing."""
    helping = Helping()
    for chunk in chunks:
        is_full = len(helping.chunks) >= max_values or helping.tokens + chunk.tokens > max_tokens
        if helping.chunks and is_full:
            return helping, chain([chunk], chunks)
        helping.chunks.append(chunk)
        helping.tokens += chunk.tokens
    return helping, None
