"""Catalogue: which model describes the bodies of which endpoint. A section is imported when its model is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS, find_operation
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

if TYPE_CHECKING:
    from airflow_provider_openai_dest.validation.body_model import BodyModel

MODELS: dict[str, tuple[str, str]] = {
    "create_batch": ("batches", "CreateBatch"),
    "create_chat_completion": ("chat", "CreateChatCompletion"),
    "create_embedding": ("embeddings", "CreateEmbedding"),
    "create_fine_tuning_job": ("fine_tuning", "CreateFineTuningJob"),
    "create_image": ("images", "CreateImage"),
    "create_image_edit": ("images", "CreateImageEdit"),
    "create_image_edit_json": ("images", "CreateImageEditJson"),
    "create_moderation": ("moderations", "CreateModeration"),
    "create_response": ("responses", "CreateResponse"),
    "create_speech": ("audio", "CreateSpeech"),
    "create_transcription": ("audio", "CreateTranscription"),
    "create_vector_store": ("vector_stores", "CreateVectorStore"),
    "upload_file": ("files", "UploadFile"),
}
"""The file of this room, and the model in it."""


def model_of(endpoint: EndpointTemplate) -> type[BodyModel] | None:
    """Give the model of an endpoint's bodies; None when nobody has written one.

    A template of one's own, or a request written by hand, has that of the operation which it calls.
    """
    is_declared = ENDPOINTS.get(endpoint.name) == endpoint
    declared = endpoint if is_declared else find_operation(endpoint.method, endpoint.path)
    if declared is None or declared.name not in MODELS or declared.content != endpoint.content:
        return None
    section, name = MODELS[declared.name]
    model: type[BodyModel] = getattr(import_module(f"{__package__}.{section}"), name)
    return model
