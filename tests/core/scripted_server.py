"""ScriptedServer: an HTTP server on loopback that says, byte for byte, what a test tells it to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

SECONDS = 10
"""Nothing here takes as long; whatever hangs fails then."""


@dataclass(frozen=True)
class Received:
    """A request as it came, and where its answer goes."""

    line: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)


Play = Callable[[Received], Awaitable[None]]


@dataclass
class ScriptedServer:
    """What came, whole or half, and over how many connections."""

    play: Play
    reads_bodies: bool = True
    url: str = ""
    listener: asyncio.Server | None = None
    requests: list[Received] = field(default_factory=list)
    half: list[bytes] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until either side closes it."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections.append(writer)
        with suppress(OSError, asyncio.CancelledError):
            while (received := await self._next(reader, writer)) is not None:
                self.requests.append(received)
                await self.play(received)
                await writer.drain()
        writer.close()

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received | None:
        head = b""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *lines = head.decode().strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
            length = int(headers.get("content-length", 0)) if self.reads_bodies else 0
            body = await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            if head or error.partial:
                self.half.append(head + error.partial)
            return None
        return Received(line, headers, body, reader, writer)


@asynccontextmanager
async def served(
    play: Play, tls: ssl.SSLContext | None = None, *, reads_bodies: bool = True
) -> AsyncIterator[ScriptedServer]:
    """Serve while the block lasts, for some seconds at most."""
    scripted = ScriptedServer(play, reads_bodies)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scripted.listener = server
    scripted.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(SECONDS):
            yield scripted
    finally:
        server.close()
        for task in scripted.tasks:
            task.cancel()
        await asyncio.gather(*scripted.tasks, return_exceptions=True)


def said(content: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """Give an answer with its length, unless the headers say another one."""
    headers = {"Content_Length": str(len(content))} | headers
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + content


def says(content: bytes = b"{}", status: str = "200 OK", **headers: str) -> Play:
    """Answer so, and keep the connection."""
    return says_bytes(said(content, status, **headers))


def says_bytes(*pieces: bytes, closes: bool = False) -> Play:
    """Say these bytes, one piece after the other, and close the connection if told so."""

    async def play(received: Received) -> None:
        for piece in pieces:
            received.writer.write(piece)
            await received.writer.drain()
        if closes:
            received.writer.close()

    return play


def drips(*pieces: bytes) -> Play:
    """Say these bytes, and then a byte every now and then, without an end."""

    async def play(received: Received) -> None:
        await says_bytes(*pieces)(received)
        while True:
            await asyncio.sleep(0.002)
            await says_bytes(b"x")(received)

    return play


def by_turns(*plays: Play) -> Play:
    """Answer the first request like the first play, and so on; all that follow like the last one."""
    turns = iter(plays)

    async def play(received: Received) -> None:
        await next(turns, plays[-1])(received)

    return play


async def resets(received: Received) -> None:
    """Reset the connection instead of an answer."""
    reset(received.writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset, as a server that crashed does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def closed_port() -> int:
    """Give a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
