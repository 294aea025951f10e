"""A wire over transports of httpx: for webhooks, and for whoever brings a transport of httpx along."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable

import httpx

from airflow_provider_openai_dest.delivery.answer_bytes import MAX_ANSWER_BYTES, read_content, read_refusal
from airflow_provider_openai_dest.delivery.wire import (
    CONNECT_SECONDS,
    NoAnswerError,
    Secrets,
    WireReply,
    WireRequest,
    reason_of,
    streamed,
    too_late,
)
from airflow_provider_openai_dest.rendering.multipart import MultipartBody


class HttpxWire:
    """A wire of single connections, each a transport of httpx, called without its client.

    One httpx pool with many connections looks through all of them at every request (4.6 ms of CPU at 64 in
    flight); a free list of transports with one connection each does not.

    :param timeout: seconds for one request in all, from sending to the last byte of the answer.
    :param new_transport: makes a transport; each gets one connection.
    :param max_answer_bytes: bound of one answer.
    :param secrets: texts that are cut out of every answer.
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
        self._secrets = Secrets(secrets)
        self._free: list[httpx.AsyncBaseTransport] = []

    async def send(self, request: WireRequest) -> WireReply:
        """Send over a free connection, or a new one; a connection that failed is never used again."""
        transport = self._free.pop() if self._free else self._new_transport()
        try:
            reply = await self._exchange(transport, self._as_httpx(request))
        except BaseException as error:
            await transport.aclose()
            if isinstance(error, (httpx.TransportError, OSError)):
                raise NoAnswerError(reason_of(error), left=not isinstance(error, _NEVER_LEFT)) from error
            raise
        self._free.append(transport)
        return reply

    async def aclose(self) -> None:
        """Close every connection; none may be in use."""
        while self._free:
            await self._free.pop().aclose()

    def _as_httpx(self, request: WireRequest) -> httpx.Request:
        connect = min(CONNECT_SECONDS, self._timeout)
        timeout = {"connect": connect, "read": self._timeout, "write": self._timeout, "pool": self._timeout}
        server_name = {"sni_hostname": request.server_name} if request.server_name else {}
        content = request.content
        return httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=streamed(content) if isinstance(content, MultipartBody) else content,
            extensions={"timeout": timeout, **server_name},
        )

    async def _exchange(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> WireReply:
        try:
            async with asyncio.timeout(self._timeout):
                response = await transport.handle_async_request(request)
                try:
                    encoding = response.headers.get("content-encoding", "")
                    if response.is_success:
                        content = await read_content(response.aiter_raw(), encoding, max_bytes=self._max_answer_bytes)
                    else:
                        content = await read_refusal(response.aiter_raw(), encoding)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise NoAnswerError(too_late(self._timeout), left=True) from None
        headers = httpx.Headers(self._secrets.cut_from_headers(response.headers))
        return WireReply(response.status_code, headers, self._secrets.cut_from_content(content), response.reason_phrase)


def single_connections(verify: ssl.SSLContext, proxy: str | None = None) -> Callable[[], httpx.AsyncBaseTransport]:
    """Give a maker of transports with one connection each, all of one TLS context."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)
    return lambda: httpx.AsyncHTTPTransport(
        verify=verify, limits=limits, proxy=httpx.Proxy(proxy) if proxy else None, trust_env=False
    )


_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.LocalProtocolError,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
