"""The content of an answer as it comes off the wire: unpacked, and bounded before it is held."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.wire.answer_bytes import (
    LARGE_BYTES,
    MAX_ANSWER_BYTES,
    MAX_REFUSAL_BYTES,
    MAX_UNPACKED_BYTES,
    UnusableAnswerError,
    read_content,
    read_refusal,
)


async def coming(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Give these pieces as they come off a connection."""
    for piece in pieces:
        yield piece


def read(*pieces: bytes, encoding: str = "", max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Read the content of an answer."""
    return asyncio.run(read_content(coming(pieces), encoding, max_bytes=max_bytes))


def refused(*pieces: bytes, encoding: str = "") -> bytes:
    """Read the content of a refusal."""
    return asyncio.run(read_refusal(coming(pieces), encoding))


@pytest.mark.parametrize("pieces", [(), (b"",), (b"{}",), (b"{", b"", b'"a"', b": 1}")])
def test_an_answer_is_read_whole(pieces: tuple[bytes, ...]) -> None:
    """In however many pieces it comes."""
    assert b"".join(pieces) == read(*pieces)


def test_a_packed_answer_is_unpacked() -> None:
    """Though none was asked for."""
    packed = gzip.compress(b'{"a": 1}')
    assert read(packed[:9], packed[9:], encoding="gzip") == b'{"a": 1}'


@pytest.mark.parametrize(
    ("pieces", "encoding"),
    [
        ([b"no gzip"], "gzip"),
        ([gzip.compress(b"x" * 100)[:-9]], "gzip"),
        ([], "gzip"),
        ([zlib.compress(b"{}")], "deflate"),
        ([b"{}"], "br"),
        ([b"{}"], "gzip, br"),
    ],
    ids=["no gzip", "half a gzip", "nothing", "deflate", "brotli", "twice"],
)
def test_an_answer_packed_otherwise_can_not_be_used(pieces: list[bytes], encoding: str) -> None:
    """It is told so, and the run goes on."""
    with pytest.raises(UnusableAnswerError):
        read(*pieces, encoding=encoding)


@pytest.mark.parametrize("encoding", ["identity", "", "gzip", "x-gzip", " GZIP "])
def test_an_answer_may_say_how_it_is_packed_in_any_spelling(encoding: str) -> None:
    """Or say that it is not."""
    content = gzip.compress(b"{}") if "gzip" in encoding.lower() else b"{}"
    assert read(content, encoding=encoding) == b"{}"


@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize("piece", [1000, 7])
def test_an_answer_has_a_bound(encoding: str, piece: int) -> None:
    """As many bytes as the bound pass, one more does not."""

    def cut(size: int) -> list[bytes]:
        content = gzip.compress(b"x" * size) if encoding else b"x" * size
        return [content[start : start + piece] for start in range(0, len(content), piece)]

    assert len(read(*cut(100), encoding=encoding, max_bytes=100)) == 100
    with pytest.raises(UnusableAnswerError, match="more than 100 bytes"):
        read(*cut(101), encoding=encoding, max_bytes=100)


def test_a_bomb_is_refused_before_it_is_held() -> None:
    """Little gzip that would be twice the bound is unpacked no further than the bound."""
    bomb = gzip.compress(bytes(2 * MAX_UNPACKED_BYTES), compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(UnusableAnswerError, match="more than 33,554,432 bytes"):
            read(*(bomb[start : start + 65_536] for start in range(0, len(bomb), 65_536)), encoding="gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.7 * MAX_UNPACKED_BYTES


@pytest.mark.parametrize(
    ("pieces", "encoding", "length"),
    [
        ([b"x" * 1000], "", 1000),
        ([b"x" * MAX_REFUSAL_BYTES * 2], "", MAX_REFUSAL_BYTES),
        ([b"x" * MAX_REFUSAL_BYTES, b"y"], "", MAX_REFUSAL_BYTES),
        ([b"no gzip"], "gzip", 0),
        ([b"x"], "br", 0),
        ([gzip.compress(b"x" * 10_000_000)], "gzip", MAX_REFUSAL_BYTES),
    ],
    ids=["short", "long", "long in two", "broken", "packed otherwise", "a bomb"],
)
def test_a_refusal_is_cut_off_and_never_fails(pieces: list[bytes], encoding: str, length: int) -> None:
    """Its status says the rest."""
    assert length == len(refused(*pieces, encoding=encoding))


def test_no_more_of_a_refusal_is_read_than_is_kept() -> None:
    """It may never end."""
    taken = 0

    def endless() -> Iterable[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 1024

    asyncio.run(read_refusal(coming(endless())))
    assert taken == MAX_REFUSAL_BYTES / 1024


def test_a_small_answer_needs_no_room() -> None:
    """As large as that it may be, not a byte more."""
    asked = []

    async def make_room() -> None:
        asked.append(1)

    def rooms(size: int) -> int:
        asked.clear()
        asyncio.run(read_content(coming([b"x"] * 10 + [b"x" * (size - 10)]), make_room=make_room))
        return len(asked)

    assert [0, 1] == [rooms(LARGE_BYTES), rooms(LARGE_BYTES + 1)]


def test_a_large_answer_waits_for_room_once() -> None:
    """No more of it is taken until there is some, and then all."""

    async def run() -> list[int]:
        free, taken = asyncio.Event(), 0

        def pieces() -> Iterable[bytes]:
            nonlocal taken
            for _ in range(8):
                taken += 1
                yield b"x" * LARGE_BYTES

        async def make_room() -> None:
            await free.wait()

        reading = asyncio.ensure_future(read_content(coming(pieces()), make_room=make_room))
        for _ in range(5):
            await asyncio.sleep(0)
        before = taken
        free.set()
        return [before, len(await reading), taken]

    assert [2, 8 * LARGE_BYTES, 8] == asyncio.run(run())


@given(st.lists(st.binary(max_size=30), max_size=4), st.sampled_from(["", "gzip", "br", "identity"]))
def test_no_body_breaks_the_reading(pieces: list[bytes], encoding: str) -> None:
    """It is read, cut off, or told to be unusable."""
    try:
        content = read(*pieces, encoding=encoding)
    except UnusableAnswerError:
        assert encoding in ("gzip", "br")
    else:
        assert encoding in ("gzip", "br") or b"".join(pieces) == content


@given(st.lists(st.binary(max_size=30), max_size=4), st.sampled_from(["", "gzip", "br", "identity"]))
def test_no_body_breaks_the_reading_of_a_refusal(pieces: list[bytes], encoding: str) -> None:
    """It is read, or is nothing."""
    assert refused(*pieces, encoding=encoding) in (b"".join(pieces), b"")
