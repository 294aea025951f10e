"""HTTP/1.1 connection: carries one request at a time over a transport of the event loop; llhttp reads the answer.

https://www.rfc-editor.org/rfc/rfc9112 by https://github.com/MagicStack/httptools, which uvicorn reads requests with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache

import httptools

from airflow_provider_openai_dest.wire.wire import LOST, NO_HTTP, NoAnswerError

MAX_HEAD_BYTES = 64 * 1024
"""How much may come without a byte of content: a head, the size of a chunk, or what follows the last one."""

MAX_HELD_BYTES = 256 * 1024
"""How much of an answer that is read piece by piece is held before the server must wait."""

PIECE_OVERHEAD_BYTES = 64
"""What a piece of content takes beside its bytes: chunks may have one byte each."""

FEW_PIECES = 64
"""So many are given one by one, as copying them would hold them twice; more are small, and given as one."""

INTERIM = 1
"""A status of this class is no answer yet: https://www.rfc-editor.org/rfc/rfc9110#section-15.2."""


LONGEST_KEPT = 64
"""A longer name of a header is not kept from one answer to the next."""


def _lower_case(name: bytes) -> str:
    return name.decode("latin-1").lower()


_known = lru_cache(256)(_lower_case)  # the names are the same in each answer


class BrokenAnswerError(NoAnswerError):
    """The connection ended, or what came over it is no HTTP, before the answer was whole."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, left=True)


class Http1Connection(asyncio.Protocol):
    """One connection.

    An answer is whole at once, as a rule: :meth:`exchange` gives its content. One that is larger than its head allows
    is given piece by piece, by iterating over the connection.

    :param most_at_once: how many bytes of an answer with this status and these headers may be held at once.
    """

    def __init__(self, most_at_once: Callable[[int, Mapping[str, str]], int]) -> None:
        self._most_at_once = most_at_once
        self._parser = httptools.HttpResponseParser(self)
        # An answer that is paid for is not lost by how its head is written. aiohttp reads it so, too.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._broken = ""
        self._is_ended = self._is_paused = False
        self.used_at = 0.0
        self._begin()
        self._is_whole = True  # what comes before the first request is no answer to it

    def _begin(self) -> None:
        self.status = 0
        self.reason = b""
        self.headers: dict[str, str] = {}
        self._fields = self.headers
        self._body: list[bytes] = []
        self._held = self._head_bytes = 0
        self._most = 0
        self._has_head = self._is_whole = self._is_in_pieces = False

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not self._is_ended and not self._transport.is_closing()

    @property
    def is_free(self) -> bool:
        """Whether another request may go over it."""
        is_done = self._is_whole and not self._is_paused
        return is_done and self.is_open and not self._transport.get_write_buffer_size()

    @property
    def heard_nothing(self) -> bool:
        """Whether it ended before a byte of the answer came."""
        return self._broken != "" and not self._has_head and not self._head_bytes

    async def exchange(self, request: bytes) -> bytes | None:
        """Send a request, and give the content of its answer; None when that is to be read piece by piece.

        Raises BrokenAnswerError.
        """
        self._begin()
        self._transport.write(request)
        waiter = self._waiter = self._loop.create_future()
        await waiter
        if self._broken:
            raise BrokenAnswerError(self._broken)
        if self._is_in_pieces:
            return None
        body, self._body = self._body, []  # an idle connection holds no answer
        return body[0] if len(body) == 1 else b"".join(body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Give what has come of the content."""
        while not self._body:
            if self._is_whole:
                raise StopAsyncIteration
            if self._broken:
                raise BrokenAnswerError(self._broken)
            waiter = self._waiter = self._loop.create_future()
            await waiter
        if len(self._body) > FEW_PIECES:
            piece = b"".join(self._body)
            self._body.clear()
        else:
            piece = self._body.pop(0)
        self._held = self._held - len(piece) - PIECE_OVERHEAD_BYTES if self._body else 0
        if self._is_paused and not self._held:
            self._is_paused = False
            self._transport.resume_reading()
        return piece

    def close(self) -> None:
        """Close it at once; nothing more is sent or read, and an exchange under way fails."""
        self._fail("the connection was closed before the answer was whole")
        self._transport.abort()

    def expire(self) -> None:
        """End the exchange, since it lasts too long: TimeoutError for who waits for it."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())
        self.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        self._is_ended = True
        if not self._is_whole and not self._broken:
            self._broken = reason
        self._wake()

    # -- asyncio.Protocol ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # it is asked for with TCP or TLS, which give no other

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(f"{NO_HTTP}: it changes the protocol")
            self.close()
        except httptools.HttpParserError as error:
            self._fail(f"{NO_HTTP}: {error}")
            self.close()
        else:
            if self._head_bytes > MAX_HEAD_BYTES and not self._is_whole:
                self._fail(f"the answer has more than {MAX_HEAD_BYTES:,} bytes without content")
                self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End; an answer that tells no length is whole then."""
        is_closed_by_server = not error and not self._is_ended
        if is_closed_by_server and self._has_head and not self.headers.keys() & {"content-length", "transfer-encoding"}:
            self._is_whole = True
        self._fail(f"{LOST}: {error or 'the server closed it'}")
        del self._parser  # it holds this connection, which holds it

    # -- httptools -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Refuse what nobody asked for: it may neither change this answer nor be taken for the next one."""
        if self._is_whole:
            raise httptools.HttpParserError("nobody asked for it")

    def on_status(self, reason: bytes) -> None:
        """Take a piece of the words beside the status."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; the first one holds where a name comes again."""
        known = _known(name) if len(name) <= LONGEST_KEPT else _lower_case(name)
        self._fields.setdefault(known, value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Find how the content is to be read."""
        self.status = self._parser.get_status_code()
        if self.status // 100 != INTERIM:
            self._has_head = True
            self._fields = {}  # what follows the content is read by nobody
            self._most = self._most_at_once(self.status, self.headers)
            if not self._most:
                self._is_in_pieces = True
                self._wake()

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the content."""
        self._body.append(piece)
        self._head_bytes = 0
        self._held += len(piece) + PIECE_OVERHEAD_BYTES
        if self._held > self._most and not self._is_in_pieces:
            self._is_in_pieces = True
        if self._is_in_pieces:
            if self._held > MAX_HELD_BYTES and not self._is_paused:
                self._is_paused = True
                self._transport.pause_reading()
            self._wake()

    def on_message_complete(self) -> None:
        """End the answer, unless it was an interim one."""
        if not self._has_head:
            self._begin()
            return
        self._is_whole = True
        if not self._parser.should_keep_alive():
            self._is_ended = True
            self._transport.close()
        self._wake()
