"""Streams: an answer as the events that the API sends of it, and in the end the whole of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from airflow_provider_openai_dest.sandbox.answers import EVENT_STREAM, Answer
from airflow_provider_openai_dest.sandbox.validation import Body, refuse

LETTERS = 16  # of a text in one event


def streamed(events: Iterable[bytes]) -> Answer:
    """Give the answer that is a stream of these events."""
    return Answer(content=b"".join(events), media_type=EVENT_STREAM)


def check_stream_options(body: Body) -> None:
    """Refuse ``stream_options`` without a stream."""
    if body.get("stream_options") and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        refuse(message, "stream_options", "invalid_parameter")


def response_events(whole: Mapping[str, Any]) -> Iterator[bytes]:
    """Give the events of a response with one message of one text."""
    for number, event in enumerate(_response_events(whole)):
        yield _event({**event, "sequence_number": number}, name=event["type"])


def chat_events(whole: Mapping[str, Any], *, has_usage: bool) -> Iterator[bytes]:
    """Give the chunks of a chat completion, and its usage in the last one where it was asked for."""
    shared = {name: value for name, value in whole.items() if name not in ("choices", "usage")}
    shared |= {"object": "chat.completion.chunk"} | ({"usage": None} if has_usage else {})
    for choice in whole["choices"]:
        message, index = choice["message"], choice["index"]
        deltas = [{"role": message["role"], "content": "", "refusal": None}]
        deltas += [{"content": letters} for letters in _cut(message["content"])]
        for delta in deltas:
            yield _event({**shared, "choices": [_chunk_choice(index, delta)]})
        yield _event({**shared, "choices": [_chunk_choice(index, {}, choice["finish_reason"])]})
    if has_usage:
        yield _event({**shared, "choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


def error_event(error: Mapping[str, Any]) -> bytes:
    """Give the event of a failure in the middle of a stream."""
    return _event({"type": "error", **error, "sequence_number": 0, "error": dict(error)}, name="error")


def _response_events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    (message,) = whole["output"]
    (part,) = message["content"]
    begun = {**whole, "status": "in_progress", "completed_at": None, "incomplete_details": None}
    begun |= {"output": [], "usage": None}
    place = {"output_index": 0}
    text = {**place, "item_id": message["id"], "content_index": 0}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    yield {"type": "response.output_item.added", **place, "item": {**message, "status": "in_progress", "content": []}}
    yield {"type": "response.content_part.added", **text, "part": {**part, "text": ""}}
    for letters in _cut(part["text"]):
        yield {"type": "response.output_text.delta", **text, "delta": letters, "logprobs": []}
    yield {"type": "response.output_text.done", **text, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **text, "part": part}
    yield {"type": "response.output_item.done", **place, "item": message}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _chunk_choice(index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _cut(text: str) -> Iterator[str]:
    for start in range(0, len(text), LETTERS):
        yield text[start : start + LETTERS]


def _event(data: Mapping[str, Any], name: str | None = None) -> bytes:
    named = f"event: {name}\n".encode() if name else b""
    return named + b"data: " + msgspec.json.encode(data) + b"\n\n"
