"""What only the direct wire does: what it makes of odd and hostile servers, and what it hands on to the wire below."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from msgspec.structs import replace

from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.wire.aiohttp_wire import PIECE_BYTES
from airflow_provider_openai_dest.wire.direct_wire import DirectWire
from airflow_provider_openai_dest.wire.http1_connection import MAX_HEAD_BYTES
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.wire import NoAnswerError, WireReply, WireRequest
from tests.core.scripted_server import Received, by_turns, closed_port, reset, said, says, says_bytes, served
from tests.core.tls_parts import CLIENT
from tests.core.wire_parts import CHUNKED, REQUEST, at, direct_wire, end_of, loops_by, talk


@pytest.fixture(autouse=True, params=[None, uvloop.EventLoopPolicy()], ids=["asyncio", "uvloop"])
def each_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let every test hold in either event loop."""
    with loops_by(request.param):
        yield


class WireBelow:
    """Takes what is handed on."""

    def __init__(self) -> None:
        self.requests: list[WireRequest] = []

    async def send(self, request: WireRequest) -> WireReply:
        self.requests.append(request)
        return WireReply(200, {}, b"from below")

    async def aclose(self) -> None:
        pass


GOOD = said(b"good", X_Whose="good")
OTHER = said(b"other", "299 Other", X_Other="other")

# -- what is no answer, or no more than one ----------------------------------------------------------

