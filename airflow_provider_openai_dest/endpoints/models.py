"""Models: https://platform.openai.com/docs/api-reference/models."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_MODELS = EndpointTemplate(name="list_models", path="/models", method="GET", content="none")

RETRIEVE_MODEL = EndpointTemplate(
    name="retrieve_model",
    path="/models/{model}",
    method="GET",
    content="none",
    required=("model",),
)

DELETE_MODEL = EndpointTemplate(
    name="delete_model",
    path="/models/{model}",
    method="DELETE",
    content="none",
    required=("model",),
)
