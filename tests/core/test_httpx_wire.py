"""The wire over transports of httpx, which stand in for connections here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.delivery.answer_bytes import MAX_REFUSAL_BYTES, UnusableAnswerError
from airflow_provider_openai_dest.delivery.httpx_wire import HttpxWire, single_connections
from airflow_provider_openai_dest.delivery.wire import (
    CONNECT_SECONDS,
    NoAnswerError,
    UnreadableBodyError,
    WireReply,
    WireRequest,
)
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody

REQUEST = WireRequest(
    method="POST",
    url="https://203.0.113.7/v1/x",
    headers={"host": "api.example", "content-length": "2", "x-team": "search"},
    content=b"{}",
    server_name="api.example",
)


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
        self.seen: list[httpx.Request] = []
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert not self.is_closed, "a closed connection was used"
        self.used += 1
        self.seen.append(request)
        await request.aread()
        given = self._connections.answering()
        if isinstance(given, Exception):
            raise given
        return given

    async def aclose(self) -> None:
        self.is_closed = True


def sent(
    connections: Connections, timeout: float = 5.0, request: WireRequest = REQUEST, secrets: tuple[str, ...] = ()
) -> WireReply:
    """Send one request."""
    return asyncio.run(HttpxWire(timeout, connections, secrets=secrets).send(request))


def unanswered(
    given: httpx.Response | Exception, timeout: float = 5.0, request: WireRequest = REQUEST
) -> NoAnswerError:
    """Send one request of which no whole answer comes."""
    with pytest.raises(NoAnswerError) as raised:
        sent(Connections(lambda: given), timeout, request)
    return raised.value


def test_a_request_goes_as_it_is() -> None:
    """To the address it names, with its headers and no others, under the name that TLS is to see."""
    connections = Connections()
    sent(connections, timeout=600.0)
    ((request,),) = (connection.seen for connection in connections.made)
    assert ("POST", REQUEST.url, b"{}") == (request.method, str(request.url), request.content)
    assert REQUEST.headers == dict(request.headers)
    assert request.extensions["sni_hostname"] == "api.example"


def test_a_request_without_a_body_has_none() -> None:
    """And says nothing of a length, nor of another name."""
    connections = Connections()
    sent(connections, request=WireRequest(method="GET", url="https://api.example/v1/models", headers={}))
    ((request,),) = (connection.seen for connection in connections.made)
    assert (b"", {"host": "api.example"}) == (request.content, dict(request.headers))
    assert "sni_hostname" not in request.extensions


@pytest.mark.parametrize(("timeout", "connect"), [(600.0, CONNECT_SECONDS), (3.0, 3.0)])
def test_connecting_has_a_time_of_its_own(timeout: float, connect: float) -> None:
    """Unless the whole is shorter."""
    connections = Connections()
    sent(connections, timeout)
    ((request,),) = (connection.seen for connection in connections.made)
    assert {"connect": connect, "read": timeout, "write": timeout, "pool": timeout} == request.extensions["timeout"]


def test_an_answer_is_read_whole() -> None:
    """Status, headers in any spelling, and content, in one piece."""
    reply = sent(Connections(lambda: answer(b'{"a"', b": 1}", status=201, X_Request_Id="r")))
    assert (201, "Created", b'{"a": 1}', "r", "r") == (
        reply.status_code,
        reply.reason_phrase,
        reply.content,
        reply.headers["x-request-id"],
        reply.headers["X-Request-ID"],
    )


def test_a_secret_that_the_server_echoes_is_cut_out() -> None:
    """Whatever a server says of the key, in body or headers, nobody after the wire sees it; short texts are left."""
    key = "gateway-0123456789"
    connections = Connections(lambda: answer(f"no such key {key}, s3".encode(), status=400, x_request_id=f"r {key}"))
    reply = sent(connections, secrets=(key, "s3"))
    assert (b"no such key ***, s3", "r ***") == (reply.content, reply.headers["X-Request-Id"])


def test_a_secret_is_not_in_the_reason_of_a_failure() -> None:
    """What a library says of a failed request may quote a header."""
    key = "gateway-0123456789"
    with pytest.raises(NoAnswerError) as raised:
        sent(Connections(lambda: httpx.LocalProtocolError(f"Illegal header value b'{key}'")), secrets=(key,))
    assert "LocalProtocolError: Illegal header value b'***'" == str(raised.value)


NEVER_LEFT = {
    "connection refused": httpx.ConnectError("refused"),
    "no connection in time": httpx.ConnectTimeout("slow"),
    "the proxy refuses": httpx.ProxyError("403"),
    "no place for it": httpx.PoolTimeout("full"),
    "a header that can't be sent": httpx.LocalProtocolError("Illegal header value"),
    "another protocol": httpx.UnsupportedProtocol("gopher"),
}


@pytest.mark.parametrize("case", NEVER_LEFT)
def test_a_request_that_never_left_is_told_so(case: str) -> None:
    """Nothing can have been billed."""
    error = unanswered(NEVER_LEFT[case])
    assert (False, type(NEVER_LEFT[case]).__name__) == (error.left, str(error).partition(":")[0])


MAY_HAVE_LEFT: dict[str, httpx.Response | Exception] = {
    "reset while it is sent": httpx.WriteError("reset"),
    "reset before the answer": httpx.ReadError("reset"),
    "closed before the answer": httpx.RemoteProtocolError("disconnected"),
    "no answer in time": httpx.ReadTimeout("slow"),
    "the system's own error": ConnectionResetError("reset"),
    "an answer that breaks off": httpx.Response(200, stream=Body(b"{", httpx.ReadError("reset"))),
}


@pytest.mark.parametrize("case", MAY_HAVE_LEFT)
def test_a_request_without_a_whole_answer_may_have_been_billed(case: str) -> None:
    """Nobody can know."""
    assert unanswered(MAY_HAVE_LEFT[case]).left


IMPOSSIBLE = {
    "a URL that is none": WireRequest(method="POST", url="https://[::1/", headers={}),
    "a port that is none": WireRequest(method="POST", url="https://a:99999999/", headers={}),
    "a header beyond ASCII": WireRequest(method="POST", url="https://a/", headers={"x": "ü€"}),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_request_that_can_not_be_made_never_left(case: str) -> None:
    """One record has it; it does not stop the others."""
    assert not unanswered(answer(b"{}"), request=IMPOSSIBLE[case]).left


def form(path: Path, size: int) -> WireRequest:
    """Give a request with a form of one file."""
    body = MultipartBody({}, [FilePart(name="file", filename="a", size=size, open=lambda: path.open("rb"))])
    headers = {"content-type": body.content_type, "content-length": str(body.length)}
    return WireRequest(method="POST", url="https://api.example/v1/files", headers=headers, content=body)


def test_a_form_is_streamed(tmp_path: Path) -> None:
    """With its length, not chunked."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    request, connections = form(tmp_path / "a", 3_000_000), Connections()
    sent(connections, request=request)
    ((seen,),) = (connection.seen for connection in connections.made)
    assert isinstance(request.content, MultipartBody)
    assert b"".join(request.content) == seen.content
    assert (str(len(seen.content)), None) == (seen.headers["content-length"], seen.headers.get("transfer-encoding"))


