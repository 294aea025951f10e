"""Every wire that sends, against a real server on loopback that says what it is told to."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from airflow_provider_openai_dest.wire.aiohttp_wire import PIECE_BYTES
from airflow_provider_openai_dest.wire.answer_bytes import LARGE_BYTES, MAX_REFUSAL_BYTES, UnusableAnswerError
from airflow_provider_openai_dest.wire.reading import LARGE_ANSWERS
from airflow_provider_openai_dest.wire.wire import NoAnswerError, UnreadableBodyError, WireReply, WireRequest
from tests.core import wire_parts
from tests.core.scripted_server import (
    Play,
    Received,
    ScriptedServer,
    closed_port,
    drips,
    reset,
    resets,
    said,
    says,
    says_bytes,
    served,
)
from tests.core.wire_parts import CHUNKED, REQUEST, Talk, aiohttp_wire, at, direct_wire, end_of, loops_by, talk

KEY = "gateway-0123456789"


@pytest.fixture(
    autouse=True,
    params=[(direct_wire, None), (direct_wire, uvloop.EventLoopPolicy()), (aiohttp_wire, None)],
    ids=["direct", "direct on uvloop", "aiohttp"],
)
def each_wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test hold of each, in either event loop."""
    wire, policy = request.param
    monkeypatch.setattr(wire_parts, "new_wire", wire)
    with loops_by(policy):
        yield


def test_a_request_goes_as_it_is() -> None:
    """With its own headers and no others but Host; the URL is not written anew."""
    (received,) = talk(says()).server.requests
    host = received.headers.pop("host")
    assert ("POST /v1/x?a=%2F HTTP/1.1", REQUEST.headers, b"{}") == (received.line, received.headers, received.body)
    assert host.startswith("127.0.0.1:")


def test_a_request_without_a_body_has_none() -> None:
    """Nor a header that tells of one."""
    (received,) = talk(says(), WireRequest(method="GET", url="/v1/models", headers={})).server.requests
    assert ("GET /v1/models HTTP/1.1", {"host"}, b"") == (received.line, set(received.headers), received.body)


def test_a_post_without_a_body_says_so() -> None:
    """A length of zero, without which servers wait for a body or refuse the request (RFC 9110, 8.6)."""
    (received,) = talk(says(), WireRequest(method="POST", url="/v1/batches/b/cancel", headers={})).server.requests
    assert {"host", "content-length"} == set(received.headers)
    assert ("0", b"") == (received.headers["content-length"], received.body)


def test_an_answer_is_read_whole() -> None:
    """Status, words, and content, in however many pieces it came."""
    answer = said(b'{"a": 1}', "201 Made")
    reply = talk(says_bytes(answer[:9], answer[9:-3], answer[-3:])).reply
    assert (201, "Made", b'{"a": 1}', True) == (
        reply.status_code,
        reply.reason_phrase,
        reply.content,
        reply.is_success,
    )


@pytest.mark.parametrize(
    "play",
    [says_bytes(CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), says_bytes(b"HTTP/1.1 200 OK\r\n\r\n{}", closes=True)],
    ids=["in chunks", "until it is closed"],
)
def test_an_answer_may_say_its_length_otherwise(play: Play) -> None:
    """Or not at all."""
    assert talk(play).reply.content == b"{}"


@pytest.mark.parametrize("secrets", [(), (KEY,)], ids=["as they came", "with a secret cut out"])
def test_headers_are_found_by_lower_case_names(secrets: tuple[str, ...]) -> None:
    """However the server spells them; the first one holds where a name comes again."""
    reply = talk(says(X_Request_ID="r", X_Echo=f"no {KEY}", x_request_id="s"), secrets=secrets).reply
    assert "r" == reply.headers["x-request-id"]


def test_a_secret_that_the_server_echoes_is_cut_out() -> None:
    """Whatever a server says of the key, in status line, headers or body, nobody sees it; short texts are left."""
    play = says(f"no such key {KEY}, s3".encode(), f"400 No {KEY}", X_Request_Id=f"r {KEY}")
    reply = talk(play, secrets=(KEY, "s3")).reply
    assert (b"no such key ***, s3", "r ***") == (reply.content, reply.headers["x-request-id"])
    assert "No ***" == reply.reason_phrase


