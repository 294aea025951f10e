"""Embeddings: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate, Packing

CREATE_EMBEDDING = EndpointTemplate(
    name="create_embedding",
    path="/embeddings",
    required=("model", "input"),
    optional=("dimensions", "encoding_format", "user"),
    defaults={"encoding_format": "base64"},
    packing=Packing(
        request_field="input",
        response_items="data",
        max_records=2048,
        max_tokens=300_000,
        max_value_tokens={"text-embedding-": 8192},
    ),
    vector_field="embedding",
    vector_length_field="dimensions",
    deterministic=True,
    batchable=True,
)
