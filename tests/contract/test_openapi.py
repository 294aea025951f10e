"""The endpoint literals against OpenAI's own specification.

The specification is no part of the project. It is looked for beside it, at
``../shared/reference/openai-openapi.json``, or where ``OPENAI_OPENAPI_JSON`` says; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.sources.field_path import FieldPath
from tests.contract.newer_fields import NEWER

SPECIFICATION = Path(
    os.environ.get("OPENAI_OPENAPI_JSON")
    or Path(__file__).parents[2].parent / "shared" / "reference" / "openai-openapi.json"
)
pytestmark = pytest.mark.skipif(
    not SPECIFICATION.is_file(),
    reason=f"OpenAI's specification is not at {SPECIFICATION}; OPENAI_OPENAPI_JSON may name it",
)

Schema = Mapping[str, Any]

CONTENT_TYPES = {"json": "application/json", "multipart": "multipart/form-data", "none": None}

# Fields that are required here and not in the specification.
STRICTER: dict[tuple[str, str], str] = {
    ("create_image", "model"): "the API's default is retired, and a silent change of model is a change of price",
    ("create_image_edit", "model"): "the API's default is retired, and a silent change of model is a change of price",
    ("create_response", "model"): "the specification requires nothing, the API answers 400",
    ("create_response", "input"): "the specification requires nothing, the API answers 400",
}

# Fields that are not offered as keywords, wherever they stand. A body may still have them.
LEFT_OUT: dict[str, str] = {
    "stream": "an answer is read whole, and then kept",
    "stream_options": "an answer is read whole",
    "stream_format": "an answer is read whole",
    "partial_images": "of streams only",
    "include_obfuscation": "of streams only",
    "starting_after": "of streams only",
    "response_format": "of images: the GPT image models always answer with base64",
    "style": "of images: dall-e-3 only, which is retired",
    "functions": "deprecated for tools",
    "function_call": "deprecated for tool_choice",
    "max_tokens": "deprecated for max_completion_tokens",
}


def _each(which: Callable[[EndpointTemplate], Any] = bool) -> pytest.MarkDecorator:
    """Run a test for each endpoint that has what it is about."""
    names = [name for name, endpoint in ENDPOINTS.items() if which(endpoint)]
    return pytest.mark.parametrize("endpoint", [ENDPOINTS[name] for name in names], ids=names)


each_endpoint = _each()
each_packed_endpoint = _each(lambda endpoint: endpoint.packing)
each_endpoint_of_files = _each(lambda endpoint: endpoint.answer_files)
each_endpoint_that_may_fail = _each(lambda endpoint: endpoint.failed_when)


@cache
def _specification() -> Schema:
    specification: Schema = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    return specification


def _resolved(schema: Schema) -> Schema:
    """Follow the references of a schema."""
    while "$ref" in schema:
        found: Any = _specification()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _variants(schema: Schema) -> Iterator[Schema]:
    """Give the schema and all that it is made of: every part of ``allOf``, ``anyOf`` and ``oneOf``."""
    schema = _resolved(schema)
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, ()):
            yield from _variants(part)


def _properties(schema: Schema) -> dict[str, Schema]:
    return {name: inner for part in _variants(schema) for name, inner in part.get("properties", {}).items()}


def _items(schema: Schema) -> Schema:
    """Give what a list is made of."""
    found: Schema = next(part["items"] for part in _variants(schema) if "items" in part)
    return found


def _at(schema: Schema, path: str) -> Schema:
    """Give the schema at the end of a path such as ``choices[0].finish_reason``."""
    for step in FieldPath.parse(path).steps:
        schema = _properties(schema)[step] if isinstance(step, str) else _items(schema)
    return schema


def _operation(endpoint: EndpointTemplate) -> Schema:
    operation: Schema = _specification()["paths"][endpoint.path][endpoint.method.lower()]
    return operation


def _request(endpoint: EndpointTemplate) -> tuple[dict[str, Schema], set[str]]:
    """Give the fields that a request may have, and those that it must have."""
    content_type = CONTENT_TYPES[endpoint.content]
    parameters = [_resolved(parameter) for parameter in _operation(endpoint).get("parameters", ())]
    fields = {parameter["name"]: parameter["schema"] for parameter in parameters}
    required = {parameter["name"] for parameter in parameters if parameter.get("required")}
    if content_type is None:
        return fields, required
    schema = _operation(endpoint)["requestBody"]["content"][content_type]["schema"]
    return fields | _properties(schema), required | {
        name for part in _variants(schema) for name in part.get("required", ())
    }


def _answer(endpoint: EndpointTemplate) -> Schema:
    """Give the schema of a JSON answer."""
    answer: Schema = _operation(endpoint)["responses"]["200"]["content"]["application/json"]["schema"]
    return answer


def _newer(endpoint: EndpointTemplate) -> set[str]:
    _, fields = NEWER.get(endpoint.name, ("", ()))
    return {*fields}


def _is_file(schema: Schema) -> bool:
    """Tell whether a field holds a file, or a list of files."""
    return any(
        part.get("format") == "binary" or (part.get("type") == "array" and _is_file(part["items"]))
        for part in _variants(schema)
    )


@each_endpoint
def test_the_operation_exists(endpoint: EndpointTemplate) -> None:
    """Path and method are an operation of the API, under its own base URL."""
    assert _specification()["servers"] == [{"url": "https://api.openai.com/v1"}]
    assert _operation(endpoint)["operationId"]


@each_endpoint
def test_the_body_has_a_form_that_the_operation_takes(endpoint: EndpointTemplate) -> None:
    """The content type is one of the operation's, and there is no body where it takes none."""
    taken = _operation(endpoint).get("requestBody", {"content": {None: {}}})["content"]

    assert CONTENT_TYPES[endpoint.content] in taken


