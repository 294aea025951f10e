"""Moderations: https://platform.openai.com/docs/api-reference/moderations."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_MODERATION = EndpointTemplate(
    name="create_moderation",
    path="/moderations",
    required=("input",),
    optional=("model",),
    deterministic=True,
    batchable=True,
)
