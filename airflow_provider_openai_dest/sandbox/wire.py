"""Connection: how the bytes of an answer leave, whole or in one of the ways in which a connection breaks."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import Transport
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from airflow_provider_openai_dest.sandbox.answers import EVENT_STREAM, Answer

EVENT_END = b"\n\n"
TRANSPORT = "sandbox_transport"  # key of ``scope["state"]`` under which the server hands out the connection


@dataclass(frozen=True, slots=True)
class Connection:
    """One request's way back to the client, as ASGI gives it."""

    scope: Scope
    receive: Receive
    send: Send

    async def send_whole(self, answer: Answer) -> None:
        """Send an answer as it should be."""
        await self._start(answer)
        if answer.media_type == EVENT_STREAM:
            for event in answer.body().split(EVENT_END)[:-1]:
                await self._send_part(event + EVENT_END)
            await self._send_part(b"", is_last=True)
        else:
            await self._send_part(answer.body(), is_last=True)

    async def send_truncated(self, answer: Answer) -> None:
        """Send half of the body after announcing all of it, then close the connection."""
        body = answer.body()
        await self._start(answer)
        await self._send_part(body[: len(body) // 2])
        self._transport.close()
        await self._until_gone()

    async def send_drip(self, answer: Answer, interval: float) -> None:
        """Send one byte at a time until the body is out or the client has gone."""
        body = answer.body()
        await self._start(answer)
        gone = asyncio.ensure_future(self._until_gone())
        try:
            for place in range(len(body)):
                await self._send_part(body[place : place + 1])
                done, _ = await asyncio.wait((gone,), timeout=interval)
                if done:
                    return
            await self._send_part(b"", is_last=True)
        finally:
            gone.cancel()

    async def reset(self) -> None:
        """Break the connection off as a crashed server does: the client sees a reset, not an end."""
        # Lingering for zero seconds turns the close into a TCP reset.
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()
        await self._until_gone()

    @property
    def _transport(self) -> Transport:
        transport: Transport = self.scope["state"][TRANSPORT]
        return transport

    async def _start(self, answer: Answer) -> None:
        pairs = {"content-type": answer.media_type, **answer.headers}
        if answer.media_type != EVENT_STREAM:  # nobody knows how long a stream will be
            pairs["content-length"] = str(len(answer.body()))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs.items()]
        await self.send({"type": "http.response.start", "status": answer.status, "headers": raw})

    async def _send_part(self, part: bytes, *, is_last: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": part, "more_body": not is_last})

    async def _until_gone(self) -> None:
        # The server must see the connection end before the request does, else it reports an unfinished answer.
        while (await self.receive())["type"] != "http.disconnect":
            pass