@each_endpoint
def test_every_field_exists(endpoint: EndpointTemplate) -> None:
    """Each field that is required or offered is in the specification, or declared as newer with the reason."""
    fields, _ = _request(endpoint)

    assert {*endpoint.required, *endpoint.optional} - {*fields} == _newer(endpoint)


@each_endpoint
def test_required_fields_are_required(endpoint: EndpointTemplate) -> None:
    """What the API requires is required here; what is required beyond that is declared with the reason."""
    _, required = _request(endpoint)

    assert required <= {*endpoint.required}
    assert {*endpoint.required} - required == {name for owner, name in STRICTER if owner == endpoint.name}


@each_endpoint
def test_no_field_is_forgotten(endpoint: EndpointTemplate) -> None:
    """Each field of the specification is offered, or declared as left out with the reason."""
    fields, _ = _request(endpoint)

    assert {*fields} - {*endpoint.required, *endpoint.optional} <= {*LEFT_OUT}


@each_endpoint
def test_files_are_files(endpoint: EndpointTemplate) -> None:
    """The fields that are sent as files are just those that the specification calls binary, or are newer."""
    fields, _ = _request(endpoint)

    assert {*endpoint.file_fields} - _newer(endpoint) == {name for name, schema in fields.items() if _is_file(schema)}


@each_endpoint
def test_the_batch_api_takes_what_is_batchable(endpoint: EndpointTemplate) -> None:
    """An endpoint is batchable when the Batch API names its path and its body is JSON."""
    batches = EndpointTemplate(name="create_batch", path="/batches")
    paths = _request(batches)[0]["endpoint"]["enum"]

    assert endpoint.batchable is (f"/v1{endpoint.path}" in paths and endpoint.content == "json")


@each_endpoint
def test_the_answer_has_the_form_that_is_read(endpoint: EndpointTemplate) -> None:
    """A JSON answer is JSON; where it is only one of several forms, its content type decides."""
    content = {*_operation(endpoint)["responses"]["200"]["content"]}

    if endpoint.answer in ("json", "any"):
        assert "application/json" in content
    else:  # the specification calls the content of any file JSON
        assert content & {"application/octet-stream", "application/json"}


@each_packed_endpoint
def test_a_packed_answer_can_be_handed_back(endpoint: EndpointTemplate) -> None:
    """A field that several records share takes a list as long as the packing says, and the answer has an index."""
    assert endpoint.packing is not None
    fields, _ = _request(endpoint)
    lists = [part for part in _variants(fields[endpoint.packing.request_field]) if part.get("type") == "array"]
    item = _properties(_items(_at(_answer(endpoint), endpoint.packing.response_items)))

    assert {part["maxItems"] for part in lists} == {endpoint.packing.max_records}
    assert f"{endpoint.packing.max_tokens:,} tokens" in _resolved(fields[endpoint.packing.request_field])["description"]
    assert {"index", endpoint.vector_field} <= {*item}


@each_endpoint_of_files
def test_files_in_an_answer_are_there(endpoint: EndpointTemplate) -> None:
    """The part of an answer that is decoded into a file is in the specification."""
    assert endpoint.answer_files is not None
    items = _items(_at(_answer(endpoint), endpoint.answer_files.items))

    assert endpoint.answer_files.field in _properties(items)


@each_endpoint_that_may_fail
def test_the_words_of_failure_are_the_api_s(endpoint: EndpointTemplate) -> None:
    """Field and values that make an answer a failure are in the specification."""
    for path, values in endpoint.failed_when.items():
        known = {word for part in _variants(_at(_answer(endpoint), path)) for word in part.get("enum", ())}
        assert {*values} <= known


def test_a_wrong_literal_is_found() -> None:
    """The tests above fail for a path, a field and a file that are not the API's."""
    wrong = replace(ENDPOINTS["upload_file"], path="/file")
    with pytest.raises(KeyError):
        _operation(wrong)
    fields, required = _request(ENDPOINTS["upload_file"])
    assert "files" not in fields
    assert required == {"file", "purpose"}
    assert [name for name, schema in fields.items() if _is_file(schema)] == ["file"]