def test_a_secret_is_not_in_the_reason_of_a_failure() -> None:
    """What the library says of a broken answer may quote it."""
    lost = talk(says_bytes(f"HTTP/1.1 {KEY} {KEY}\r\n\r\n".encode(), closes=True), secrets=(KEY,)).lost
    assert KEY not in str(lost)


def test_a_connection_is_used_again() -> None:
    """Requests that follow each other need one, whatever the server thinks of them."""
    for play in (says(), says(b"no", "400 Bad Request")):
        talked = talk(play, REQUEST, REQUEST, REQUEST)
        assert (3, 1) == (len(talked.server.requests), len(talked.server.connections))


def test_two_requests_at_the_same_time_have_two_connections() -> None:
    """A connection carries one at a time; and there is no bound of their number here."""

    async def run() -> int:
        all_there = asyncio.Event()

        async def play(received: Received) -> None:
            if len(server.requests) == 90:
                all_there.set()
            await all_there.wait()
            await says()(received)

        async with served(play) as server:
            wire = wire_parts.new_wire()
            await asyncio.gather(*(wire.send(at(server)) for _ in range(90)))
            await wire.aclose()
            return len(server.connections)

    assert asyncio.run(run()) == 90


def test_the_connections_are_closed_at_the_end() -> None:
    """The server sees it; and a wire that has sent nothing has none."""

    async def run() -> None:
        await wire_parts.new_wire().aclose()
        async with served(says()) as server:
            wire = wire_parts.new_wire()
            await wire.send(at(server))
            await wire.aclose()
            await asyncio.gather(*server.tasks)

    asyncio.run(run())


def test_a_connection_of_a_cancelled_request_is_never_used_again() -> None:
    """The answer to the cancelled one would be taken for that of the next."""

    async def run() -> tuple[bytes, int]:
        came, free = asyncio.Event(), asyncio.Event()

        async def play(received: Received) -> None:
            number = len(server.requests)
            came.set()
            if number == 1:
                await free.wait()
            await says(str(number).encode())(received)

        async with served(play) as server:
            wire = wire_parts.new_wire()
            task = asyncio.ensure_future(wire.send(at(server)))
            await came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            free.set()
            reply = await wire.send(at(server))
            await wire.aclose()
            return reply.content, len(server.connections)

    assert asyncio.run(run()) == (b"2", 2)


def test_a_connection_that_the_server_closed_while_it_was_idle_is_not_used_again() -> None:
    """The next request goes over a new one."""

    async def run() -> int:
        async with served(says_bytes(said(), closes=True)) as server:
            wire = wire_parts.new_wire()
            await wire.send(at(server))
            await asyncio.gather(*server.tasks)
            await asyncio.sleep(0.02)
            assert (await wire.send(at(server))).content == b"{}"
            await wire.aclose()
            return len(server.connections)

    assert asyncio.run(run()) == 2


def closing_race(method: str, close: Any) -> Talk:
    """Close an idle connection in the very moment when a request is sent over it."""

    async def run() -> Talk:
        async with served(says()) as server:
            talked, wire = Talk(server), wire_parts.new_wire()
            request = at(server, replace(REQUEST, method=method))
            talked.ends.append(await end_of(wire, request))
            close(server.connections[0])
            talked.ends.append(await end_of(wire, request))
            await wire.aclose()
        return talked

    return asyncio.run(run())


@pytest.mark.parametrize("close", [lambda writer: writer.close(), reset], ids=["closed", "reset"])
def test_a_post_that_meets_a_closing_connection_may_have_left(close: Any) -> None:
    """Nobody can know whether the server read it, so it is not sent again here; the policy counts it as lost."""
    talked = closing_race("POST", close)
    assert (True, 1) == (talked.lost.left, len(talked.server.requests))


@pytest.mark.parametrize("close", [lambda writer: writer.close(), reset], ids=["closed", "reset"])
def test_a_get_that_meets_a_closing_connection_goes_over_a_new_one(close: Any) -> None:
    """It changes nothing to ask twice: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2."""
    talked = closing_race("GET", close)
    assert (b"{}", 2) == (talked.reply.content, len(talked.server.connections))


