"""The operations of the API that the sandbox has, one entry each. Adding one is adding an entry."""

from __future__ import annotations

from functools import partial

from airflow_provider_openai_dest.sandbox import (
    batches,
    chat,
    embeddings,
    files,
    images,
    issued_tokens,
    moderations,
    responses,
    speech,
    transcriptions,
    uploads,
)
from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.models import MODELS, find_model
from airflow_provider_openai_dest.sandbox.operation import Operation
from airflow_provider_openai_dest.sandbox.state import SandboxState


def list_models(_state: SandboxState, _call: Call) -> Answer:
    """Give all models that are served."""
    return Answer(content={"object": "list", "data": [model.as_json() for model in MODELS.values()]})


def get_model(_state: SandboxState, call: Call) -> Answer:
    """Give one model."""
    return Answer(content=find_model(call.request.parameters["model"]).as_json())


# Beginnings of URLs that OpenAI no longer serves, and why.
RETIRED_URLS = {
    "/v1/images/variations": "This endpoint is retired and no longer available.",
    "/v1/assistants": "The Assistants API was shut down on 2026-08-26. Use POST /v1/responses instead.",
    "/v1/threads": "The Assistants API was shut down on 2026-08-26. Use POST /v1/responses instead.",
    "/v1/videos": "This endpoint was shut down on 2026-09-24.",
}


def refuse_unknown_url(_state: SandboxState, call: Call) -> Answer:
    """Refuse a URL that the API does not have, has no more, or has with another method."""
    method, path = call.request.method, call.request.path
    for start, message in RETIRED_URLS.items():
        if path.startswith(start):
            raise ApiError(404, message)
    if path in {operation.path for operation in OPERATIONS}:
        raise ApiError(405, f"Not allowed to {method} on {path}.", code="method_not_supported")
    raise ApiError(404, f"Invalid URL ({method} {path[:200]})")


UNKNOWN_URL = Operation(method="*", path="/v1/*", answer=refuse_unknown_url)

_OPERATIONS = (
    Operation(method="GET", path="/v1/models", answer=list_models),
    Operation(method="GET", path="/v1/models/{model}", answer=get_model),
    Operation(
        method="POST",
        path="/v1/embeddings",
        json=embeddings.EMBEDDING,
        count_tokens=embeddings.count_embedding_tokens,
        items_of=embeddings.embedded_items,
        answer=embeddings.answer_embedding,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/images/generations",
        json=images.IMAGE,
        count_tokens=images.count_prompt_tokens,
        answer=images.answer_generation,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/images/edits",
        json=images.IMAGE_REFERENCES,
        form=images.IMAGE,
        count_tokens=images.count_prompt_tokens,
        answer=images.answer_edit,
        is_work=True,
    ),
    Operation(method="POST", path="/v1/files", form=files.FILE, answer=files.create_file, is_work=True),
    Operation(method="GET", path="/v1/files", answer=files.list_files),
    Operation(method="GET", path="/v1/files/{file_id}", answer=files.get_file),
    Operation(method="GET", path="/v1/files/{file_id}/content", answer=files.get_file_content),
    Operation(method="DELETE", path="/v1/files/{file_id}", answer=files.delete_file),
    Operation(method="POST", path="/v1/uploads", json=uploads.UPLOAD, answer=uploads.create_upload),
    Operation(
        method="POST",
        path="/v1/uploads/{upload_id}/parts",
        form=uploads.PART,
        answer=uploads.add_upload_part,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/uploads/{upload_id}/complete",
        json=uploads.COMPLETION,
        answer=uploads.complete_upload,
        is_work=True,
    ),
    Operation(method="POST", path="/v1/uploads/{upload_id}/cancel", answer=uploads.cancel_upload),
    Operation(
        method="POST",
        path="/v1/responses",
        json=responses.RESPONSE,
        count_tokens=responses.count_response_tokens,
        answer=responses.create_response,
        is_work=True,
    ),
    Operation(method="GET", path="/v1/responses/{response_id}", answer=responses.get_response),
    Operation(method="DELETE", path="/v1/responses/{response_id}", answer=responses.delete_response),
    Operation(method="POST", path="/v1/responses/{response_id}/cancel", answer=responses.cancel_response),
    Operation(
        method="POST",
        path="/v1/chat/completions",
        json=chat.CHAT,
        count_tokens=chat.count_chat_tokens,
        answer=chat.create_chat_completion,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/moderations",
        json=moderations.MODERATION,
        count_tokens=moderations.count_moderation_tokens,
        answer=moderations.create_moderation,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/audio/speech",
        json=speech.SPEECH,
        count_tokens=speech.count_speech_tokens,
        answer=speech.create_speech,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/audio/transcriptions",
        form=transcriptions.TRANSCRIPTION,
        answer=transcriptions.create_transcription,
        is_work=True,
    ),
    Operation(
        method="POST",
        path="/v1/audio/translations",
        form=transcriptions.TRANSLATION,
        answer=transcriptions.create_translation,
        is_work=True,
    ),
)

_BATCHED = {operation.path: operation for operation in _OPERATIONS if operation.path in batches.ENDPOINTS}

OPERATIONS = (
    *_OPERATIONS,
    Operation(method="POST", path="/v1/batches", json=batches.BATCH, answer=batches.create_batch),
    Operation(method="GET", path="/v1/batches", answer=batches.list_batches),
    Operation(method="GET", path="/v1/batches/{batch_id}", answer=partial(batches.get_batch, _BATCHED)),
    Operation(method="POST", path="/v1/batches/{batch_id}/cancel", answer=batches.cancel_batch),
)

EXCHANGE_TOKEN = Operation(
    method="POST", path="/oauth/token", json=issued_tokens.EXCHANGE, answer=issued_tokens.exchange_token
)

# What Azure's classic API has below a deployment; of the rest it has ``/openai`` in the place of ``/v1``.
DEPLOYED = frozenset(
    {
        *("/v1/embeddings", "/v1/chat/completions", "/v1/images/generations", "/v1/images/edits"),
        *("/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"),
    }
)


def azure_path(path: str) -> str:
    """Give the path of an operation in Azure's classic API."""
    below = path.removeprefix("/v1")
    return f"/openai/deployments/{{deployment}}{below}" if path in DEPLOYED else f"/openai{below}"
