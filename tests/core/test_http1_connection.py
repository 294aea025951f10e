"""HTTP/1.1 connection: what it makes of bytes, however they come; over a transport that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.wire.answer_bytes import LARGE_BYTES
from airflow_provider_openai_dest.wire.http1_connection import (
    FEW_PIECES,
    MAX_HELD_BYTES,
    BrokenAnswerError,
    Http1Connection,
)
from tests.core.scripted_server import said

T = TypeVar("T")


class NoTransport(asyncio.Transport):
    """Takes what is written, and lets itself be told to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        self.is_reading = True
        self._is_closing = False

    def write(self, data: bytes) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    abort = close

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


def in_chunks(content: bytes) -> bytes:
    """Give an answer of one chunk."""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)


def connected(most_at_once: int = LARGE_BYTES) -> tuple[Http1Connection, NoTransport]:
    """Give a connection that holds so much of an answer at once."""
    connection, transport = Http1Connection(lambda status, headers: most_at_once), NoTransport()
    connection.connection_made(transport)
    return connection, transport


async def begun(connection: Http1Connection) -> asyncio.Task[bytes | None]:
    """Send a request."""
    exchange = asyncio.create_task(connection.exchange(b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.sleep(0)
    return exchange


async def content_of(connection: Http1Connection, exchange: asyncio.Task[bytes | None]) -> bytes:
    """Wait for the content, and for all its pieces."""
    content = await exchange
    return b"".join([piece async for piece in connection]) if content is None else content


def run(running: Coroutine[Any, Any, T]) -> T:
    """Run it for some seconds at most."""
    return asyncio.run(asyncio.wait_for(running, 5))


CONTENT = st.binary(max_size=40)
INTERIM = st.lists(
    st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n"]), max_size=2
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, bytes]:
    """Give an answer as it comes, its status and its content."""
    status, content, before = draw(st.sampled_from([200, 201, 404, 503])), draw(CONTENT), b"".join(draw(INTERIM))
    kind = draw(st.sampled_from(["length", "chunks", "nothing"]))
    if kind == "length":
        return before + said(content, f"{status} Status"), status, content
    if kind == "nothing":
        return before + b"HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n", 204, b""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=9), max_size=5))
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"HTTP/1.1 %d Status\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    return before + head + chunks + b"0\r\nX-Late: 1\r\n\r\n", status, b"".join(pieces)


@given(
    sequence=st.lists(answers(), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 300), max_size=12),
    most_at_once=st.sampled_from([0, 100, LARGE_BYTES]),
    waits=st.booleans(),
)
def test_each_request_gets_its_own_whole_answer(
    sequence: Sequence[tuple[bytes, int, bytes]],
    cuts: list[int],
    most_at_once: int,
    waits: bool,  # noqa: FBT001
) -> None:
    """However the bytes are cut, and whether or not somebody looks at each piece before the next one comes."""

    async def exchanged() -> list[tuple[int, bytes, bool]]:
        connection, _ = connected(most_at_once)
        got = []
        for answer, _, _ in sequence:
            exchange = await begun(connection)
            for start, end in pairwise(sorted({0, len(answer), *(cut % len(answer) for cut in cuts)})):
                connection.data_received(answer[start:end])
                if waits:
                    await asyncio.sleep(0)
            content = await content_of(connection, exchange)
            got.append((connection.status, content, "link" in connection.headers or "x-late" in connection.headers))
            assert connection.is_free
        return got

    assert [(status, content, False) for _, status, content in sequence] == run(exchanged())


@given(
    answer=answers(),
    tail=st.one_of(st.binary(max_size=40), answers().map(lambda answer: answer[0])),
    is_together=st.booleans(),
    most_at_once=st.sampled_from([0, LARGE_BYTES]),
)
def test_an_answer_stays_as_it_is_whatever_follows(
    answer: tuple[bytes, int, bytes],
    tail: bytes,
    is_together: bool,  # noqa: FBT001
    most_at_once: int,
) -> None:
    """And nothing but empty lines may follow, if the connection is to be used again."""

    async def exchanged() -> tuple[int, bytes, bool]:
        connection, _ = connected(most_at_once)
        exchange = await begun(connection)
        for piece in [answer[0] + tail] if is_together else [answer[0], tail]:
            connection.data_received(piece)
        content = await content_of(connection, exchange)
        assert not {"link", "x-late"} & connection.headers.keys()
        return connection.status, content, connection.is_free

    assert (answer[1], answer[2], not tail.strip(b"\r\n")) == run(exchanged())


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_at_all_raise_anything_else(garbage: bytes, cut: int) -> None:
    """It is an answer, or a broken one, or more must come."""

    async def exchanged() -> None:
        connection, _ = connected()
        exchange = await begun(connection)
        connection.data_received(b"HTTP/1.1 200 OK\r\n"[: cut % 18] + garbage[:cut])
        connection.data_received(garbage[cut:])
        connection.connection_lost(None)
        await asyncio.wait([exchange])
        assert exchange.exception() is None or isinstance(exchange.exception(), BrokenAnswerError)
        assert not connection.is_free

    run(exchanged())


