"""What the tests of the wires have in common: a request, the wires, and a talk with a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.wire.aiohttp_wire import AiohttpWire
from airflow_provider_openai_dest.wire.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.wire.direct_wire import new_wire as new_direct_wire
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.wire import NoAnswerError, Wire, WireReply, WireRequest
from tests.core.scripted_server import Play, ScriptedServer, served
from tests.core.tls_parts import CLIENT

REQUEST = WireRequest(
    method="POST",
    url="/v1/x?a=%2F",
    headers={"authorization": "Bearer sk-test", "content-type": "application/json", "content-length": "2"},
    content=b"{}",
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Talk:
    """What a server got, and what became of each request."""

    server: ScriptedServer
    ends: list[WireReply | NoAnswerError | UnusableAnswerError] = field(default_factory=list)

    @property
    def reply(self) -> WireReply:
        """Give the last answer."""
        assert isinstance(self.ends[-1], WireReply), repr(self.ends[-1])
        return self.ends[-1]

    @property
    def lost(self) -> NoAnswerError:
        """Give why there is no last answer."""
        assert isinstance(self.ends[-1], NoAnswerError), repr(self.ends[-1])
        return self.ends[-1]


def aiohttp_wire(timeout: float = 5.0, **settings: Any) -> Wire:
    """Give the wire that takes everything."""
    return AiohttpWire(timeout, CLIENT, Reading(**settings))


def direct_wire(timeout: float = 5.0, **settings: Any) -> Wire:
    """Give the one that takes what is plain, and hands on the rest."""
    return new_direct_wire(timeout, CLIENT, Reading(**settings))


@contextmanager
def loops_by(policy: asyncio.AbstractEventLoopPolicy | None) -> Iterator[None]:
    """Make the event loops within the block by this policy; None is asyncio's own."""
    asyncio.set_event_loop_policy(policy)
    yield
    asyncio.set_event_loop_policy(None)


new_wire = direct_wire
"""The wire of a talk; a fixture may choose another one."""


def at(server: ScriptedServer, request: WireRequest = REQUEST) -> WireRequest:
    """Give the request to this server."""
    return replace(request, url=server.url + request.url) if request.url.startswith("/") else request


async def end_of(wire: Wire, request: WireRequest) -> WireReply | NoAnswerError | UnusableAnswerError:
    """Send one request, and give what became of it; the room for its answer is free again."""
    try:
        reply = await wire.send(request)
    except (NoAnswerError, UnusableAnswerError) as error:
        return error
    reply.release()
    return reply


def talk(play: Play, *requests: WireRequest, **settings: Any) -> Talk:
    """Send requests one after the other, one when none is given."""

    async def run() -> Talk:
        async with served(play) as server:
            talk, wire = Talk(server), new_wire(**settings)
            for request in requests or (REQUEST,):
                talk.ends.append(await end_of(wire, at(server, request)))
            await wire.aclose()
        return talk

    return asyncio.run(run())
