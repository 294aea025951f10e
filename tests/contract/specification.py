"""OpenAI's own specification, read for the contract tests.

It is no part of the project. It is looked for beside it, at ``../shared/reference/openai-openapi.json``, or where
``OPENAI_OPENAPI_JSON`` says; without it the tests that need it are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.sources.field_path import FieldPath
from tests.contract.newer_fields import NEWER

SPECIFICATION = Path(
    os.environ.get("OPENAI_OPENAPI_JSON")
    or Path(__file__).parents[2].parent / "shared" / "reference" / "openai-openapi.json"
)
needs_the_specification = pytest.mark.skipif(
    not SPECIFICATION.is_file(),
    reason=f"OpenAI's specification is not at {SPECIFICATION}; OPENAI_OPENAPI_JSON may name it",
)

Schema = Mapping[str, Any]

CONTENT_TYPES = {"json": "application/json", "multipart": "multipart/form-data", "none": None}


@cache
def specification() -> Schema:
    """Read the specification."""
    read: Schema = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    return read


def operations() -> Iterator[tuple[str, str, Schema]]:
    """Give method, path and declaration of each operation."""
    for path, item in specification()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def needs_admin_key(operation: Schema) -> bool:
    """Tell whether an operation wants an admin key; of three it is only said in their summary."""
    said = operation.get("summary", "")
    return operation.get("security") == [{"AdminApiKeyAuth": []}] or "requires an [admin API key]" in said


def resolved(schema: Schema) -> Schema:
    """Follow the references of a schema."""
    while "$ref" in schema:
        found: Any = specification()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def variants(schema: Schema) -> Iterator[Schema]:
    """Give the schema and all that it is made of: every part of ``allOf``, ``anyOf`` and ``oneOf``."""
    schema = resolved(schema)
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, ()):
            yield from variants(part)


def properties(schema: Schema) -> dict[str, Schema]:
    """Give the fields of an object, whatever form of it they are of."""
    return {name: inner for part in variants(schema) for name, inner in part.get("properties", {}).items()}


def required(schema: Schema) -> set[str]:
    """Give the fields that an object must have in each of its forms."""
    schema = resolved(schema)
    names = {*schema.get("required", ())}.union(*map(required, schema.get("allOf", ())))
    for word in ("anyOf", "oneOf"):
        if forms := schema.get(word):
            names |= set.intersection(*map(required, forms))
    return names


def items(schema: Schema) -> Schema:
    """Give what a list is made of."""
    found: Schema = next(part["items"] for part in variants(schema) if "items" in part)
    return found


def is_file(schema: Schema) -> bool:
    """Tell whether a field holds a file, or a list of files."""
    return any(
        part.get("format") == "binary" or (part.get("type") == "array" and is_file(part["items"]))
        for part in variants(schema)
    )


def at(schema: Schema, path: str) -> list[Schema]:
    """Give the schemas at the end of a path such as ``output[*].content[0].type``, of each form that has it."""
    found = [schema]
    for place, piece in enumerate(path.split("[*]")):
        if place:
            found = [inner for outer in found for inner in _any_item(outer)]
        for step in FieldPath.parse(piece.removeprefix(".")).steps if piece else ():
            found = [inner for outer in found for inner in _steps(outer, step)]
    return found


def _steps(schema: Schema, step: str | int) -> list[Schema]:
    if isinstance(step, int):
        return [part["items"] for part in variants(schema) if "items" in part]
    return [part["properties"][step] for part in variants(schema) if step in part.get("properties", {})]


def _any_item(schema: Schema) -> list[Schema]:
    return _steps(schema, 0) or [*properties(schema).values()]


def operation_of(endpoint: EndpointTemplate) -> Schema:
    """Give the declaration of an endpoint's operation."""
    operation: Schema = specification()["paths"][endpoint.path][endpoint.method.lower()]
    return operation


def body_of(endpoint: EndpointTemplate) -> Schema:
    """Give the schema of a request's body."""
    body: Schema = operation_of(endpoint)["requestBody"]["content"][CONTENT_TYPES[endpoint.content]]["schema"]
    return body


def request_of(endpoint: EndpointTemplate) -> tuple[dict[str, Schema], set[str]]:
    """Give the fields that a request may have in path, query and body, and those that it must have."""
    parameters = [resolved(parameter) for parameter in operation_of(endpoint).get("parameters", ())]
    fields = {parameter["name"].removesuffix("[]"): parameter["schema"] for parameter in parameters}
    names = {parameter["name"] for parameter in parameters if parameter.get("required")}
    if CONTENT_TYPES[endpoint.content] is None:
        return fields, names
    body = body_of(endpoint)
    return fields | properties(body), names | required(body)


def answers_of(endpoint: EndpointTemplate) -> Schema:
    """Give the schemas of a successful answer by content type; none where the specification has none."""
    answers = [answer for status, answer in operation_of(endpoint)["responses"].items() if status.startswith("2")]
    content: Schema = answers[0].get("content", {})
    return content


def json_answer_of(endpoint: EndpointTemplate) -> Schema:
    """Give the schema of a JSON answer."""
    answer: Schema = answers_of(endpoint)["application/json"]["schema"]
    return answer


def newer_fields_of(endpoint: EndpointTemplate) -> set[str]:
    """Give the fields that are newer than the specification."""
    _, fields = NEWER.get(endpoint.name, ("", ()))
    return {*fields}
