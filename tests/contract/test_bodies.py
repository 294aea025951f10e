"""Good and bad bodies of the main endpoints: the tables of fields here and OpenAI's own schemas say the same of them.

The schemas are those of the specification, made valid (``openai-schemas.json`` beside it); without them the tests are
skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema
import pytest

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from tests.contract.specification import SPECIFICATION, needs_the_specification, operation_of

SCHEMAS = SPECIFICATION.with_name("openai-schemas.json")
pytestmark = [
    needs_the_specification,
    pytest.mark.skipif(not SCHEMAS.is_file(), reason=f"the schemas are not at {SCHEMAS}"),
]

Body = dict[str, Any]

CHAT = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hi"}]}
IMAGE = {"model": "gpt-image-2", "prompt": "a kettle"}

# What is sent: the endpoint's name, its schema, and a body with as much in it as is worth checking.
GOOD: dict[str, tuple[str, str, Body]] = {
    "a file": ("upload_file", "CreateFileRequest", {"purpose": "batch", "file": "a.jsonl"}),
    "a file that expires": (
        "upload_file",
        "CreateFileRequest",
        {"purpose": "user_data", "file": "a.pdf", "expires_after": {"anchor": "created_at", "seconds": 3600}},
    ),
    "an image": ("create_image", "CreateImageRequest", {**IMAGE, "n": 2, "size": "1024x1024", "quality": "high"}),
    "an edited image": ("create_image_edit", "CreateImageEditRequest", {**IMAGE, "image": "a.png", "mask": "m.png"}),
    "an edit of two images": ("create_image_edit", "CreateImageEditRequest", {**IMAGE, "image": ["a.png", "b.png"]}),
    "an edit by reference": (
        "create_image_edit_json",
        "EditImageBodyJsonParam",
        {**IMAGE, "images": [{"image_url": "https://images.example/a.png"}, {"file_id": "file-1"}]},
    ),
    "an embedding": (
        "create_embedding",
        "CreateEmbeddingRequest",
        {"model": "text-embedding-3-small", "input": "a", "dimensions": 256, "encoding_format": "base64"},
    ),
    "embeddings": ("create_embedding", "CreateEmbeddingRequest", {"model": "text-embedding-3-large", "input": ["a"]}),
    "a response": (
        "create_response",
        "CreateResponse",
        {"model": "gpt-6-luna", "input": "hi", "max_output_tokens": 64, "metadata": {"sku": "1"}},
    ),
    "a structured response": (
        "create_response",
        "CreateResponse",
        {
            "model": "gpt-6-luna",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        },
    ),
    "a chat completion": (
        "create_chat_completion",
        "CreateChatCompletionRequest",
        {**CHAT, "max_completion_tokens": 64, "response_format": {"type": "json_object"}, "n": 2},
    ),
    "a moderation": ("create_moderation", "CreateModerationRequest", {"input": ["a", "b"]}),
    "a moderation of an image": (
        "create_moderation",
        "CreateModerationRequest",
        {
            "model": "omni-moderation-latest",
            "input": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
        },
    ),
    "speech": (
        "create_speech",
        "CreateSpeechRequest",
        {"model": "gpt-4o-mini-tts", "input": "hi", "voice": "alloy", "response_format": "wav", "speed": 1.5},
    ),
    "a transcription": (
        "create_transcription",
        "CreateTranscriptionRequest",
        {"model": "gpt-transcribe", "file": "a.mp3", "language": "en", "temperature": 0},
    ),
    "a translation": ("create_translation", "CreateTranslationRequest", {"model": "whisper-1", "file": "a.mp3"}),
    "a batch": (
        "create_batch",
        "CreateBatchRequest",
        {"input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "24h", "metadata": {"a": "b"}},
    ),
    "a vector store": (
        "create_vector_store",
        "CreateVectorStoreRequest",
        {"name": "kb", "file_ids": ["file-1"], "expires_after": {"anchor": "last_active_at", "days": 7}},
    ),
    "a batch of files for a vector store": (
        "create_vector_store_file_batch",
        "CreateVectorStoreFileBatchRequest",
        {"vector_store_id": "vs_1", "file_ids": ["file-1"], "attributes": {"sku": "1"}},
    ),
    "files of a vector store, each with its attributes": (
        "create_vector_store_file_batch",
        "CreateVectorStoreFileBatchRequest",
        {"vector_store_id": "vs_1", "files": [{"file_id": "file-1", "attributes": {"sku": "1"}}]},
    ),
    "a fine-tuning job": (
        "create_fine_tuning_job",
        "CreateFineTuningJobRequest",
        {"model": "gpt-4.1-mini", "training_file": "file-1", "suffix": "kb", "method": {"type": "supervised"}},
    ),
    "an upload": (
        "create_upload",
        "CreateUploadRequest",
        {"filename": "a.jsonl", "purpose": "batch", "bytes": 10, "mime_type": "application/jsonl"},
    ),
}

each_body = pytest.mark.parametrize(("endpoint", "schema", "body"), GOOD.values(), ids=list(GOOD))

# Each required field of each good body, left out; but for those that are required here only.
LACKING = [
    pytest.param(endpoint, schema, body, name, id=f"{case} without {name}")
    for case, (endpoint, schema, body) in GOOD.items()
    for name in find_endpoint(endpoint).required
    if not (endpoint.startswith("create_image") and name == "model")
    if endpoint != "create_response" and f"{{{name}}}" not in find_endpoint(endpoint).path
]

# Bodies with the right fields and a wrong value: of those our tables know nothing, the API's schemas refuse them.
WRONG_VALUES: dict[str, tuple[str, str, Body]] = {
    "a purpose that there is not": ("upload_file", "CreateFileRequest", {"purpose": "fun", "file": "a"}),
    "eleven images": ("create_image", "CreateImageRequest", {**IMAGE, "n": 11}),
    "no inputs": ("create_embedding", "CreateEmbeddingRequest", {"model": "m", "input": []}),
    "a message without a role": ("create_chat_completion", "CreateChatCompletionRequest", {**CHAT, "messages": [{}]}),
    "a batch of a day": (
        "create_batch",
        "CreateBatchRequest",
        {"input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "1d"},
    ),
    "speech too fast": ("create_speech", "CreateSpeechRequest", {"model": "m", "input": "a", "voice": "v", "speed": 9}),
}


@cache
def schemas() -> Mapping[str, Any]:
    """Read the schemas that were made valid."""
    read: Mapping[str, Any] = json.loads(SCHEMAS.read_text(encoding="utf-8"))
    return read


def refused_by_openai(schema: str, endpoint: EndpointTemplate, body: Body) -> list[str]:
    """Give what OpenAI's schema has against a body; what goes into the path is no part of it."""
    whole = {**schemas(), "$ref": f"#/components/schemas/{schema}"}
    sent = {name: value for name, value in body.items() if f"{{{name}}}" not in endpoint.path}
    return [error.message for error in jsonschema.Draft202012Validator(whole).iter_errors(sent)]


