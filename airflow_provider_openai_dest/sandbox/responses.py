"""POST /responses and GET /responses/{id}: what they take and what they answer."""

from __future__ import annotations

import secrets
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.models import model_check
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.streams import check_stream_options, response_events, streamed
from airflow_provider_openai_dest.sandbox.texts import count_text_tokens, cut, write_answer
from airflow_provider_openai_dest.sandbox.tokens import count_tokens
from airflow_provider_openai_dest.sandbox.validation import (
    Body,
    Field,
    Flag,
    Number,
    Object,
    Shape,
    Text,
    Whole,
    refuse,
)

MOST_KEPT = 10_000
ANSWER_FORMATS = ("text", "json_object", "json_schema")


def count_response_tokens(body: Body) -> int:
    """Count the tokens of the input and the instructions."""
    return count_text_tokens(body["input"]) + count_text_tokens(body.get("instructions"))


def create_response(state: SandboxState, call: Call) -> Answer:
    """Answer the input; with ``background`` it says ``queued``, and the next GET gives it whole; or as a stream."""
    body = call.body
    whole = _written(state, body)
    if body.get("store", True):
        state.responses[whole["id"]] = whole
        while len(state.responses) > MOST_KEPT:
            del state.responses[next(iter(state.responses))]
    if body.get("stream"):
        return streamed(response_events(whole))
    if body.get("background"):
        return Answer(content={**whole, "status": "queued", "completed_at": None, "output": [], "usage": None})
    return Answer(content=whole)


def get_response(state: SandboxState, call: Call) -> Answer:
    """Give a stored response."""
    return Answer(content=_kept(state, call))


def delete_response(state: SandboxState, call: Call) -> Answer:
    """Delete a stored response."""
    response_id = _kept(state, call)["id"]
    del state.responses[response_id]
    return Answer(content={"id": response_id, "object": "response", "deleted": True})


def cancel_response(state: SandboxState, call: Call) -> Answer:
    """Cancel a response that was asked for in the background; nothing is left of it."""
    response = _kept(state, call)
    if not response["background"]:
        refuse("Cannot cancel a synchronous response.", None)
    response |= {"status": "cancelled", "completed_at": None, "output": [], "usage": None}
    return Answer(content=response)


def _kept(state: SandboxState, call: Call) -> dict[str, Any]:
    response_id = call.request.parameters["response_id"]
    if response_id not in state.responses:
        raise ApiError(404, f"Response with id '{response_id[:80]}' not found.")
    return state.responses[response_id]


def _written(state: SandboxState, body: Body) -> dict[str, Any]:
    settings = body.get("text", {})
    text = write_answer(body["input"], settings.get("format") or {})
    text, is_cut = cut(text, body.get("max_output_tokens"))
    status, now = "incomplete" if is_cut else "completed", state.timestamp()
    input_tokens, output_tokens = count_response_tokens(body), count_tokens(text)
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {
        "id": f"msg_{secrets.token_hex(16)}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part],
    }
    return {
        "id": f"resp_{secrets.token_hex(16)}",
        "object": "response",
        "created_at": now,
        "completed_at": None if is_cut else now,
        "status": status,
        "background": body.get("background", False),
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata", {}),
        "model": body["model"],
        "output": [message],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning", {"effort": None, "summary": None}),
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, **settings},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
        },
    }


def _check_schema(body: Body) -> None:
    answer_format = body.get("text", {}).get("format") or {}
    if answer_format.get("type") == "json_schema" and not isinstance(answer_format.get("schema"), dict):
        refuse("Missing required parameter: 'text.format.schema'.", "text.format.schema", "missing_required_parameter")


FORMAT = Object(nullable=True, fields={"type": Text(required=True, choices=ANSWER_FORMATS)})
RESPONSE = Shape(
    fields={
        "model": Text(required=True),
        "input": Field(kinds=("string", "array"), required=True, shortest=1),
        "instructions": Text(nullable=True),
        "max_output_tokens": Whole(nullable=True, at_least=16),
        "temperature": Number(nullable=True, at_least=0, at_most=2),
        "top_p": Number(nullable=True, at_least=0, at_most=1),
        "metadata": Object(nullable=True),
        "text": Object(nullable=True, fields={"format": FORMAT}),
        "store": Flag(nullable=True),
        "background": Flag(nullable=True),
        "stream": Flag(nullable=True),
        "stream_options": Object(nullable=True, fields={"include_obfuscation": Flag()}),
    },
    checks=(model_check("text"), _check_schema, check_stream_options),
)
