"""The direct wire: what nearly every record needs, a small request straight to its server, at the least cost of CPU.

A record costs a third less than through aiohttp (benchmarks/RESULTS.md). All else goes by the wire below it: forms with
files, large bodies, and whatever is not plain in a URL or a header, which that one looks at with care.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

from airflow_provider_openai_dest.connection.origin import split_url
from airflow_provider_openai_dest.wire.aiohttp_wire import PIECE_BYTES, AiohttpWire
from airflow_provider_openai_dest.wire.deadlines import Deadlines
from airflow_provider_openai_dest.wire.dialing import Dialing, Place
from airflow_provider_openai_dest.wire.http1_connection import BrokenAnswerError, Http1Connection
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.wire import NoAnswerError, Wire, WireReply, WireRequest, too_late

IDLE_SECONDS = 4.0
"""A server that closes an idle connection may do so just when it is used again; uvicorn closes them after 5 s."""

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
"""They are sent again over a new connection when an idle one turns out to be closed: RFC 9110, 9.2.2."""

METHODS = IDEMPOTENT | {"POST", "PATCH"}


def new_wire(timeout: float, verify: ssl.SSLContext, reading: Reading, proxy: str | None = None) -> Wire:
    """Give the wire that costs least: through a proxy aiohttp's.

    :param proxy: URL of the proxy, with user and password where it wants them.
    """
    wire = AiohttpWire(timeout, verify, reading, proxy)
    return wire if proxy else DirectWire(wire, timeout, verify, reading)


class Target(NamedTuple):
    """Where a request goes, and how its head names that."""

    place: Place
    path: str
    host: str


class DirectWire:
    """A wire over another one; it belongs to the event loop that first sends with it.

    No cookies, no redirects, nothing from the environment; only the TLS context decides whom it trusts.

    :param wire: takes what is not plain.
    :param timeout: seconds for one request in all, from sending to the last byte of the answer; and for the dialing
        before it.
    :param verify: the TLS context.
    :param reading: how its answers are read.
    :param idle_seconds: how long a connection may be idle and is used again.
    """

    def __init__(
        self,
        wire: Wire,
        timeout: float,
        verify: ssl.SSLContext,
        reading: Reading,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._wire = wire
        self._timeout = timeout
        self._reading = reading
        self._idle_seconds = idle_seconds
        self._dialing = Dialing(verify)
        self._deadlines = Deadlines(timeout, Http1Connection.expire)
        self._idle: defaultdict[Place, list[Http1Connection]] = defaultdict(list)
        self._open: set[Http1Connection] = set()
        self._is_closed = False

    async def send(self, request: WireRequest) -> WireReply:
        """Send over a free connection, or a new one."""
        content = request.content or b""
        target = _target(request.url, request.server_name)
        if target is None or not isinstance(content, bytes) or len(content) > PIECE_BYTES:
            return await self._wire.send(request)
        head = _head(request, target, len(content))
        if head is None:
            return await self._wire.send(request)
        return await self._sent(request.method, target, head + content)

    async def aclose(self) -> None:
        """Close every connection; what is under way fails."""
        self._is_closed = True
        self._idle.clear()
        for connection in list(self._open):
            self._close(connection)
        self._deadlines.close()
        await self._wire.aclose()

    async def _sent(self, method: str, target: Target, request: bytes) -> WireReply:
        connection = self._free(target.place)
        if connection is not None and method in IDEMPOTENT:
            try:
                return await self._exchanged(connection, target.place, request)
            except BrokenAnswerError as broken:
                if not connection.heard_nothing:
                    raise
                try:
                    connection = await self._dialled(target.place)
                except NoAnswerError as error:
                    raise broken from error  # it may have left the first time
        if connection is None:
            connection = await self._dialled(target.place)
        return await self._exchanged(connection, target.place, request)

    async def _exchanged(self, connection: Http1Connection, place: Place, request: bytes) -> WireReply:
        loop = asyncio.get_running_loop()
        ends = self._deadlines.begin(connection, loop)
        try:
            content = await connection.exchange(request)
            status, headers, reason = connection.status, connection.headers, connection.reason.decode("latin-1")
            if content is not None:
                return self._reading.whole(status, headers, reason, content)
            self._deadlines.end(connection)
            async with asyncio.timeout_at(ends) as deadline:
                return await self._reading.in_pieces(status, headers, reason, connection, deadline)
        except TimeoutError as error:
            raise NoAnswerError(too_late(self._timeout), left=True) from error
        finally:
            self._deadlines.end(connection)
            if connection.is_free:
                self._put_back(connection, place, loop.time())
            else:
                self._close(connection)

    def _put_back(self, connection: Http1Connection, place: Place, now: float) -> None:
        """Keep it for the next request, and close those that have waited for one too long."""
        connection.used_at = now
        connections = self._idle[place]
        while connections and connections[0].used_at < now - self._idle_seconds:
            self._close(connections.pop(0))
        connections.append(connection)

    def _free(self, place: Place) -> Http1Connection | None:
        """Give the connection that was used last, unless it may be closed by now."""
        connections = self._idle[place]
        oldest = asyncio.get_running_loop().time() - self._idle_seconds
        while connections:
            connection = connections.pop()
            if connection.is_free and connection.used_at >= oldest:
                return connection
            self._close(connection)
        return None

    async def _dialled(self, place: Place) -> Http1Connection:
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._dialing.dialled(place, lambda: Http1Connection(self._reading.most_at_once))
        except TimeoutError as error:
            raise NoAnswerError(too_late(self._timeout), left=False) from error
        if self._is_closed or not connection.is_open:
            connection.close()
            raise NoAnswerError(f"the connection to {place} was closed before a request was sent", left=False)
        self._open.add(connection)
        return connection

    def _close(self, connection: Http1Connection) -> None:
        self._open.discard(connection)
        connection.close()


@lru_cache(1024)
def _target(url: str, server_name: str | None) -> Target | None:
    """Give where a plain URL leads, by the parser that the origin was pinned with; None for any other."""
    try:
        parts = split_url(url)
    except ValueError:
        return None
    scheme, host, port = parts.origin
    query = "" if parts.query is None else f"?{parts.query}"
    return Target(Place(scheme == "https", host, port, server_name), f"{parts.path or '/'}{query}", parts.origin.netloc)


def _head(request: WireRequest, target: Target, content_bytes: int) -> bytes | None:
    """Write the head of a request; None when it is not plain."""
    method, headers = request.method, request.headers
    if method not in METHODS:
        return None
    lines = [f"{method} {target.path} HTTP/1.1"]
    if "host" not in headers:
        lines.append(f"host: {target.host}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if "content-length" not in headers and (request.content is not None or method != "GET"):
        lines.append(f"content-length: {content_bytes}")
    head = "\r\n".join(lines)
    if head.count("\r") + head.count("\n") != 2 * (len(lines) - 1) or "\0" in head:
        return None
    try:
        return f"{head}\r\n\r\n".encode()
    except UnicodeEncodeError:
        return None