def checked(endpoint: EndpointTemplate, body: Body) -> Body:
    """Put a body through the check that each record's goes through."""
    made: Body = RequestForm(endpoint, base_url="https://api.openai.com/v1").checked(body)
    return made


@each_body
def test_a_good_body_is_one_here_and_there(endpoint: str, schema: str, body: Body) -> None:
    """It has the fields that are required, others that are offered, and OpenAI's schema takes it."""
    template = find_endpoint(endpoint)

    assert checked(template, body) == {**template.defaults, **body}
    assert {*body} <= {*template.required, *template.optional}
    assert refused_by_openai(schema, template, body) == []


@each_body
def test_the_schema_is_that_of_the_endpoint(endpoint: str, schema: str, body: Body) -> None:
    """It is the one that the specification names for the operation."""
    content = operation_of(find_endpoint(endpoint))["requestBody"]["content"]

    assert f"#/components/schemas/{schema}" in {form["schema"].get("$ref") for form in content.values()}


@pytest.mark.parametrize(("endpoint", "schema", "body", "name"), LACKING)
def test_a_body_that_lacks_a_field_is_refused_here_and_there(endpoint: str, schema: str, body: Body, name: str) -> None:
    """It is rejected before it is sent, with the name of the field, and OpenAI would refuse it."""
    template = find_endpoint(endpoint)
    lacking = {field: value for field, value in body.items() if field != name}

    with pytest.raises(RecordError, match=name) as caught:
        checked(template, lacking)
    assert ("missing_required_parameter", name) == (caught.value.code, caught.value.param)
    assert refused_by_openai(schema, template, lacking)


@pytest.mark.parametrize(("endpoint", "schema", "body"), WRONG_VALUES.values(), ids=list(WRONG_VALUES))
def test_the_schemas_refuse_what_is_wrong(endpoint: str, schema: str, body: Body) -> None:
    """So that a good body is not one merely because its schema takes everything."""
    assert refused_by_openai(schema, find_endpoint(endpoint), body)
