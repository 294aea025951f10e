"""POST /chat/completions: what it takes and what it answers."""

from __future__ import annotations

import secrets
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.models import model_check
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.streams import chat_events, check_stream_options, streamed
from airflow_provider_openai_dest.sandbox.texts import count_text_tokens, cut, write_answer
from airflow_provider_openai_dest.sandbox.tokens import count_tokens
from airflow_provider_openai_dest.sandbox.validation import (
    Array,
    Body,
    Flag,
    Number,
    Object,
    Shape,
    Text,
    Whole,
    refuse,
)

ANSWER_FORMATS = ("text", "json_object", "json_schema")
ROLES = ("developer", "system", "user", "assistant", "tool", "function")


def count_chat_tokens(body: Body) -> int:
    """Count the tokens of all messages."""
    return count_text_tokens(body["messages"])


def create_chat_completion(state: SandboxState, call: Call) -> Answer:
    """Answer the last message, ``n`` times the same; with ``stream`` as chunks."""
    body, count = call.body, call.body.get("n", 1)
    wanted = body.get("response_format", {})
    text = write_answer(body["messages"], {**wanted.get("json_schema", {}), "type": wanted.get("type")})
    text, is_cut = cut(text, body.get("max_completion_tokens", body.get("max_tokens")))
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    reason = "length" if is_cut else "stop"
    choice = {"message": message, "logprobs": None, "finish_reason": reason}
    choices = [{"index": index, **choice} for index in range(count)]
    prompt_tokens, completion_tokens = count_chat_tokens(body), count_tokens(text) * count
    whole = {
        "id": f"chatcmpl-{secrets.token_hex(16)}",
        "object": "chat.completion",
        "created": state.timestamp(),
        "model": body["model"],
        "choices": choices,
        "service_tier": "default",
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }
    if body.get("stream"):
        has_usage = body.get("stream_options", {}).get("include_usage", False)
        return streamed(chat_events(whole, has_usage=has_usage))
    return Answer(content=whole)


def _check_messages(body: Body) -> None:
    for place, message in enumerate(body["messages"]):
        param = f"messages[{place}].role"
        role = message.get("role") if isinstance(message, dict) else None
        if role is None:
            refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
        if role not in ROLES:
            known = ", ".join(ROLES)
            refuse(f"Invalid value: {str(role)[:80]!r}. Supported values are: {known}.", param, "invalid_value")


def _check_schema(body: Body) -> None:
    wanted, param = body.get("response_format", {}), "response_format.json_schema"
    if wanted.get("type") == "json_schema" and "json_schema" not in wanted:
        refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


CHAT = Shape(
    fields={
        "model": Text(required=True),
        "messages": Array(required=True, shortest=1),
        "n": Whole(nullable=True, at_least=1, at_most=128),
        "max_completion_tokens": Whole(nullable=True, at_least=1),
        "max_tokens": Whole(nullable=True, at_least=1),
        "temperature": Number(nullable=True, at_least=0, at_most=2),
        "top_p": Number(nullable=True, at_least=0, at_most=1),
        "metadata": Object(nullable=True),
        "response_format": Object(
            nullable=True,
            fields={
                "type": Text(required=True, choices=ANSWER_FORMATS),
                "json_schema": Object(fields={"name": Text(required=True), "schema": Object(nullable=True)}),
            },
        ),
        "stream": Flag(nullable=True),
        "stream_options": Object(nullable=True, fields={"include_usage": Flag(), "include_obfuscation": Flag()}),
    },
    checks=(model_check("text"), _check_messages, _check_schema, check_stream_options),
)
