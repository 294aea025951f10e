"""The wire over aiohttp: what the direct wire leaves, which is files, large bodies, proxies, and all that is odd.

https://docs.aiohttp.org/en/stable/client_reference.html
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.wire.dialing import new_socket, reason_of_dialing
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.wire import (
    CONNECT_SECONDS,
    LOST,
    NO_HTTP,
    NoAnswerError,
    UnreadableBodyError,
    WireReply,
    WireRequest,
    reason_of,
    too_late,
)

if TYPE_CHECKING:
    from types import ModuleType

    import aiohttp
    from yarl import URL

CLOSED_BEFORE = "Cannot write to closing transport"
"""What aiohttp says when a connection is closed before the last of a body was given to it: it never left whole."""

PIECE_BYTES = 256 * 1024
"""aiohttp warns of a larger body in one piece, since the event loop stands still while it is copied."""


class AiohttpWire:
    """A wire over one session of aiohttp; it belongs to the event loop that first sends with it.

    No cookies, no redirects, nothing from the environment, nothing unpacked without a bound.

    :param timeout: seconds for one request in all, from sending to the last byte of the answer.
    :param verify: the TLS context.
    :param reading: how its answers are read.
    :param proxy: URL of the proxy, with user and password where it wants them.
    """

    def __init__(self, timeout: float, verify: ssl.SSLContext, reading: Reading, proxy: str | None = None) -> None:
        self._timeout = timeout
        self._verify = verify
        self._reading = reading
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: WireRequest) -> WireReply:
        """Send over a free connection, or a new one."""
        http, url = _imported()
        session = self._session = self._session or self._new_session()
        try:
            async with (
                asyncio.timeout(self._timeout) as deadline,
                session.request(
                    request.method,
                    url(request.url, encoded=True),
                    headers=request.headers,
                    data=_data(request.content),
                    proxy=self._proxy,
                    server_hostname=request.server_name,
                    allow_redirects=False,
                ) as response,
            ):
                return await self._read(response, deadline)
        except (http.ClientError, OSError, ValueError) as error:
            raise self._no_answer(error) from error

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        http, _ = _imported()
        session: aiohttp.ClientSession = http.ClientSession(
            connector=http.TCPConnector(limit=0, ssl=self._verify, socket_factory=new_socket),
            timeout=http.ClientTimeout(sock_connect=CONNECT_SECONDS),
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            cookie_jar=http.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return session

    async def _read(self, response: aiohttp.ClientResponse, deadline: asyncio.Timeout) -> WireReply:
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            headers.setdefault(name.lower(), value)
        pieces = _Pieces(response.content)
        return await self._reading.in_pieces(response.status, headers, response.reason or "", pieces, deadline)

    def _no_answer(self, error: Exception) -> NoAnswerError:
        if isinstance(error.__cause__, UnreadableBodyError):
            return error.__cause__
        http, _ = _imported()
        never_left = (
            http.ClientConnectorError,
            http.ConnectionTimeoutError,
            http.ClientHttpProxyError,
            http.NonHttpUrlClientError,
            ValueError,
        )
        left = not (isinstance(error, never_left) or str(error.__cause__) == CLOSED_BEFORE)
        return NoAnswerError(self._reading.secrets.cut_from_text(self._reason(error)), left=left)

    def _reason(self, error: Exception) -> str:
        http, _ = _imported()
        if isinstance(error, TimeoutError) and not isinstance(error, http.ClientError):
            return too_late(self._timeout)
        if isinstance(error, http.ClientHttpProxyError):  # its own words hold the proxy's password
            return f"the proxy refuses the tunnel with HTTP {error.status}"
        if isinstance(error, http.ClientConnectorError):
            through = "the proxy " if isinstance(error, http.ClientProxyConnectionError) else ""
            return (
                f"Cannot connect to {through}{error.host}:{error.port}: {reason_of_dialing(error.__cause__ or error)}"
            )
        if isinstance(error, http.ClientResponseError):  # its own words hold the URL
            said, _, _ = error.message.partition("\n")
            return f"{NO_HTTP}: {said.rstrip(': ')}"
        if isinstance(error, (http.ServerDisconnectedError, ConnectionError)):
            return f"{LOST}: the server closed it"
        return reason_of(error)


class _Pieces:
    """The content of an answer as it comes."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._content.readany()
        except Exception as error:
            raise NoAnswerError(f"{LOST}: {type(error).__name__}", left=True) from error
        if not piece:
            raise StopAsyncIteration
        return piece


def _data(content: bytes | MultipartBody | None) -> bytes | AsyncIterator[bytes] | None:
    if isinstance(content, MultipartBody):
        return streamed(content)
    return content if content is None or len(content) <= PIECE_BYTES else _cut(content)


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


async def streamed(body: MultipartBody) -> AsyncIterator[bytes]:
    """Give a form piece by piece; the files are read in a thread, not on the event loop.

    One thread reads all of a form: several would each keep the memory of a piece.
    """
    pieces = iter(body)
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="openai-dest-file")
    try:
        while (piece := await loop.run_in_executor(thread, _next, pieces)) is not None:
            yield piece
    finally:
        thread.shutdown(wait=False)


def _next(pieces: Iterator[bytes]) -> bytes | None:
    try:
        return next(pieces, None)
    except OSError as error:
        raise UnreadableBodyError(f"can't read the file to send: {error}") from error


def _imported() -> tuple[ModuleType, type[URL]]:
    """Import what only a run needs: Airflow reads the operators every few seconds."""
    import aiohttp
    from yarl import URL

    return aiohttp, URL
