"""Reading: an answer off any wire becomes a reply: bounded, unpacked, without secrets, and a stream as one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress

from airflow_provider_openai_dest.wire.answer_bytes import (
    LARGE_BYTES,
    MAX_ANSWER_BYTES,
    MAX_REFUSAL_BYTES,
    UnusableAnswerError,
    read_content,
    read_refusal,
)
from airflow_provider_openai_dest.wire.event_stream import EVENT_STREAM
from airflow_provider_openai_dest.wire.streamed_answer import Collected, StreamedAnswer
from airflow_provider_openai_dest.wire.wire import OK, REDIRECT, NoAnswerError, Secrets, WireReply

LARGE_ANSWERS = 1
"""Large answers that are held at once, from the reading until they are written: packed embeddings have 17 MB each."""

END_SECONDS = 1.0
"""How long the end of a stream is waited for, when its last event is there."""


class Reading:
    """How the answers of a connection are read, whichever wire they come by; their headers have lower-case names.

    :param max_answer_bytes: bound of one answer.
    :param secrets: texts that are cut out of every answer.
    :param collects_streams: make one answer of the events of a stream.
    """

    def __init__(
        self,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        secrets: Iterable[str] = (),
        *,
        collects_streams: bool = False,
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self.secrets = Secrets(secrets)
        self._collects_streams = collects_streams
        self._places = asyncio.Semaphore(LARGE_ANSWERS)

    def most_at_once(self, status: int, headers: Mapping[str, str]) -> int:
        """Give how many bytes of an answer may be held before :meth:`in_pieces` must look at them."""
        if "content-encoding" in headers:
            return 0
        if not OK <= status < REDIRECT:
            return MAX_REFUSAL_BYTES
        return 0 if self._is_stream(headers) else min(LARGE_BYTES, self._max_answer_bytes)

    def whole(self, status: int, headers: Mapping[str, str], reason: str, content: bytes) -> WireReply:
        """Give an answer of which no more than :meth:`most_at_once` came."""
        return WireReply(
            status,
            self.secrets.cut_from_headers(headers),
            self.secrets.cut_from_content(content),
            self.secrets.cut_from_text(reason),
        )

    async def in_pieces(
        self,
        status: int,
        headers: Mapping[str, str],
        reason: str,
        pieces: AsyncIterator[bytes],
        deadline: asyncio.Timeout,
    ) -> WireReply:
        """Read an answer piece by piece; raises UnusableAnswerError, and what the pieces raise.

        :param deadline: stands still while a large answer waits for its place.
        """
        room = _Room(self._places, deadline)
        encoding = headers.get("content-encoding", "")
        headers = self.secrets.cut_from_headers(headers)
        try:
            if not OK <= status < REDIRECT:
                content = await read_refusal(pieces, encoding)
            elif self._is_stream(headers):
                collected = await self._collected(pieces, encoding, room)
                status, content = collected.status or status, collected.content
                headers = {**headers, **collected.headers}
            else:
                content = await read_content(pieces, encoding, max_bytes=self._max_answer_bytes, make_room=room.take)
        except BaseException:
            room.release()
            raise
        content = self.secrets.cut_from_content(content)
        return WireReply(status, headers, content, self.secrets.cut_from_text(reason), room.release)

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
        except (NoAnswerError, UnusableAnswerError):
            if not answer.is_whole:
                raise
        if not answer.is_whole:
            raise NoAnswerError("the stream of events ended before its last one", left=True)
        collected = answer.collected()
        if len(collected.content) > LARGE_BYTES:  # only now: most of a long stream is not held, and it takes minutes
            await room.take()
        return collected

    def _is_stream(self, headers: Mapping[str, str]) -> bool:
        return self._collects_streams and headers.get("content-type", "").lower().startswith(EVENT_STREAM)


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
