"""Streamed answer: a stream of events collected into the answer that the operation gives without a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.wire.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.wire.event_stream import Event, EventParser
from airflow_provider_openai_dest.wire.stream_parts import OtherParts, Parts, parts_of

DONE = b"[DONE]"

REFUSED = 400
STATUS_OF_ERROR = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "api_error": 500,
    "internal_error": 500,
    "slow_down": 503,
    "server_is_overloaded": 503,
    "service_unavailable_error": 503,
    "vector_store_timeout": 504,
}
"""The status that an error has without a stream, by its code or type; any other is the request's fault."""


class Collected(NamedTuple):
    """The whole answer: its status, None for the stream's own, the type of its content, and the content."""

    status: int | None
    content_type: str
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Give the header that differs from the stream's."""
        return {"content-type": self.content_type}


class StreamedAnswer:
    """Takes the bytes of a stream as they come, and gives the answer. Whoever feeds it bounds them.

    ``is_whole`` says that the answer, or an error in its place, is complete, and ``is_over`` that nothing can follow.
    Raises UnusableAnswerError for what is no stream of its kind.
    """

    def __init__(self) -> None:
        self._parser = EventParser()
        self._parts: Parts = OtherParts()
        self._error: Mapping[str, Any] | None = None
        self._events = 0

    @property
    def is_whole(self) -> bool:
        """Whether its last event, or an error, was seen."""
        return self._error is not None or self._parts.is_whole

    @property
    def is_over(self) -> bool:
        """Whether the rest of the stream can be left."""
        return self._error is not None or self._parts.is_over

    def feed(self, piece: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        for event in self._parser.feed(piece):
            if not self.is_over:
                self._take(event)

    def end(self) -> None:
        """Take the proper end of the stream: the only one that those of pictures and of an unknown kind have."""
        if self._events and self._parts.ends_with_stream:
            self._parts.end()

    def collected(self) -> Collected:
        """Give the whole answer. A file's bytes have no type, as no event tells it."""
        if self._error is not None:
            return Collected(_status_of(self._error), "application/json", _json({"error": self._error}))
        try:
            answer = self._parts.answer()
        except _MISFITS as error:
            raise _unusable(f"the parts of the stream do not fit: {error!r}") from None
        if isinstance(answer, bytes):
            return Collected(None, "application/octet-stream", answer)
        return Collected(None, "application/json", _json(answer))

    def _take(self, event: Event) -> None:
        if event.data.strip() == DONE:
            self._parts.end()
            return
        self._events += 1
        data = self._decoded(event)
        name = _name_of(event, data)
        if isinstance(data, Mapping) and (name == "error" or data.get("error")):
            said = data.get("error")
            self._error = said if isinstance(said, Mapping) else {"message": said} if said else data
            return
        if isinstance(self._parts, OtherParts):  # an event of no kind, such as a sign of life, may come first
            known = parts_of(name, data)
            self._parts = self._parts if isinstance(known, OtherParts) else known
        try:
            self._parts.add(name, data)
        except _MISFITS as error:
            raise _unusable(f"event {self._events} of the stream does not fit: {error!r}") from None

    def _decoded(self, event: Event) -> Any:
        try:
            return msgspec.json.decode(event.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if isinstance(self._parts, OtherParts):
                return event.data.decode(errors="backslashreplace")
            raise _unusable(f"event {self._events} of the stream is not JSON: {error}") from None


_MISFITS = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)


def _name_of(event: Event, data: Any) -> str:
    kind = data.get("type") if isinstance(data, Mapping) else None
    return kind if isinstance(kind, str) and event.name != "error" else event.name


def _status_of(error: Mapping[str, Any]) -> int:
    words = (error.get(name) for name in ("code", "type"))
    return next((STATUS_OF_ERROR[word] for word in words if isinstance(word, str) and word in STATUS_OF_ERROR), REFUSED)


def _json(answer: Any) -> bytes:
    try:
        return encode_json(answer)
    except RecordError as error:
        raise _unusable(error.message) from None


def _unusable(reason: str) -> UnusableAnswerError:
    return UnusableAnswerError(reason[:500])