def test_a_server_must_wait_while_nobody_takes_the_pieces() -> None:
    """So much is held, and reading goes on when all of it is taken."""

    async def exchanged() -> list[bool]:
        connection, transport = connected(0)
        exchange = await begun(connection)
        connection.data_received(said(b"", Content_Length=str(4 * MAX_HELD_BYTES)))
        reads = [transport.is_reading]
        for _ in range(2):
            connection.data_received(b"x" * (MAX_HELD_BYTES // 2))
            reads.append(transport.is_reading)
        assert await exchange is None
        for _ in range(2):
            assert MAX_HELD_BYTES // 2 == len(await anext(connection))
            reads.append(transport.is_reading)
        return reads

    assert [True, True, False, False, True] == run(exchanged())


def test_an_idle_connection_holds_no_answer() -> None:
    """There may be hundreds of them, and an answer has up to a megabyte."""

    async def exchanged() -> int:
        connection, _ = connected()
        exchange = await begun(connection)
        connection.data_received(said(b"x" * 100_000))
        assert 100_000 == len(await content_of(connection, exchange))
        return sum(map(len, connection._body))

    assert 0 == run(exchanged())


def test_tiny_chunks_are_not_held_for_ever() -> None:
    """Each takes more room than its bytes, and the server must wait for that, too."""

    async def held() -> int:
        connection, transport = connected()
        await begun(connection)
        connection.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunks = 0
        while transport.is_reading:
            connection.data_received(b"2\r\nab\r\n" * 1000)
            chunks += 1000
        return chunks

    assert run(held()) < LARGE_BYTES // 50


@pytest.mark.parametrize(("pieces", "given"), [(FEW_PIECES, 2), (FEW_PIECES + 1, 2 * FEW_PIECES + 2)])
def test_many_pieces_are_given_as_one(pieces: int, given: int) -> None:
    """They are small then, and each would take more room than its bytes with whoever collects them."""

    async def exchanged() -> int:
        connection, _ = connected(0)
        exchange = await begun(connection)
        connection.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2\r\nab\r\n" * pieces)
        assert await exchange is None
        return len(await anext(connection))

    assert given == run(exchanged())


NOT_FREE = {
    "a part of the request is unsent": lambda connection, transport: setattr(transport, "unsent", 1),
    "it is closing": lambda connection, transport: transport.close(),
    "it was lost": lambda connection, transport: connection.connection_lost(None),
    "it was closed here": lambda connection, transport: connection.close(),
    "its time was over": lambda connection, transport: connection.expire(),
}


@pytest.mark.parametrize("case", NOT_FREE)
def test_a_connection_is_not_used_again_when(case: str) -> None:
    """The answer is whole all the same."""

    async def exchanged() -> tuple[bytes, bool, bool]:
        connection, transport = connected()
        exchange = await begun(connection)
        connection.data_received(said(b"good"))
        was_free = connection.is_free
        NOT_FREE[case](connection, transport)
        return await content_of(connection, exchange), was_free, connection.is_free

    assert (b"good", True, False) == run(exchanged())


def test_a_connection_that_is_not_read_from_is_not_used_again() -> None:
    """Its last answer was whole, but nobody took it, so that no other one would be read."""

    async def exchanged() -> bool:
        connection, transport = connected(0)
        await begun(connection)
        connection.data_received(in_chunks(b"x" * 2 * MAX_HELD_BYTES))
        assert not transport.is_reading
        return connection.is_free

    assert not run(exchanged())


def test_half_an_answer_without_a_length_is_none_when_it_is_closed_here() -> None:
    """Only the server's end of it is the end of the answer."""

    async def exchanged(end: str) -> Any:
        connection, _ = connected(0)
        exchange = await begun(connection)
        connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        assert await exchange is None
        half = await anext(connection)
        if end == "here":
            connection.close()
        connection.connection_lost(None)
        try:
            return half + await content_of(connection, exchange)
        except BrokenAnswerError as error:
            return str(error)

    ends = [run(exchanged(end)) for end in ("there", "here")]
    assert [b"half", "the connection was closed before the answer was whole"] == ends
