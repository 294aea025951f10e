"""The wire over aiohttp: the least CPU a request that a well-kept library was measured to cost.

https://docs.aiohttp.org/en/stable/client_reference.html
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.delivery.answer_bytes import MAX_ANSWER_BYTES, read_content, read_refusal
from airflow_provider_openai_dest.delivery.wire import (
    CONNECT_SECONDS,
    OK,
    REDIRECT,
    NoAnswerError,
    Secrets,
    WireReply,
    WireRequest,
    reason_of,
    streamed,
    too_late,
)
from airflow_provider_openai_dest.rendering.multipart import MultipartBody

if TYPE_CHECKING:
    from types import ModuleType

    import aiohttp
    from yarl import URL

LARGE_ANSWERS = 1
"""Large answers that are held at once, from the reading until they are written: packed embeddings have 17 MB each."""

PIECE_BYTES = 256 * 1024
"""aiohttp warns of a larger body in one piece, since the event loop stands still while it is copied."""


class AiohttpWire:
    """A wire over one session of aiohttp; it belongs to the event loop that first sends with it.

    No cookies, no redirects, nothing from the environment, nothing unpacked without a bound.

    :param timeout: seconds for one request in all, from sending to the last byte of the answer.
    :param verify: the TLS context.
    :param proxy: URL of the proxy, with user and password where it wants them.
    :param max_answer_bytes: bound of one answer.
    :param secrets: texts that are cut out of every answer.
    """

    def __init__(
        self,
        timeout: float,
        verify: ssl.SSLContext,
        proxy: str | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        secrets: Iterable[str] = (),
    ) -> None:
        self._timeout = timeout
        self._verify = verify
        self._proxy = proxy
        self._max_answer_bytes = max_answer_bytes
        self._secrets = Secrets(secrets)
        self._room = asyncio.Semaphore(LARGE_ANSWERS)
        self._session: aiohttp.ClientSession | None = None
        self._aiohttp, self._url = _imported()

    async def send(self, request: WireRequest) -> WireReply:
        """Send over a free connection, or a new one."""
        session = self._session = self._session or self._new_session()
        try:
            async with session.request(
                request.method,
                self._url(request.url, encoded=True),
                headers=request.headers,
                data=_data(request.content),
                proxy=self._proxy,
                server_hostname=request.server_name,
                allow_redirects=False,
            ) as response:
                return await self._read(response)
        except (self._aiohttp.ClientError, OSError, ValueError) as error:
            raise self._no_answer(error) from error

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = self._aiohttp.ClientSession(
            connector=self._aiohttp.TCPConnector(limit=0, ssl=self._verify),
            timeout=self._aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_SECONDS),
            cookie_jar=self._aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return session

    async def _read(self, response: aiohttp.ClientResponse) -> WireReply:
        encoding = response.headers.get("content-encoding", "")
        pieces = response.content.iter_any()
        room = _Room(self._room)
        try:
            content = (
                await read_content(pieces, encoding, max_bytes=self._max_answer_bytes, make_room=room.take)
                if OK <= response.status < REDIRECT
                else await read_refusal(pieces, encoding)
            )
        except BaseException:
            room.release()
            raise
        return WireReply(
            response.status,
            self._secrets.cut_from_headers(response.headers),
            self._secrets.cut_from_content(content),
            response.reason or "",
            room.release,
        )

    def _no_answer(self, error: Exception) -> NoAnswerError:
        http = self._aiohttp
        never_left = (http.ClientConnectorError, http.ConnectionTimeoutError, http.ClientHttpProxyError, ValueError)
        left = not isinstance(error, never_left)
        if isinstance(error, TimeoutError) and left:
            return NoAnswerError(too_late(self._timeout), left=True)
        return NoAnswerError(reason_of(error), left=left)


class _Room:
    """The place of one large answer in memory."""

    __slots__ = ("_is_taken", "_places")

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._is_taken = False

    async def take(self) -> None:
        """Wait for a place."""
        await self._places.acquire()
        self._is_taken = True

    def release(self) -> None:
        """Give the place to the next one."""
        if self._is_taken:
            self._is_taken = False
            self._places.release()


def _data(content: bytes | MultipartBody | None) -> bytes | AsyncIterator[bytes] | None:
    if isinstance(content, MultipartBody):
        return streamed(content)
    return content if content is None or len(content) <= PIECE_BYTES else _cut(content)


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def _imported() -> tuple[ModuleType, type[URL]]:
    """Import what only a run needs: Airflow reads the operators every few seconds."""
    import aiohttp
    from yarl import URL

    return aiohttp, URL