NEVER_LEFT = {
    "connection refused": replace(REQUEST, url=f"http://127.0.0.1:{closed_port()}/"),
    "a name that does not exist": replace(REQUEST, url="http://nowhere.invalid/"),
    "a name that can't be one": replace(REQUEST, url=f"http://{'a' * 64}.invalid/"),
    "an empty name": replace(REQUEST, url="http:///v1"),
    "no URL": replace(REQUEST, url="http://[::1/"),
    "no port": replace(REQUEST, url="http://127.0.0.1:99999999/"),
    "another protocol": replace(REQUEST, url="gopher://127.0.0.1/"),
    "no method": replace(REQUEST, method="PO ST"),
    "two lines in a header": replace(REQUEST, headers={"x-a": f"{KEY}\r\nx-b: 2"}),
    "half a line in a header": replace(REQUEST, headers={"x-a": "1\nx-b: 2"}),
    "two lines in a header's name": replace(REQUEST, headers={"x-a: 1\r\nx-b": "2"}),
}


@pytest.mark.parametrize("case", NEVER_LEFT)
def test_a_request_that_never_left_is_told_so(case: str) -> None:
    """Nothing can have been billed; one record's request that can't be made does not stop the others."""
    talked = talk(says(), NEVER_LEFT[case], secrets=(KEY,))
    assert (False, [], []) == (talked.lost.left, talked.server.requests, talked.server.half)
    assert KEY not in str(talked.lost)


def test_a_reason_says_nothing_of_the_clients_settings() -> None:
    """Where nothing listens, on plain http, no word of TLS."""
    lost = str(talk(says(), NEVER_LEFT["connection refused"]).lost)
    assert "Cannot connect to " in lost
    assert "127.0.0.1:" in lost
    assert " ssl:" not in lost


MAY_HAVE_LEFT = {
    "reset instead of an answer": resets,
    "closed instead of an answer": says_bytes(closes=True),
    "no HTTP": says_bytes(b"SSH-2.0-OpenSSH\r\n\r\n", closes=True),
    "half a header": says_bytes(b"HTTP/1.1 200 OK\r\nContent-Le", closes=True),
    "half of its length": says_bytes(said(b"{", Content_Length="2"), closes=True),
    "half a chunk": says_bytes(CHUNKED + b"5\r\n{", closes=True),
    "no last chunk": says_bytes(CHUNKED + b"2\r\n{}\r\n", closes=True),
    "no chunk": says_bytes(CHUNKED + b"{}\r\n", closes=True),
}


@pytest.mark.parametrize("case", MAY_HAVE_LEFT)
def test_a_request_without_a_whole_answer_may_have_been_billed(case: str) -> None:
    """Nobody can know; and the connection is never used again."""
    talked = talk(MAY_HAVE_LEFT[case], REQUEST, REQUEST)
    assert (True, 2, 2) == (talked.lost.left, len(talked.server.connections), len(talked.server.requests))


