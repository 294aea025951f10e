"""Whom the wires trust, and how they go through a proxy."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from airflow_provider_openai_dest.wire.aiohttp_wire import AiohttpWire
from airflow_provider_openai_dest.wire.direct_wire import new_wire
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.wire import NoAnswerError, WireReply, WireRequest
from tests.core.scripted_server import Received, ScriptedServer, closed_port, reset, says, served
from tests.core.tls_parts import CLIENT, self_signed
from tests.core.wire_parts import loops_by

REQUEST = WireRequest(method="POST", url="", headers={"content-length": "2"}, content=b"{}")


@pytest.fixture(
    autouse=True,
    params=[(new_wire, None), (new_wire, uvloop.EventLoopPolicy()), (AiohttpWire, None)],
    ids=["direct", "direct on uvloop", "aiohttp"],
)
def each_wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test hold of each, in either event loop."""
    wire, policy = request.param
    monkeypatch.setattr(sys.modules[__name__], "new_wire", wire)
    with loops_by(policy):
        yield


async def sent(url: str, *, server_name: str | None = None, **settings: Any) -> WireReply | NoAnswerError:
    """Send one request, and give its answer, or why there is none."""
    wire = new_wire(5.0, settings.pop("verify", CLIENT), Reading(), **settings)
    try:
        return await wire.send(replace(REQUEST, url=url, server_name=server_name))
    except NoAnswerError as error:
        return error
    finally:
        await wire.aclose()


def over_tls(name: str, *, is_trusted: bool, server_name: str | None = None) -> WireReply | NoAnswerError:
    """Send to a server with its own certificate for this name."""
    server_context, client_context = self_signed(name)

    async def run() -> WireReply | NoAnswerError:
        async with served(says(), tls=server_context) as server:
            verify = client_context if is_trusted else CLIENT
            return await sent(f"{server.url}/v1", verify=verify, server_name=server_name)

    return asyncio.run(run())


TRUSTED = {
    "its own authority": ("127.0.0.1", None),
    "the name of a checked address": ("hooks.example", "hooks.example"),
}


@pytest.mark.parametrize("case", TRUSTED)
def test_a_certificate_of_a_trusted_authority_is_taken(case: str) -> None:
    """The connection's own ``ca_bundle``; and the name may be another than the URL's."""
    name, server_name = TRUSTED[case]
    reply = over_tls(name, is_trusted=True, server_name=server_name)
    assert isinstance(reply, WireReply), repr(reply)
    assert reply.content == b"{}"


UNTRUSTED = {
    "self-signed": ("127.0.0.1", False, None),
    "another address": ("127.0.0.2", True, None),
    "another name": ("hooks.example", True, None),
    "not the name of the checked address": ("127.0.0.1", True, "hooks.example"),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_any_other_certificate_is_refused(case: str) -> None:
    """Before the key is sent."""
    name, is_trusted, server_name = UNTRUSTED[case]
    error = over_tls(name, is_trusted=is_trusted, server_name=server_name)
    assert isinstance(error, NoAnswerError), repr(error)
    assert (False, True) == (error.left, "certificate" in str(error))


def test_a_server_without_tls_never_gets_the_key() -> None:
    """Nor one that hangs up while keys are exchanged."""

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async def run() -> list[WireReply | NoAnswerError]:
        ends = []
        for play in (refuses, hangs_up):
            async with await asyncio.start_server(play, "127.0.0.1", 0) as server:
                ends.append(await sent(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        return ends

    assert [False, False] == [end.left if isinstance(end, NoAnswerError) else end for end in asyncio.run(run())]


async def tunnels(received: Received) -> None:
    """Be a proxy: connect as CONNECT asks, and pass on what comes from either side."""
    host, _, port = received.line.split()[1].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    received.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            target.write(piece)
        target.close()

    try:
        with suppress(OSError):
            await asyncio.gather(pump(received.reader, writer), pump(reader, received.writer))
    finally:
        writer.close()


def proxied(play: Any, url: str, login: str = "") -> tuple[WireReply | NoAnswerError, ScriptedServer]:
    """Send one request through a proxy that does so."""

    async def run() -> tuple[WireReply | NoAnswerError, ScriptedServer]:
        async with served(play) as proxy:
            through = proxy.url.replace("://", f"://{login}@") if login else proxy.url
            return await sent(url, proxy=through), proxy

    return asyncio.run(run())


def test_a_proxy_is_gone_through() -> None:
    """It gets the whole URL, and the login that it wants."""
    reply, proxy = proxied(says(b"proxied"), "http://api.invalid/v1/x?a=%2F", login="user:p%40ss")
    assert isinstance(reply, WireReply), repr(reply)
    (received,) = proxy.requests
    assert ("POST http://api.invalid/v1/x?a=%2F HTTP/1.1", b"proxied") == (received.line, reply.content)
    assert f"Basic {b64encode(b'user:p@ss').decode()}" == received.headers["proxy-authorization"]


def test_a_proxy_sees_nothing_but_a_tunnel_of_https() -> None:
    """The certificate is checked through it, and the login stays with the proxy."""
    server_context, client_context = self_signed("127.0.0.1")

    async def run() -> tuple[list[WireReply | NoAnswerError], ScriptedServer, ScriptedServer]:
        async with served(says(), tls=server_context) as server, served(tunnels) as proxy:
            through = proxy.url.replace("://", "://user:password@")
            ends = [await sent(server.url, proxy=through, verify=verify) for verify in (client_context, CLIENT)]
            return ends, server, proxy

    (reply, error), server, proxy = asyncio.run(run())
    assert isinstance(reply, WireReply), repr(reply)
    assert isinstance(error, NoAnswerError), repr(error)
    assert (b"{}", False) == (reply.content, error.left)
    assert {f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1"} == {got.line for got in proxy.requests}
    assert [{"content-length", "host"}] == [set(got.headers) for got in server.requests]


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_refuses_the_tunnel_is_told_so(status: str) -> None:
    """Nothing left through it; its password is in no message."""
    error, _ = proxied(says(b"no", status), "https://api.invalid/", login="user:password")
    assert isinstance(error, NoAnswerError), repr(error)
    assert (False, True, False) == (error.left, status[:3] in str(error), "password" in str(error))


@pytest.mark.parametrize("url", ["http://api.invalid/", "https://api.invalid/"])
def test_a_proxy_that_is_not_there_is_told_so(url: str) -> None:
    """Nothing left; and it is never gone around."""
    error = asyncio.run(sent(url, proxy=f"http://user:password@127.0.0.1:{closed_port()}"))
    assert isinstance(error, NoAnswerError), repr(error)
    assert (False, False) == (error.left, "password" in str(error))
    assert str(error).startswith("Cannot connect to the proxy 127.0.0.1:")
