"""The endpoint literals against OpenAI's own specification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_openai_dest.answers.failed_answer import ANYTHING
from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from tests.contract.newer_fields import NEWER_OPERATIONS
from tests.contract.specification import (
    CONTENT_TYPES,
    answers_of,
    at,
    is_file,
    items,
    json_answer_of,
    needs_admin_key,
    needs_the_specification,
    newer_fields_of,
    operation_of,
    properties,
    request_of,
    resolved,
    specification,
    variants,
)

pytestmark = needs_the_specification

# Fields that are required here and not in the specification.
STRICTER: dict[tuple[str, str], str] = {
    ("create_image", "model"): "the API's default is retired, and a silent change of model is a change of price",
    ("create_image_edit", "model"): "the API's default is retired, and a silent change of model is a change of price",
    ("create_image_edit_json", "model"): "as above",
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
    "hyperparameters": "deprecated for method",
    "functions": "deprecated for tools",
    "function_call": "deprecated for tool_choice",
    "max_tokens": "deprecated for max_completion_tokens",
}

# Fields of one endpoint that are not offered.
LEFT_OUT_HERE: dict[tuple[str, str], str] = {
    ("create_conversation_items", "include"): "a query beside a body: items that come later have no more in them",
}


def _each(which: Callable[[EndpointTemplate], Any] = bool) -> pytest.MarkDecorator:
    """Run a test for each endpoint that has what it is about."""
    names = [name for name, endpoint in ENDPOINTS.items() if name not in NEWER_OPERATIONS and which(endpoint)]
    return pytest.mark.parametrize("endpoint", [ENDPOINTS[name] for name in names], ids=names)


each_endpoint = _each()
each_packed_endpoint = _each(lambda endpoint: endpoint.packing)
each_endpoint_of_files = _each(lambda endpoint: endpoint.answer_files)
each_endpoint_that_may_fail = _each(lambda endpoint: endpoint.failed_when)


@each_endpoint
def test_the_operation_exists(endpoint: EndpointTemplate) -> None:
    """Path and method are an operation of the API, under its own base URL."""
    assert specification()["servers"] == [{"url": "https://api.openai.com/v1"}]
    assert operation_of(endpoint)["operationId"]


@each_endpoint
def test_the_body_has_a_form_that_the_operation_takes(endpoint: EndpointTemplate) -> None:
    """The content type is one of the operation's, and there is no body where it takes none."""
    taken = operation_of(endpoint).get("requestBody", {"content": {None: {}}})["content"]

    assert CONTENT_TYPES[endpoint.content] in taken


@each_endpoint
def test_every_field_exists(endpoint: EndpointTemplate) -> None:
    """Each field that is required or offered is in the specification, or declared as newer with the reason."""
    fields, _ = request_of(endpoint)

    assert {*endpoint.required, *endpoint.optional} - {*fields} == newer_fields_of(endpoint)


@each_endpoint
def test_required_fields_are_required(endpoint: EndpointTemplate) -> None:
    """What the API requires is required here; what is required beyond that is declared with the reason."""
    _, required = request_of(endpoint)

    assert required <= {*endpoint.required}
    assert {*endpoint.required} - required == {name for owner, name in STRICTER if owner == endpoint.name}


@each_endpoint
def test_no_field_is_forgotten(endpoint: EndpointTemplate) -> None:
    """Each field of the specification is offered, or declared as left out with the reason."""
    fields, _ = request_of(endpoint)

    here = {name for owner, name in LEFT_OUT_HERE if owner == endpoint.name}

    assert {*fields} - {*endpoint.required, *endpoint.optional} - here <= {*LEFT_OUT}


@each_endpoint
def test_files_are_files(endpoint: EndpointTemplate) -> None:
    """The fields that are sent as files are just those that the specification calls binary, or are newer."""
    fields, _ = request_of(endpoint)

    assert {*endpoint.file_fields} - newer_fields_of(endpoint) == {
        name for name, schema in fields.items() if is_file(schema)
    }


@each_endpoint
def test_the_batch_api_takes_what_is_batchable(endpoint: EndpointTemplate) -> None:
    """An endpoint is batchable when the Batch API names its path and its body is JSON."""
    batches = EndpointTemplate(name="create_batch", path="/batches")
    paths = request_of(batches)[0]["endpoint"]["enum"]

    assert endpoint.batchable is (f"/v1{endpoint.path}" in paths and endpoint.content == "json")


@each_endpoint
def test_the_answer_has_the_form_that_is_read(endpoint: EndpointTemplate) -> None:
    """A JSON answer is JSON; where it is only one of several forms, its content type decides."""
    content = {*answers_of(endpoint)}

    if endpoint.answer == "json":
        assert "application/json" in content
    elif endpoint.answer == "any":  # of some operations the specification does not say what they answer
        assert not content or "application/json" in content
    else:  # the specification calls the content of any file JSON, or says nothing of it
        assert not content or content & {"application/octet-stream", "application/zip", "application/json"}


@each_packed_endpoint
def test_a_packed_answer_can_be_handed_back(endpoint: EndpointTemplate) -> None:
    """A field that several records share takes a list as long as the packing says, and the answer has an index."""
    assert endpoint.packing is not None
    fields, _ = request_of(endpoint)
    lists = [part for part in variants(fields[endpoint.packing.request_field]) if part.get("type") == "array"]
    item = properties(items(at(json_answer_of(endpoint), endpoint.packing.response_items)[0]))

    assert {part["maxItems"] for part in lists} == {endpoint.packing.max_records}
    assert f"{endpoint.packing.max_tokens:,} tokens" in resolved(fields[endpoint.packing.request_field])["description"]
    assert {"index", endpoint.vector_field} <= {*item}


@each_endpoint_of_files
def test_files_in_an_answer_are_there(endpoint: EndpointTemplate) -> None:
    """The part of an answer that is decoded into a file is in the specification."""
    assert endpoint.answer_files is not None
    item = items(at(json_answer_of(endpoint), endpoint.answer_files.items)[0])

    assert endpoint.answer_files.field in properties(item)


@each_endpoint_that_may_fail
def test_the_words_of_failure_are_the_api_s(endpoint: EndpointTemplate) -> None:
    """Field and values that make an answer a failure are in the specification."""
    for path, values in endpoint.failed_when.items():
        found = [part for schema in at(json_answer_of(endpoint), path) for part in variants(schema)]
        known = {word for part in found for word in part.get("enum", ())}
        types = {part.get("type") for part in found}
        known |= {True} if "boolean" in types else set()
        known |= {ANYTHING} if "null" in types else set()
        assert {*values} <= known


@each_endpoint
def test_an_admin_key_is_asked_for(endpoint: EndpointTemplate) -> None:
    """An endpoint is marked as one of the administration just when OpenAI wants an admin key for it."""
    assert endpoint.admin is needs_admin_key(operation_of(endpoint))


@each_endpoint
def test_an_error_that_is_data_is_in_the_answer(endpoint: EndpointTemplate) -> None:
    """A job's own error is no failure of the request only where the answer has one."""
    if endpoint.error_is_data:
        assert "error" in properties(json_answer_of(endpoint))


def test_a_wrong_literal_is_found() -> None:
    """The tests above fail for a path, a field and a file that are not the API's."""
    wrong = replace(ENDPOINTS["upload_file"], path="/file")
    with pytest.raises(KeyError):
        operation_of(wrong)
    fields, required = request_of(ENDPOINTS["upload_file"])
    assert "files" not in fields
    assert required == {"file", "purpose"}
    assert [name for name, schema in fields.items() if is_file(schema)] == ["file"]
