"""POST /embeddings: what it takes and what it answers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Hashable
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.models import find_model
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.tokens import count_tokens
from airflow_provider_openai_dest.sandbox.validation import Body, Field, Shape, Text, Whole, refuse
from airflow_provider_openai_dest.sandbox.vectors import embed, packed

MAX_INPUTS = 2048
MAX_INPUT_TOKENS = 8192
MAX_REQUEST_TOKENS = 300_000


def inputs_of(body: Body) -> list[Any]:
    """Give the inputs as a list, one for each vector of the answer; a lone list of tokens is one input."""
    value = body["input"]
    return [value] if isinstance(value, str) or _is_token_list(value) else value


def count_embedding_tokens(body: Body) -> int:
    """Count the tokens of all inputs."""
    return sum(_count(item) for item in inputs_of(body))


def embedded_items(call: Call) -> list[Hashable]:
    """Give what tells one input from another: the model and the input."""
    model = call.body["model"]
    return [(model, item if isinstance(item, str) else tuple(item)) for item in inputs_of(call.body)]


def answer_embedding(state: SandboxState, call: Call) -> Answer:
    """Embed each input, in order."""
    body = call.body
    if body.get("encoding_format") == "base64" and not state.settings.base64:
        refuse("base64 encoding is not currently supported", "encoding_format")
    dimensions = body.get("dimensions") or find_model(body["model"], "embedding").dimensions or 0
    is_base64 = body.get("encoding_format") == "base64"
    data = []
    for index, item in enumerate(inputs_of(body)):
        vector = embed(item, dimensions)
        embedding = b64encode(packed(vector)).decode() if is_base64 else vector.tolist()
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    tokens = count_embedding_tokens(body)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answer(content={"object": "list", "data": data, "model": body["model"], "usage": usage})


def _count(item: str | list[int]) -> int:
    return count_tokens(item) if isinstance(item, str) else len(item)


def _is_token_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is int for item in value)


def _check_dimensions(body: Body) -> None:
    model, wanted = find_model(body["model"], "embedding"), body.get("dimensions", 1)
    if "dimensions" in body and model.id == "text-embedding-ada-002":
        refuse("This model does not support specifying dimensions.", "dimensions")
    if wanted > (model.dimensions or 0):
        message = f"Invalid value for 'dimensions' = {wanted}. Must be less than or equal to {model.dimensions}."
        refuse(message, "dimensions")


def _check_input_count(body: Body) -> None:
    # A bound on the field would also bound the characters of a single text.
    count = len(body["input"])
    if isinstance(body["input"], list) and count > MAX_INPUTS:
        message = f"Expected an array with maximum length {MAX_INPUTS}, but got an array with length {count} instead."
        refuse(f"Invalid 'input': array too long. {message}", "input", "array_above_max_length")


def _check_inputs(body: Body) -> None:
    items = inputs_of(body)
    for item in items:
        if item in ("", []):
            refuse("Invalid 'input': input cannot be an empty string.", "input", "empty_string")
        if type(item) is not type(items[0]) or not (isinstance(item, str) or _is_token_list(item)):
            wanted = "a string, an array of strings, an array of tokens or an array of arrays of tokens"
            refuse(f"Invalid type for 'input': expected {wanted}.", "input", "invalid_type")


def _check_tokens(body: Body) -> None:
    largest, total = max(map(_count, inputs_of(body))), count_embedding_tokens(body)
    if largest > MAX_INPUT_TOKENS:
        refuse(
            f"This model's maximum context length is {MAX_INPUT_TOKENS} tokens, however you requested {largest} tokens "
            f"({largest} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
            None,
        )
    if total > MAX_REQUEST_TOKENS:
        message = f"Requested {total} tokens, max {MAX_REQUEST_TOKENS} tokens per request"
        raise ApiError(400, message, type="max_tokens_per_request", code="max_tokens_per_request")


EMBEDDING = Shape(
    fields={
        "model": Text(required=True),
        "input": Field(kinds=("string", "array"), required=True, shortest=1),
        "encoding_format": Text(choices=("float", "base64")),
        "dimensions": Whole(at_least=1),
        "user": Text(),
    },
    is_open=False,
    checks=(_check_dimensions, _check_input_count, _check_inputs, _check_tokens),
)
