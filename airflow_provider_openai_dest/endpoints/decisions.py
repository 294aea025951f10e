"""Decisions, up to 400 questions about one input: https://platform.openai.com/docs/api-reference/decisions.

A question that the model refuses to answer rejects the record; the other answers are kept.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_DECISION = EndpointTemplate(
    name="create_decision",
    path="/decisions",
    required=("model", "input", "questions"),
    optional=("prompt_cache_key", "prompt_cache_options", "safety_identifier"),
    failed_when={"answers[*].type": ("refusal",)},
)
