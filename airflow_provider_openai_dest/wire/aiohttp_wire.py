"""The wire over aiohttp: the least CPU a request that a well-kept library was measured to cost.

https://docs.aiohttp.org/en/stable/client_reference.html
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.wire.answer_bytes import (
    LARGE_BYTES,
    MAX_ANSWER_BYTES,
    UnusableAnswerError,
    read_content,
    read_refusal,
)
from airflow_provider_openai_dest.wire.event_stream import EVENT_STREAM
from airflow_provider_openai_dest.wire.streamed_answer import Collected, StreamedAnswer
from airflow_provider_openai_dest.wire.wire import (
    CONNECT_SECONDS,
    OK,
    REDIRECT,
    NoAnswerError,
    Secrets,
    UnreadableBodyError,
    WireReply,
    WireRequest,
    reason_of,
    streamed,
    too_late,
)

if TYPE_CHECKING:
    from types import ModuleType

    import aiohttp
    from multidict import CIMultiDict
    from yarl import URL

LARGE_ANSWERS = 1
"""Large answers that are held at once, from the reading until they are written: packed embeddings have 17 MB each."""

CLOSED_BEFORE = "Cannot write to closing transport"
"""What aiohttp says when a connection is closed before the last of a body was given to it: it never left whole."""

_TLS_OF_AIOHTTP = re.compile(r" ssl:(?:<[^>]*>|\S+)(?= \[)")
"""What aiohttp says of its own settings within the reason, on plain http as well."""

END_SECONDS = 1.0
"""How long the end of a stream is waited for, when its last event is there."""

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
    :param collects_streams: make one answer of the events of a stream.
    """

    def __init__(
        self,
        timeout: float,
        verify: ssl.SSLContext,
        proxy: str | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        secrets: Iterable[str] = (),
        *,
        collects_streams: bool = False,
    ) -> None:
        self._collects_streams = collects_streams
        self._timeout = timeout
        self._verify = verify
        self._proxy = proxy
        self._max_answer_bytes = max_answer_bytes
        self.secrets = Secrets(secrets)
        self._room = asyncio.Semaphore(LARGE_ANSWERS)
        self._session: aiohttp.ClientSession | None = None
        http, self._url, self._headers = _imported()
        self._aiohttp = http
        self._never_left = (
            http.ClientConnectorError,
            http.ConnectionTimeoutError,
            http.ClientHttpProxyError,
            http.NonHttpUrlClientError,
            ValueError,
        )

    async def send(self, request: WireRequest) -> WireReply:
        """Send over a free connection, or a new one."""
        session = self._session = self._session or self._new_session()
        try:
            async with (
                asyncio.timeout(self._timeout) as deadline,
                session.request(
                    request.method,
                    self._url(request.url, encoded=True),
                    headers=request.headers,
                    data=_data(request.content),
                    proxy=self._proxy,
                    server_hostname=request.server_name,
                    allow_redirects=False,
                ) as response,
            ):
                return await self._read(response, _Room(self._room, deadline))
        except (self._aiohttp.ClientError, OSError, ValueError) as error:
            raise self._no_answer(error) from error

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = self._aiohttp.ClientSession(
            connector=self._aiohttp.TCPConnector(limit=0, ssl=self._verify),
            timeout=self._aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS),
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            cookie_jar=self._aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return session

    async def _read(self, response: aiohttp.ClientResponse, room: _Room) -> WireReply:
        encoding = response.headers.get("content-encoding", "")
        pieces = response.content.iter_any()
        status, headers = response.status, self.secrets.cut_from_headers(response.headers)
        try:
            if not OK <= status < REDIRECT:
                content = await read_refusal(pieces, encoding)
            elif self._collects_streams and headers.get("content-type", "").lower().startswith(EVENT_STREAM):
                collected = await self._collected(pieces, encoding, room)
                status, content = collected.status or status, collected.content
                headers = {**{name.lower(): value for name, value in headers.items()}, **collected.headers}
            else:
                content = await read_content(pieces, encoding, max_bytes=self._max_answer_bytes, make_room=room.take)
        except BaseException:
            room.release()
            raise
        return WireReply(
            status,
            headers if headers is response.headers else self._headers(headers),
            self.secrets.cut_from_content(content),
            self.secrets.cut_from_text(response.reason or ""),
            room.release,
        )

    async def _collected(self, pieces: AsyncIterator[bytes], encoding: str, room: _Room) -> Collected:
        """Read a stream of events up to its last one; NoAnswerError when it breaks off before."""
        answer = StreamedAnswer()
        try:
            await read_content(
                _until_over(pieces, answer),
                encoding,
                max_bytes=self._max_answer_bytes,
                into=answer.feed,
            )
            answer.end()
        except (self._aiohttp.ClientError, OSError, UnusableAnswerError):
            if not answer.is_whole:
                raise
        if not answer.is_whole:
            raise NoAnswerError("the stream of events ended before its last one", left=True)
        collected = answer.collected()
        if len(collected.content) > LARGE_BYTES:  # only now: most of a long stream is not held, and it takes minutes
            await room.take()
        return collected

    def _no_answer(self, error: Exception) -> NoAnswerError:
        if isinstance(error.__cause__, UnreadableBodyError):
            return error.__cause__
        left = not (isinstance(error, self._never_left) or str(error.__cause__) == CLOSED_BEFORE)
        if isinstance(error, TimeoutError) and left:
            return NoAnswerError(too_late(self._timeout), left=True)
        if isinstance(error, self._aiohttp.ClientHttpProxyError):  # its own words hold the proxy's password
            return NoAnswerError(f"the proxy refuses the tunnel with HTTP {error.status}", left=False)
        if isinstance(error, self._aiohttp.ClientResponseError):  # its own words hold the URL
            return NoAnswerError(f"the answer is no HTTP: {self.secrets.cut_from_text(error.message)}", left=left)
        return NoAnswerError(self.secrets.cut_from_text(_TLS_OF_AIOHTTP.sub("", reason_of(error))), left=left)


async def _until_over(pieces: AsyncIterator[bytes], answer: StreamedAnswer) -> AsyncIterator[bytes]:
    """Give the pieces up to the last event, and let the end that follows free the connection for the next request."""
    async for piece in pieces:
        yield piece
        if answer.is_over:
            break
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            async for _ in pieces:
                pass


class _Room:
    """The place of one large answer in memory."""

    __slots__ = ("_deadline", "_is_taken", "_places")

    def __init__(self, places: asyncio.Semaphore, deadline: asyncio.Timeout) -> None:
        self._places = places
        self._deadline = deadline
        self._is_taken = False

    async def take(self) -> None:
        """Wait for a place; the time stands still meanwhile, since it is our own sinks that are slow."""
        now, ends = asyncio.get_running_loop().time, self._deadline.when()
        began = now()
        self._deadline.reschedule(None)
        await self._places.acquire()
        self._is_taken = True
        self._deadline.reschedule(None if ends is None else ends + now() - began)

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


def _imported() -> tuple[ModuleType, type[URL], type[CIMultiDict[str]]]:
    """Import what only a run needs: Airflow reads the operators every few seconds."""
    import aiohttp
    from multidict import CIMultiDict
    from yarl import URL

    return aiohttp, URL, CIMultiDict
