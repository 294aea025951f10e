"""Wire: the one place where requests leave. One object, one method, over httpx's request and response types."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Protocol

import httpx

from airflow_provider_openai_dest.delivery.answer_bytes import MAX_ANSWER_BYTES, read_content
from airflow_provider_openai_dest.rendering.multipart import MultipartBody

CONNECT_SECONDS = 10.0


class UnreadableBodyError(Exception):
    """The request's own body can't be read, so the request never left whole."""


SHORTEST_SECRET = 8
"""A shorter text would be cut out of innocent answers."""


class Wire(Protocol):
    """Sends a request and reads its whole answer, within a total time.

    Raises httpx.TransportError or TimeoutError when no whole answer came, UnusableAnswerError when one came that can't
    be used, and UnreadableBodyError.
    """

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send once; no retry, no redirect."""

    async def aclose(self) -> None:
        """Close the connections, within the event loop that they were made in."""


class HttpxWire:
    """A wire of single connections, each a transport of httpx, called without its client.

    One httpx pool with many connections looks through all of them at every request (4.6 ms of CPU at 64 in
    flight); a free list of transports with one connection each does not.

    :param timeout: seconds for one request in all, from sending to the last byte of the answer.
    :param new_transport: makes a transport; each gets one connection.
    :param max_answer_bytes: bound of one answer.
    :param secrets: texts that are cut out of every answer, should a server echo them: nobody after the wire sees them.
    """

    def __init__(
        self,
        timeout: float,
        new_transport: Callable[[], httpx.AsyncBaseTransport],
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        secrets: Iterable[str] = (),
    ) -> None:
        self._timeout = timeout
        self._new_transport = new_transport
        self._max_answer_bytes = max_answer_bytes
        self._secrets = tuple(secret.encode() for secret in secrets if len(secret) >= SHORTEST_SECRET)
        self._free: list[httpx.AsyncBaseTransport] = []

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send over a free connection, or a new one; a connection that failed is never used again."""
        transport = self._free.pop() if self._free else self._new_transport()
        try:
            response, content = await self._exchange(transport, request)
        except BaseException:
            await transport.aclose()
            raise
        self._free.append(transport)
        return httpx.Response(
            response.status_code,
            headers=[
                (name, self._without_secrets(value))
                for name, value in response.headers.raw
                if name.lower() not in _ENCODING_HEADERS
            ],
            content=self._without_secrets(content),
            request=request,
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection; none may be in use."""
        while self._free:
            await self._free.pop().aclose()

    def _without_secrets(self, content: bytes) -> bytes:
        for secret in self._secrets:
            if secret in content:
                content = content.replace(secret, b"***")
        return content

    async def _exchange(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> tuple[httpx.Response, bytes]:
        try:
            async with asyncio.timeout(self._timeout):
                response = await transport.handle_async_request(request)
                try:
                    return response, await read_content(response, self._max_answer_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise TimeoutError(f"no whole answer within {self._timeout:g} s") from None


_ENCODING_HEADERS = frozenset({b"content-encoding", b"transfer-encoding", b"content-length"})


def single_connections(verify: ssl.SSLContext, proxy: str | None = None) -> Callable[[], httpx.AsyncBaseTransport]:
    """Give a maker of transports with one connection each, all of one TLS context."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)
    return lambda: httpx.AsyncHTTPTransport(
        verify=verify, limits=limits, proxy=httpx.Proxy(proxy) if proxy else None, trust_env=False
    )


class MultipartStream(httpx.AsyncByteStream):
    """A multipart body as a stream for the wire; the files are read in a thread, not on the event loop."""

    def __init__(self, body: MultipartBody) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._body)
        while (piece := await asyncio.to_thread(_next, pieces)) is not None:
            yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    try:
        return next(pieces, None)
    except OSError as error:
        raise UnreadableBodyError(f"can't read the file to send: {error}") from error
