"""The place where requests leave, over transports that stand in for connections."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.answer_bytes import (
    MAX_ANSWER_BYTES,
    MAX_REFUSAL_BYTES,
    UnusableAnswerError,
    read_content,
)
from airflow_provider_openai_dest.delivery.wire import HttpxWire, MultipartStream, UnreadableBodyError
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody

REQUEST = httpx.Request("POST", "https://api.example/v1/x", content=b"{}")


class Body(httpx.AsyncByteStream):
    """A body that comes in pieces; None waits for ever, an exception breaks it off."""

    def __init__(self, *pieces: bytes | Exception | None) -> None:
        self._pieces = pieces
        self.is_closed = False
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if piece is None:
                await asyncio.Event().wait()
            elif isinstance(piece, Exception):
                raise piece
            else:
                self.taken += 1
                yield piece

    async def aclose(self) -> None:
        self.is_closed = True


def answer(*pieces: Any, status: int = 200, **headers: str) -> httpx.Response:
    """Give an answer whose body comes in these pieces."""
    return httpx.Response(
        status, headers={name.replace("_", "-"): value for name, value in headers.items()}, stream=Body(*pieces)
    )


@dataclass
class Connections:
    """Makes transports, which give what ``answering`` gives; knows which of them are open."""

    answering: Callable[[], httpx.Response | Exception] = lambda: answer(b"{}")
    made: list[Connection] = field(default_factory=list)

    def __call__(self) -> Connection:
        self.made.append(Connection(self))
        return self.made[-1]

    @property
    def open(self) -> int:
        """How many are not closed."""
        return sum(not connection.is_closed for connection in self.made)


class Connection(httpx.AsyncBaseTransport):
    """A transport with one connection."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.used = 0
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert not self.is_closed, "a closed connection was used"
        self.used += 1
        given = self._connections.answering()
        if isinstance(given, Exception):
            raise given
        return given

    async def aclose(self) -> None:
        self.is_closed = True


def sent(connections: Connections, timeout: float = 5.0) -> httpx.Response:
    """Send one request."""
    return asyncio.run(HttpxWire(timeout, connections).send(REQUEST))


