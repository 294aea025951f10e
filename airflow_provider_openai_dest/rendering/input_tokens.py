"""Input tokens: how many tokens a request will be billed for before its answer is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.tokens import estimate_tokens, token_counter

PROMPT_FIELDS = ("instructions", "input", "messages", "prompt")
"""Body fields whose texts are billed as input; the rest are settings."""

FILE_FIELDS = frozenset({"data", "file_data", "image_url", "url"})
"""Names of texts that are files: images and sound are billed by what is in them, which nobody can tell here."""


def input_tokens(request: RenderedRequest) -> tuple[int, bool] | None:
    """Give the tokens of the texts in a request, and whether they were counted and not estimated.

    None where it is no JSON: what a form with files costs is told by its answer alone. What images and files in a body
    add is left out.
    """
    is_counted = bool(request.model) and token_counter(request.model) is not estimate_tokens
    if request.pack is not None:
        return request.tokens, is_counted
    if not isinstance(request.content, bytes):
        return None
    count = token_counter(request.model) if request.model else estimate_tokens
    return sum(count(text) for text in _prompts(request.content)), is_counted


def _prompts(content: bytes) -> Iterator[str]:
    try:
        body = msgspec.json.decode(content)
    except msgspec.DecodeError:  # a form
        return iter(())
    return (text for name in PROMPT_FIELDS if isinstance(body, Mapping) for text in _texts(body.get(name)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in FILE_FIELDS:
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