INTERIM = {
    "one": (b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,),
    "with headers": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Whose: hint\r\n\r\n" + GOOD,),
    "several": (b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" * 9 + GOOD,),
    "apart": (b"HTTP/1.1 100 Continue\r\n", b"\r\nHTTP/1.1 103 Early", b" Hints\r\n\r\n", GOOD),
    "more than a head may have": (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_HEAD_BYTES // 20), GOOD),
}


@pytest.mark.parametrize("case", INTERIM)
def test_interim_answers_are_passed_over(case: str) -> None:
    """The final one is the answer, with nothing of theirs."""
    talked = talk(says_bytes(*INTERIM[case]), REQUEST, REQUEST)
    assert (200, "OK", b"good") == (talked.reply.status_code, talked.reply.reason_phrase, talked.reply.content)
    assert {"content-length": "4", "x-whose": "good"} == talked.reply.headers
    assert 1 == len(talked.server.connections)


UNASKED = {
    "another answer": OTHER,
    "half of one": OTHER[:20],
    "the first byte of one": OTHER[:1],
    "one after an empty line": b"\r\n" + OTHER,
    "an interim one": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\n\r\n",
    "what is no HTTP": b"\0\1\2",
}


@pytest.mark.parametrize("case", UNASKED)
def test_what_follows_an_answer_in_the_same_packet_changes_nothing(case: str) -> None:
    """Neither this answer nor the next one: the connection is not used again."""
    talked = talk(by_turns(says_bytes(GOOD + UNASKED[case]), says()), REQUEST, REQUEST)
    first = talked.ends[0]
    assert isinstance(first, WireReply)
    assert (200, "OK", b"good") == (first.status_code, first.reason_phrase, first.content)
    assert {"content-length": "4", "x-whose": "good"} == first.headers
    assert (b"{}", 2) == (talked.reply.content, len(talked.server.connections))


@pytest.mark.parametrize("case", UNASKED)
def test_what_comes_over_an_idle_connection_ends_it(case: str) -> None:
    """It is nobody's answer, and above all not the next one's."""

    async def run() -> tuple[bytes, int]:
        async with served(by_turns(says_bytes(OTHER), says_bytes(GOOD))) as server:
            wire = direct_wire()
            await wire.send(at(server))
            server.connections[0].write(UNASKED[case])
            await asyncio.gather(*server.tasks)
            reply = await wire.send(at(server))
            await wire.aclose()
            return reply.content, len(server.connections)

    assert (b"good", 2) == asyncio.run(run())


HEAD = b"HTTP/1.1 200 OK\r\n"
LARGE_HEAD = b"x" * MAX_HEAD_BYTES
BROKEN = {
    "another protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + GOOD,
    "another protocol, unnamed": b"HTTP/1.1 101 Switching\r\n\r\n" + GOOD,
    "an interim answer with content": b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n{}" + GOOD,
    "no number for a status": b"HTTP/1.1 OK\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 1\r\n\r\n{}",
    "two lengths in one": HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    "a negative length": HEAD + b"Content-Length: -2\r\n\r\n{}",
    "a length beyond all bounds": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and a length": CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond all bounds": CHUNKED + b"fffffffffffffffff\r\n{}",
    "a chunk that is longer than it says": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "a header with a lone CR": HEAD + b"X-A: 1\rX-B: 2\r\nContent-Length: 2\r\n\r\n{}",
    "an endless header": HEAD + b"X-A: " + LARGE_HEAD,
    "endless headers": HEAD + b"X-A: 1\r\n" * (MAX_HEAD_BYTES // 8),
    "an endless reason": b"HTTP/1.1 200 " + LARGE_HEAD,
    "endless lines": b"\r\n" * MAX_HEAD_BYTES,
    "an endless chunk extension": CHUNKED + b"2;" + LARGE_HEAD,
    "endless trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-A: 1\r\n" * MAX_HEAD_BYTES,
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_answer_is_no_answer(case: str) -> None:
    """Nobody waits for more of it; the request may have been billed, and the next one has a new connection."""
    talked = talk(by_turns(says_bytes(BROKEN[case]), says_bytes(GOOD)), REQUEST, REQUEST)
    lost = talked.ends[0]
    assert isinstance(lost, NoAnswerError), repr(lost)
    assert (True, True) == (lost.left, str(lost).startswith("the answer "))
    assert (b"good", 2) == (talked.reply.content, len(talked.server.connections))


ODD = {  # an answer, its status and its content; and whether its connection is used again
    "HTTP/1.0": (GOOD.replace(b"1.1", b"1.0"), 200, b"good", False),
    "HTTP/1.0 that stays": (said(b"good", Connection="keep-alive").replace(b"1.1", b"1.0"), 200, b"good", True),
    "the last one": (said(b"good", Connection="close"), 200, b"good", False),
    "the last one, and another": (said(b"good", Connection="close") + OTHER, 200, b"good", False),
    "nothing, with a length": (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", 204, b"", True),
    "nothing, with content": (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nother", 204, b"", False),
    "not modified, with a length": (b"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", 304, b"", True),
    "an upgrade that is only offered": (said(b"good", Connection="upgrade", Upgrade="h2c"), 200, b"good", True),
    "a status of no class": (said(b"good", "099 Odd"), 99, b"good", True),
    "chunks with extensions": (CHUNKED + b'4;a="b;c"\r\ngood\r\n0;d\r\n\r\n', 200, b"good", True),
    "empty lines around it": (b"\r\n" + GOOD + b"\r\n\r\n", 200, b"good", True),
    "a header over two lines": (HEAD + b"X-A: 1\r\n 2\r\nContent-Length: 4\r\n\r\ngood", 200, b"good", True),
    "a header with a NUL": (HEAD + b"X-A: 1\0\r\nContent-Length: 4\r\n\r\ngood", 200, b"good", True),
    "lines that end with LF alone": (b"HTTP/1.1 200 OK\nContent-Length: 4\n\ngood", 200, b"good", True),
    "a chunk's size with spaces": (CHUNKED + b"4  \r\ngood\r\n0\r\n\r\n", 200, b"good", True),
    "hundreds of headers": (HEAD + b"X-A: 1\r\n" * 999 + b"Content-Length: 4\r\n\r\ngood", 200, b"good", True),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_answer_is_an_answer(case: str) -> None:
    """With its own content, and a connection that is used again only where the server means it."""
    answer, status, content, stays = ODD[case]
    talked = talk(says_bytes(answer), REQUEST, REQUEST)
    assert [(status, content)] * 2 == [(end.status_code, end.content) for end in talked.ends]
    assert 2 - stays == len(talked.server.connections)


def test_trailers_are_no_headers() -> None:
    """What comes after the content has no say in what was decided by the headers."""
    reply = talk(says_bytes(CHUNKED + b"2\r\n{}\r\n0\r\nRetry-After: 9\r\nX-B: 2\r\n\r\n")).reply
    assert {"transfer-encoding": "chunked"} == reply.headers


def test_a_header_in_another_encoding_loses_nothing() -> None:
    """Its bytes can be had again."""
    reply = talk(says_bytes(HEAD + b"X-A: caf\xe9\r\nContent-Length: 2\r\n\r\n{}")).reply
    assert b"caf\xe9" == reply.headers["x-a"].encode("latin-1")


# -- large requests ----------------------------------------------------------------------------------

LARGE = replace(REQUEST, content=b"x" * 200_000, headers={})


def test_an_early_answer_is_read_though_the_rest_of_the_request_is_refused() -> None:
    """The server resets the connection after it, since it reads no more."""

    async def refuses(received: Received) -> None:
        await says(b"too large", "413 Content Too Large", Connection="close")(received)
        await asyncio.sleep(0.005)
        reset(received.writer)

    async def run() -> tuple[int, bytes]:
        async with served(refuses, reads_bodies=False) as server:
            wire = direct_wire()
            reply = await wire.send(at(server, LARGE))
            await wire.aclose()
            return reply.status_code, reply.content

    assert (413, b"too large") == asyncio.run(run())


def test_the_time_is_over_though_the_server_reads_nothing() -> None:
    """And the connection is closed, whatever of the request is still to be sent."""

    async def waits(received: Received) -> None:
        received.writer.transport.pause_reading()
        await ended.wait()
        received.writer.transport.resume_reading()
        await received.reader.read()

    async def run() -> NoAnswerError:
        async with served(waits, reads_bodies=False) as server:
            wire = direct_wire(0.03)
            lost = await end_of(wire, at(server, LARGE))
            ended.set()
            await asyncio.gather(*server.tasks)
            await wire.aclose()
            return lost

    ended = asyncio.Event()
    lost = asyncio.run(run())
    assert ("no whole answer within 0.03 s", True) == (str(lost), lost.left)


# -- ends --------------------------------------------------------------------------------------------

UNDER_WAY: dict[str, bytes] = {
    "silence": b"",
    "half of its length": said(b"{", Content_Length="9"),
    "half, without a length": HEAD + b"\r\n{",
    "half, in pieces": said(b"", Content_Encoding="gzip", Content_Length="9"),
}


@pytest.mark.parametrize("case", UNDER_WAY)
def test_closing_the_wire_ends_what_is_under_way(case: str) -> None:
    """Half an answer is none, nothing hangs, and every connection is closed."""

    async def begins(received: Received) -> None:
        await says_bytes(UNDER_WAY[case])(received)
        begun.set()

    async def run() -> NoAnswerError:
        async with served(begins) as server:
            wire = direct_wire()
            sending = asyncio.ensure_future(end_of(wire, at(server)))
            await begun.wait()
            await asyncio.sleep(0.005)
            await wire.aclose()
            await asyncio.gather(*server.tasks)
            return await sending

    begun = asyncio.Event()
    lost = asyncio.run(run())
    assert ("the connection was closed before the answer was whole", True) == (str(lost), lost.left)


def test_closing_the_wire_ends_what_is_being_dialled() -> None:
    """Nothing is sent any more."""

    async def run() -> tuple[bool, int]:
        async with served(says()) as server:
            wire = direct_wire()
            sending = asyncio.ensure_future(end_of(wire, at(server)))
            await asyncio.sleep(0)
            await wire.aclose()
            return (await sending).left, len(server.requests)

    assert (False, 0) == asyncio.run(run())


@pytest.mark.parametrize("size", [2, 3_000_000], ids=["small", "in pieces"])
def test_a_request_may_be_cancelled_at_any_moment(size: int) -> None:
    """The next one gets its own answer, and all connections but the idle ones are closed."""

    async def numbered(received: Received) -> None:
        content = received.line.split()[1].encode() * (size // 2)
        await says_bytes(said(content)[:30], said(content)[30:])(received)

    async def run() -> None:
        async with served(numbered) as server:
            wire = direct_wire()
            for ticks in range(25):
                cancelled = asyncio.ensure_future(end_of(wire, at(server, replace(REQUEST, url="/x"))))
                for _ in range(ticks):
                    await asyncio.sleep(0)
                cancelled.cancel()
                await asyncio.wait([cancelled])
                reply = await wire.send(at(server, replace(REQUEST, url="/y")))
                assert b"/y" * (size // 2) == reply.content
                reply.release()
            await wire.aclose()
            await asyncio.gather(*server.tasks)

    asyncio.run(run())


def test_a_request_that_may_have_left_once_is_told_so_when_it_can_not_leave_again() -> None:
    """It found its connection closed; that the server can't be reached any more says nothing of the first time."""

    async def run() -> NoAnswerError:
        async with served(says()) as server:
            wire = direct_wire()
            request = at(server, replace(REQUEST, method="DELETE"))
            await wire.send(request)
            server.listener.close()
            reset(server.connections[0])
            lost = await end_of(wire, request)
            await wire.aclose()
            return lost

    lost = asyncio.run(run())
    assert (True, True) == (lost.left, str(lost).startswith("the connection was lost"))


def test_a_request_that_got_half_an_answer_is_not_sent_again() -> None:
    """It was read, so that only the policy may decide on it, though the connection had been idle."""
    half = says_bytes(said(b"{", Content_Length="2"), closes=True)
    get = replace(REQUEST, method="GET")
    talked = talk(by_turns(says(), half, says()), get, get)
    assert (True, 2) == (talked.lost.left, len(talked.server.requests))


def idle_for(seconds: float, *, idle_seconds: float) -> int:
    """Count the connections of two requests with so long a pause between them."""

    async def run() -> int:
        async with served(says()) as server:
            wire = DirectWire(WireBelow(), 5.0, CLIENT, Reading(), idle_seconds=idle_seconds)
            for _ in range(2):
                await wire.send(at(server))
                await asyncio.sleep(seconds)
            await wire.aclose()
            await asyncio.gather(*server.tasks)
            return len(server.connections)

    return asyncio.run(run())


@pytest.mark.parametrize(("idle_seconds", "connections"), [(0.002, 2), (9.0, 1)])
def test_a_connection_that_was_idle_for_long_is_not_used_again(idle_seconds: float, connections: int) -> None:
    """The server may be about to close it."""
    assert connections == idle_for(0.006, idle_seconds=idle_seconds)


def test_many_requests_at_once_get_their_own_answers() -> None:
    """Twice, over the same connections."""

    async def echoes(received: Received) -> None:
        await says(received.body)(received)

    async def run() -> int:
        async with served(echoes) as server:
            wire = direct_wire()
            contents = [str(number).encode() for number in range(64)]
            for _ in range(2):
                requests = [at(server, replace(REQUEST, content=content, headers={})) for content in contents]
                assert contents == [reply.content for reply in await asyncio.gather(*map(wire.send, requests))]
            await wire.aclose()
            return len(server.connections)

    assert 64 == asyncio.run(run())


# -- heads -------------------------------------------------------------------------------------------


def test_a_request_has_one_host() -> None:
    """Its own where it has one: a webhook's URL holds the address that was checked."""

    async def run() -> list[bytes]:
        heads: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(GOOD)
            writer.close()

        wire = direct_wire()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            for headers in ({"host": "hooks.example"}, {}):
                await wire.send(WireRequest(method="GET", url=url, headers=headers))
        await wire.aclose()
        port = url.rpartition(":")[2].strip("/").encode()
        return [line.replace(port, b"80") for head in heads for line in head.split(b"\r\n") if b"host:" in line]

    assert [b"host: hooks.example", b"host: 127.0.0.1:80"] == asyncio.run(run())


TO_NOBODY = replace(REQUEST, url=f"http://127.0.0.1:{closed_port()}/")
HANDED_ON = {
    "a form": replace(TO_NOBODY, content=MultipartBody({"purpose": "batch"}, [])),
    "a large body": replace(TO_NOBODY, content=b"x" * (PIECE_BYTES + 1)),
    "a HEAD": replace(TO_NOBODY, method="HEAD"),
    "no method": replace(TO_NOBODY, method="PO ST"),
    "a login": replace(TO_NOBODY, url="http://user:password@127.0.0.1/"),
    "a fragment": replace(TO_NOBODY, url="http://127.0.0.1/#a"),
    "a name beyond ASCII": replace(TO_NOBODY, url="http://ö.example/"),
    "a path beyond ASCII": replace(TO_NOBODY, url="http://127.0.0.1/ö"),
    "a blank in the path": replace(TO_NOBODY, url="http://127.0.0.1/a b"),
    "two lines in the path": replace(TO_NOBODY, url="http://127.0.0.1/\r\nx-a:1"),
    "a control character in the path": replace(TO_NOBODY, url="http://127.0.0.1/\x01"),
    "another protocol": replace(TO_NOBODY, url="ftp://127.0.0.1/"),
    "no host": replace(TO_NOBODY, url="http:///v1"),
    "no port": replace(TO_NOBODY, url="http://127.0.0.1:a/"),
    "no address": replace(TO_NOBODY, url="http://[::1/"),
    "two lines in a header": replace(TO_NOBODY, headers={"x-a": "1\r\nx-b: 2"}),
    "half a line in a header": replace(TO_NOBODY, headers={"x-a": "1\nx-b: 2"}),
    "the other half": replace(TO_NOBODY, headers={"x-a": "1\rx-b: 2"}),
    "a NUL in a header": replace(TO_NOBODY, headers={"x-a": "1\0"}),
    "half a character in a header": replace(TO_NOBODY, headers={"x-a": "\ud800"}),
    "two lines in a header's name": replace(TO_NOBODY, headers={"x-a: 1\r\nx-b": "2"}),
}


@pytest.mark.parametrize("case", HANDED_ON)
def test_what_is_not_plain_is_handed_on_as_it_is(case: str) -> None:
    """The wire below looks at it with care."""
    below = WireBelow()
    wire = DirectWire(below, 5.0, CLIENT, Reading())
    reply = asyncio.run(wire.send(HANDED_ON[case]))
    assert ([HANDED_ON[case]], b"from below") == (below.requests, reply.content)


PLAIN = {
    "the largest body": replace(REQUEST, content=b"x" * PIECE_BYTES, headers={}),
    "a header beyond ASCII": replace(REQUEST, headers={"x-a": "ö"}),
    "a query without a path": replace(REQUEST, url="?a=%2F", headers={}),
}


@pytest.mark.parametrize("case", PLAIN)
def test_what_is_plain_is_not_handed_on(case: str) -> None:
    """It is sent, and costs little."""

    async def run() -> list[WireRequest]:
        async with served(says()) as server:
            below = WireBelow()
            wire = DirectWire(below, 5.0, CLIENT, Reading())
            reply = await wire.send(replace(PLAIN[case], url=server.url + PLAIN[case].url))
            assert (b"{}", len(PLAIN[case].content)) == (reply.content, len(server.requests[0].body))
            await wire.aclose()
            return below.requests

    assert [] == asyncio.run(run())