def read(*pieces: bytes, status: int = 200, encoding: str | None = None, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Read the content of an answer."""
    headers = {} if encoding is None else {"content_encoding": encoding}
    return asyncio.run(read_content(answer(*pieces, status=status, **headers), max_bytes))


def test_an_answer_is_read_whole() -> None:
    """Status, headers and content, in one piece; what told of its packing on the way is gone."""
    response = sent(
        Connections(lambda: answer(b'{"a"', b": 1}", x_request_id="r", content_length="8", transfer_encoding="x"))
    )
    assert (200, {"a": 1}, "r") == (response.status_code, response.json(), response.headers["x-request-id"])
    assert {"x-request-id", "content-length"} == set(response.headers)


def test_a_secret_that_the_server_echoes_is_cut_out() -> None:
    """Whatever a server says of the key, in body or headers, nobody after the wire sees it; short texts are left."""
    key = "gateway-0123456789"
    connections = Connections(lambda: answer(f"no such key {key}, s3".encode(), status=400, x_request_id=f"r {key}"))
    response = asyncio.run(HttpxWire(5, connections, secrets=(key, "s3")).send(REQUEST))
    assert ("no such key ***, s3", "r ***") == (response.text, response.headers["x-request-id"])


def test_a_connection_is_used_again() -> None:
    """Requests that follow each other need one connection."""
    connections = Connections()

    async def run() -> None:
        wire = HttpxWire(5, connections)
        for _ in range(3):
            await wire.send(REQUEST)

    asyncio.run(run())
    assert [3] == [connection.used for connection in connections.made]


def test_two_requests_at_the_same_time_have_two_connections() -> None:
    """A connection carries one request at a time."""
    connections = Connections(lambda: answer(None))

    async def run() -> None:
        wire = HttpxWire(0.01, connections)
        await asyncio.gather(wire.send(REQUEST), wire.send(REQUEST), return_exceptions=True)

    asyncio.run(run())
    assert [1, 1] == [connection.used for connection in connections.made]


def test_the_connections_are_closed_at_the_end() -> None:
    """All of them."""
    connections = Connections()

    async def run() -> None:
        wire = HttpxWire(5, connections)
        await wire.send(REQUEST)
        await wire.aclose()

    asyncio.run(run())
    assert (1, 0) == (len(connections.made), connections.open)


BROKEN: dict[str, Callable[[], httpx.Response | Exception]] = {
    "no connection": lambda: httpx.ConnectError("refused"),
    "an answer that breaks off": lambda: answer(b"{", httpx.ReadError("reset")),
    "an answer that never ends": lambda: answer(b"{", None),
    "an answer that can't be unpacked": lambda: answer(b"nonsense", content_encoding="gzip"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_connection_that_failed_is_never_used_again(case: str) -> None:
    """Half an answer may still be in it."""
    connections = Connections(BROKEN[case])

    async def run() -> None:
        wire = HttpxWire(0.01, connections)
        with pytest.raises((httpx.TransportError, TimeoutError, UnusableAnswerError)):
            await wire.send(REQUEST)
        connections.answering = lambda: answer(b"{}")
        await wire.send(REQUEST)
        await wire.aclose()

    asyncio.run(run())
    assert [(1, True), (1, True)] == [(connection.used, connection.is_closed) for connection in connections.made]


def test_a_connection_of_a_cancelled_request_is_never_used_again() -> None:
    """The answer to the cancelled one would be taken for that of the next."""
    connections = Connections(lambda: answer(b"{", None))

    async def run() -> None:
        wire = HttpxWire(5, connections)
        task = asyncio.create_task(wire.send(REQUEST))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (1, 0) == (len(connections.made), connections.open)
        connections.answering = lambda: answer(b"{}")
        await wire.send(REQUEST)

    asyncio.run(run())
    assert len(connections.made) == 2


def test_the_time_is_for_the_whole_answer() -> None:
    """A body that drips is broken off when the time is over, however often a byte comes."""

    class Drip(Body):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.001)
                yield b" "

    connections = Connections(lambda: httpx.Response(200, stream=Drip()))
    with pytest.raises(TimeoutError, match=r"no whole answer within 0\.02 s"):
        sent(connections, 0.02)


def test_the_body_is_closed_whatever_happens() -> None:
    """So that the connection knows that nobody reads on."""
    body = Body(b"x" * (MAX_REFUSAL_BYTES + 1), b"never read")
    sent(Connections(lambda: httpx.Response(500, stream=body)))
    assert (True, 1) == (body.is_closed, body.taken)


def test_a_packed_answer_is_unpacked() -> None:
    """Though none was asked for."""
    packed = gzip.compress(b'{"a": 1}')
    response = sent(Connections(lambda: answer(packed[:9], packed[9:], content_encoding="gzip")))
    assert response.json() == {"a": 1}


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


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_an_answer_has_a_bound(encoding: str | None) -> None:
    """As many bytes as the bound pass, one more does not."""
    pack = gzip.compress if encoding else bytes
    assert len(read(pack(b"x" * 100), encoding=encoding, max_bytes=100)) == 100
    with pytest.raises(UnusableAnswerError, match="more than 100 bytes"):
        read(pack(b"x" * 101), encoding=encoding, max_bytes=100)


def test_a_bomb_is_refused_before_it_is_held() -> None:
    """64 kB of gzip that would be 64 MB are unpacked no further than the bound."""
    bomb = gzip.compress(b" " * 64_000_000, compresslevel=1)
    with pytest.raises(UnusableAnswerError, match="more than 33,554,432 bytes"):
        read(*(bomb[start : start + 65_536] for start in range(0, len(bomb), 65_536)), encoding="gzip")


@pytest.mark.parametrize(
    ("pieces", "encoding", "length"),
    [
        ([b"x" * 1000], None, 1000),
        ([b"x" * MAX_REFUSAL_BYTES * 2], None, MAX_REFUSAL_BYTES),
        ([b"no gzip"], "gzip", 0),
        ([b"x"], "br", 0),
        ([gzip.compress(b"x" * 10_000_000)], "gzip", MAX_REFUSAL_BYTES),
    ],
    ids=["short", "long", "broken", "packed otherwise", "a bomb"],
)
def test_a_refusal_is_cut_off_and_never_fails(pieces: list[bytes], encoding: str | None, length: int) -> None:
    """Its status says the rest."""
    assert length == len(read(*pieces, status=503, encoding=encoding))


@given(
    st.lists(st.binary(max_size=30), max_size=4),
    st.sampled_from([None, "gzip", "br", "identity"]),
    st.sampled_from([200, 500]),
)
def test_no_body_breaks_the_reading(pieces: list[bytes], encoding: str | None, status: int) -> None:
    """It is read, cut off, or told to be unusable."""
    try:
        content = read(*pieces, status=status, encoding=encoding)
    except UnusableAnswerError:
        assert (200, True) == (status, encoding in ("gzip", "br"))
    else:
        assert encoding in ("gzip", "br") or b"".join(pieces) == content


def multipart(path: Path, size: int) -> MultipartBody:
    """Give a form with one file."""
    return MultipartBody(
        {"purpose": "batch"}, [FilePart(name="file", filename="a", size=size, open=lambda: path.open("rb"))]
    )


async def streamed(body: MultipartBody) -> bytes:
    """Read a form as the wire does."""
    return b"".join([piece async for piece in MultipartStream(body)])


def test_a_form_is_streamed_as_it_is(tmp_path: Path) -> None:
    """Byte for byte, and again for a second attempt."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    body = multipart(tmp_path / "a", 3_000_000)
    first = asyncio.run(streamed(body))
    assert (body.length, b"".join(body)) == (len(first), first)
    assert first == asyncio.run(streamed(body))


def test_an_empty_piece_does_not_end_a_form() -> None:
    """A body without fields begins with nothing, and goes on."""

    class Pieces(MultipartBody):
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"", b"a", b"", b"b"])

    assert asyncio.run(streamed(Pieces({}, []))) == b"ab"


@pytest.mark.parametrize("content", [None, b"short"], ids=["gone", "shorter than it was"])
def test_a_file_that_can_not_be_read_is_no_lost_answer(tmp_path: Path, content: bytes | None) -> None:
    """The request never left whole, so nothing can have been billed."""
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(UnreadableBodyError, match="can't read the file"):
        asyncio.run(streamed(multipart(tmp_path / "a", 100)))
