"""Responses: https://platform.openai.com/docs/api-reference/responses.

The specification marks no field as required; without ``model`` and ``input`` the API answers 400.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_RESPONSE = EndpointTemplate(
    name="create_response",
    path="/responses",
    required=("model", "input"),
    optional=(
        *("instructions", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "top_logprobs"),
        *("tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "include", "metadata"),
        *("previous_response_id", "conversation", "store", "background", "truncation", "context_management"),
        *("service_tier", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        *("safety_identifier", "moderation", "user"),
    ),
    failed_when={"status": ("failed", "incomplete", "cancelled")},
    batchable=True,
)

RETRIEVE_RESPONSE = EndpointTemplate(
    name="retrieve_response",
    path="/responses/{response_id}",
    method="GET",
    content="none",
    required=("response_id",),
    optional=("include",),
    failed_when={"status": ("failed", "incomplete", "cancelled")},
)