ENDLESS = {
    "silence": says_bytes(),
    "a header that drips": drips(b"HTTP/1.1 200 OK\r\nX-A: "),
    "a body that drips": drips(said(b"{", Content_Length="1000000")),
    "chunks that drip": drips(CHUNKED + b"fffff\r\n"),
    "a refusal that drips": drips(said(b"{", "500 Oh", Content_Length="1000000")),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_the_time_is_for_the_whole_answer(case: str) -> None:
    """It is over however often a byte comes."""
    began = time.monotonic()
    lost = talk(ENDLESS[case], timeout=0.03).lost
    assert ("no whole answer within 0.03 s", True) == (str(lost), lost.left)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(status: str) -> None:
    """It is an answer like another: the key goes nowhere else."""
    talked = talk(says(b"moved", status, Location="/elsewhere"))
    assert (1, b"moved", int(status[:3])) == (
        len(talked.server.requests),
        talked.reply.content,
        talked.reply.status_code,
    )


def test_cookies_are_not_kept() -> None:
    """One record's answer has no say in the next one's request."""

    async def run() -> list[str | None]:
        async with served(says(Set_Cookie="a=b; Path=/")) as server:
            wire = wire_parts.new_wire()
            for _ in range(2):
                await wire.send(replace(REQUEST, url=server.url.replace("127.0.0.1", "localhost")))
            await wire.aclose()
            return [received.headers.get("cookie") for received in server.requests]

    assert [None, None] == asyncio.run(run())


def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy, which would read the key, nor a login."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
        monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{closed_port()}")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (received,) = talk(says(), replace(REQUEST, headers={})).server.requests
    assert "authorization" not in received.headers


def test_a_packed_answer_is_unpacked_within_its_bound() -> None:
    """A bomb is no more than that, and told to be unusable."""
    packed = says(gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")
    bomb = says(gzip.compress(bytes(16_000_000), compresslevel=1), Content_Encoding="gzip")
    assert talk(packed).reply.content == b'{"a": 1}'
    tracemalloc.start()
    try:
        end = talk(bomb, max_answer_bytes=1_000_000).ends[0]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "the answer has more than 1,000,000 bytes" == str(end)
    assert peak < 4_000_000


UNUSABLE = {
    "deflate": says(b"{}", Content_Encoding="deflate"),
    "brotli": says(b"{}", Content_Encoding="br"),
    "no gzip": says(b"{}", Content_Encoding="gzip"),
    "too large": says(b"x" * 1001),
    "too large in chunks": says_bytes(CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
    "endless": drips(CHUNKED + b"fffff\r\n" + b"x" * 1001),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_answer_that_can_not_be_used_is_told_so(case: str) -> None:
    """It came, and asking again would bring the same."""
    assert isinstance(talk(UNUSABLE[case], max_answer_bytes=1000).ends[0], UnusableAnswerError)


REFUSALS = {
    "short": (says(b"no", "400 Bad"), 2),
    "long": (says(b"x" * 200_000, "500 Oh"), MAX_REFUSAL_BYTES),
    "endless": (drips(said(b"x" * 200_000, "500 Oh", Content_Length="10000000")), MAX_REFUSAL_BYTES),
    "packed": (says(gzip.compress(b"no"), "400 Bad", Content_Encoding="gzip"), 2),
    "a bomb": (says(gzip.compress(bytes(9_000_000)), "400 Bad", Content_Encoding="gzip"), MAX_REFUSAL_BYTES),
    "no gzip": (says(b"no", "400 Bad", Content_Encoding="gzip"), 0),
    "packed otherwise": (says(b"no", "400 Bad", Content_Encoding="br"), 0),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_cut_off_and_never_fails(case: str) -> None:
    """Its status says the rest; the next request is answered, too."""
    play, length = REFUSALS[case]
    replies = [end for end in talk(play, REQUEST, REQUEST).ends if isinstance(end, WireReply)]
    assert [length, length] == [len(reply.content) for reply in replies]


def form(path: Path, size: int) -> WireRequest:
    """Give a request with a form of one file."""
    body = MultipartBody({}, [FilePart(name="file", filename="a", size=size, open=lambda: path.open("rb"))])
    headers = {"content-type": body.content_type, "content-length": str(body.length)}
    return WireRequest(method="POST", url="/v1/files", headers=headers, content=body)


def test_a_form_is_streamed_with_its_length(tmp_path: Path) -> None:
    """Not in chunks, which the API does not take; and again for a second attempt."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    request = form(tmp_path / "a", 3_000_000)
    assert isinstance(request.content, MultipartBody)
    content = b"".join(request.content)
    for received in talk(says(), request, request).server.requests:
        assert request.headers == {name: received.headers[name] for name in received.headers if name != "host"}
        assert content == received.body


@pytest.mark.parametrize("size", [None, 5, 3_000_000], ids=["gone", "shorter than it was", "longer than it was"])
def test_a_file_that_can_not_be_read_is_no_lost_answer(tmp_path: Path, size: int | None) -> None:
    """The request never left whole, so nothing can have been billed; the wire goes on."""
    if size is not None:
        (tmp_path / "a").write_bytes(b"x" * size)
    talked = talk(says(), form(tmp_path / "a", 2_000_000), REQUEST)
    assert isinstance(talked.ends[0], UnreadableBodyError)
    assert (False, b"{}", ["POST /v1/x?a=%2F HTTP/1.1"]) == (
        talked.ends[0].left,
        talked.reply.content,
        [received.line for received in talked.server.requests],
    )


@pytest.mark.parametrize("size", [PIECE_BYTES, PIECE_BYTES + 1, 3_000_000])
def test_a_large_body_goes_whole(size: int) -> None:
    """With its length, and without a warning of the library, which is an error here."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    request = replace(REQUEST, content=content, headers={"content-length": str(size)})
    (received,) = talk(says(), request).server.requests
    assert (True, {"content-length", "host"}) == (content == received.body, set(received.headers))


LARGE = b"x" * (4 * LARGE_BYTES)


async def by_path(received: Received) -> None:
    """Give a large answer, half of one, one that does not end, or a small one."""
    half = said(LARGE, Content_Length=str(2 * len(LARGE)))
    answers = {"large": said(LARGE), "half": half, "endless": half, "small": said()}
    name = received.line.split()[1][1:]
    await says_bytes(answers[name], closes=name == "half")(received)


async def not_done(task: asyncio.Future[WireReply]) -> bool:
    """Tell whether it still waits after some time."""
    done, _ = await asyncio.wait({task}, timeout=0.05)
    return not done


def named(server: ScriptedServer, name: str) -> WireRequest:
    """Give a request for the answer of this name."""
    return at(server, replace(REQUEST, url=f"/{name}"))


def test_a_large_answer_waits_for_room_and_goes_on_then() -> None:
    """So many are held at once; small ones pass meanwhile; and what waits is not read on."""

    async def run() -> None:
        async with served(by_path) as server:
            wire = wire_parts.new_wire()
            held = [await wire.send(named(server, "large")) for _ in range(LARGE_ANSWERS)]
            waiting = asyncio.ensure_future(wire.send(named(server, "large")))
            assert await not_done(waiting)
            assert (await wire.send(named(server, "small"))).content == b"{}"
            held[0].release()
            held[0].release()
            assert LARGE == (await waiting).content
            after = asyncio.ensure_future(wire.send(named(server, "large")))
            assert await not_done(after), "a second release makes no second room"
            after.cancel()
            await wire.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("name", ["half", "cancelled"])
def test_a_large_answer_that_fails_leaves_its_room(name: str) -> None:
    """While it is read, and while it waits for room."""

    async def run() -> None:
        async with served(by_path) as server:
            wire = wire_parts.new_wire()
            held = [await wire.send(named(server, "large")) for _ in range(LARGE_ANSWERS)]
            if name == "half":
                held.pop().release()
            failing = asyncio.ensure_future(wire.send(named(server, "half" if name == "half" else "large")))
            if name == "cancelled":
                assert await not_done(failing)
                failing.cancel()
            with pytest.raises((NoAnswerError, asyncio.CancelledError)):
                await failing
            for reply in held:
                reply.release()
            for _ in range(LARGE_ANSWERS + 1):
                reply = await wire.send(named(server, "large"))
                assert LARGE == reply.content
                reply.release()
            await wire.aclose()

    asyncio.run(run())


def test_the_time_stands_still_while_a_large_answer_waits_for_room() -> None:
    """It was paid for, and it is our own sinks that are slow; before and after that the time counts."""

    async def run() -> None:
        async with served(by_path) as server:
            wire = wire_parts.new_wire(0.1)
            held = [await wire.send(named(server, "large")) for _ in range(LARGE_ANSWERS)]
            waiting = asyncio.ensure_future(wire.send(named(server, "large")))
            await asyncio.wait({waiting}, timeout=0.15)
            held[0].release()
            reply = await waiting
            assert LARGE == reply.content
            reply.release()
            with pytest.raises(NoAnswerError, match=r"no whole answer within 0\.1 s"):
                await wire.send(named(server, "endless"))
            await wire.aclose()

    asyncio.run(run())


# -- streams of events -------------------------------------------------------------------------------

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-Request-Id: r\r\n"
COMPLETED = b'event: response.completed\ndata: {"type": "response.completed", "response": {"id": "resp"}}\n\n'
STEP = b'data: {"n": 1}\n\n'


def in_chunks(*pieces: bytes) -> bytes:
    """Give a stream in chunks, without its end."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return STREAM + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


END_OF_CHUNKS = b"0\r\n\r\n"


def collect(play: Play, *requests: WireRequest, **settings: Any) -> Talk:
    """Send to a server that streams."""
    return talk(play, *requests, collects_streams=True, **settings)


def test_the_events_of_a_stream_are_one_answer() -> None:
    """However they are cut; its headers stay, but for its type."""
    content = b'data: {"n": 1}\n\n' + COMPLETED
    reply = collect(
        says_bytes(in_chunks(*(content[at : at + 7] for at in range(0, len(content), 7))) + END_OF_CHUNKS)
    ).reply
    assert (200, b'{"id":"resp"}', "application/json", "r") == (
        reply.status_code,
        reply.content,
        reply.headers["content-type"],
        reply.headers["x-request-id"],
    )


def test_a_stream_is_left_as_it_is_where_nobody_asked() -> None:
    """A webhook's answer is nobody's stream."""
    assert COMPLETED == talk(says_bytes(in_chunks(COMPLETED) + END_OF_CHUNKS)).reply.content


def test_a_stream_frees_its_connection() -> None:
    """The next request goes over the same one, when its end comes a little later than its last event."""

    async def play(received: Received) -> None:
        await says_bytes(in_chunks(COMPLETED))(received)
        await asyncio.sleep(0.02)
        await says_bytes(END_OF_CHUNKS)(received)

    assert 1 == len(collect(play, REQUEST, REQUEST).server.connections)


@pytest.mark.parametrize("closes", [True, False], ids=["and the connection breaks", "and nothing follows"])
def test_what_follows_the_last_event_does_not_matter(closes: bool) -> None:  # noqa: FBT001
    """A paid answer is not lost with the end of its connection."""
    assert b'{"id":"resp"}' == collect(says_bytes(in_chunks(COMPLETED), closes=closes), timeout=3.0).reply.content


# what a server says before it closes the connection, all of it no whole answer
BROKEN_STREAMS = {
    "before its last event": in_chunks(STEP, COMPLETED[:-1]),
    "properly, but early": in_chunks(COMPLETED[:-1]) + END_OF_CHUNKS,
    "of an unknown kind": in_chunks(STEP),
    "after the first of its pictures": in_chunks(b'data: {"type": "image_edit.completed", "b64_json": "aW1n"}\n\n'),
    "without an event": in_chunks() + END_OF_CHUNKS,
}


@pytest.mark.parametrize("case", BROKEN_STREAMS)
def test_a_stream_that_ends_too_early_is_no_answer(case: str) -> None:
    """It had left, and may have been billed."""
    assert collect(says_bytes(BROKEN_STREAMS[case], closes=True)).lost.left


def test_a_stream_of_an_unknown_kind_is_the_list_of_its_events() -> None:
    """Whole when it ends as HTTP has it."""
    assert b'[{"event":"","data":{"n":1}}]' == collect(says_bytes(in_chunks(STEP) + END_OF_CHUNKS)).reply.content


def test_a_stream_has_the_time_and_the_bounds_of_any_answer() -> None:
    """It may neither trickle on for ever nor grow without end."""
    endless = collect(drips(STREAM + b"\r\n", STEP), timeout=0.1).lost
    large = collect(says_bytes(in_chunks(*[STEP] * 20) + END_OF_CHUNKS), max_answer_bytes=100).ends[-1]
    assert (True, "no whole answer within 0.1 s") == (endless.left, str(endless))
    assert isinstance(large, UnusableAnswerError)


def test_a_secret_that_is_cut_over_events_is_cut_out() -> None:
    """It is looked for in the answer that the events make."""
    chunk = b'data: {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n'
    parts = [chunk % KEY[:6].encode(), chunk % KEY[6:].encode(), b"data: [DONE]\n\n"]
    content = collect(says_bytes(in_chunks(*parts) + END_OF_CHUNKS), secrets=(KEY,)).reply.content
    assert (False, True) == (KEY.encode() in content, b"***" in content)


def test_a_long_stream_waits_for_no_room_while_it_comes() -> None:
    """Only what is held of it counts: its many small events are not."""
    padding = b": %b\n" % (b"x" * 4096)
    pieces = [padding] * (LARGE_BYTES // 4096 + 8)

    async def run() -> int:
        async with served(says_bytes(in_chunks(*pieces, COMPLETED) + END_OF_CHUNKS)) as server:
            wire = wire_parts.new_wire(collects_streams=True)
            replies = [await wire.send(at(server)) for _ in range(LARGE_ANSWERS + 1)]
            await wire.aclose()
        return len(replies)

    assert LARGE_ANSWERS + 1 == asyncio.run(run())