def test_a_file_that_vanished_is_no_lost_answer(tmp_path: Path) -> None:
    """The request never left whole."""
    with pytest.raises(UnreadableBodyError, match="can't read the file"):
        sent(Connections(), request=form(tmp_path / "gone", 100))


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
        with pytest.raises((NoAnswerError, UnusableAnswerError)):
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
    with pytest.raises(NoAnswerError, match=r"no whole answer within 0\.02 s") as raised:
        sent(connections, 0.02)
    assert raised.value.left


def test_the_body_is_closed_whatever_happens() -> None:
    """So that the connection knows that nobody reads on."""
    body = Body(b"x" * (MAX_REFUSAL_BYTES + 1), b"never read")
    sent(Connections(lambda: httpx.Response(500, stream=body)))
    assert (True, 1) == (body.is_closed, body.taken)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """It is an answer like another: the key goes nowhere else."""
    connections = Connections(lambda: answer(b"moved", status=status, location="https://elsewhere.example/"))
    reply = sent(connections)
    assert ([1], status, b"moved") == ([one.used for one in connections.made], reply.status_code, reply.content)


def test_each_real_transport_has_a_connection_of_its_own() -> None:
    """They share the TLS context; nothing is connected before something is sent."""

    async def run() -> tuple[httpx.AsyncBaseTransport, ...]:
        make = single_connections(ssl.create_default_context(), "http://user:password@proxy.example:3128")
        made = make(), make()
        for transport in made:
            await transport.aclose()
        return made

    first, second = asyncio.run(run())
    assert first is not second
