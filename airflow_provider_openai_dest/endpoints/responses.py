"""Responses: https://platform.openai.com/docs/api-reference/responses.

The specification marks no field as required; without ``model`` and ``input`` the API answers 400.
A response that failed, was cut off or refused rejects the record; what there is of it is kept. So it is when a response
is retrieved, since the answer of one with ``background`` comes so; to cancel one is done when it is cancelled.
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
        *("safety_identifier", "moderation", "background_options", "access_programs", "image", "user"),
    ),
    failed_when={
        "status": ("failed", "incomplete", "cancelled"),
        "output[*].content[*].type": ("refusal",),
    },
    batchable=True,
)

RETRIEVE_RESPONSE = EndpointTemplate(
    name="retrieve_response",
    path="/responses/{response_id}",
    method="GET",
    content="none",
    required=("response_id",),
    optional=("include",),
    failed_when={
        "status": ("failed", "incomplete", "cancelled"),
        "output[*].content[*].type": ("refusal",),
    },
)

DELETE_RESPONSE = EndpointTemplate(
    name="delete_response",
    path="/responses/{response_id}",
    method="DELETE",
    content="none",
    required=("response_id",),
    answer="any",
)

CANCEL_RESPONSE = EndpointTemplate(
    name="cancel_response",
    path="/responses/{response_id}/cancel",
    content="none",
    required=("response_id",),
    error_is_data=True,
)

LIST_RESPONSE_INPUT_ITEMS = EndpointTemplate(
    name="list_response_input_items",
    path="/responses/{response_id}/input_items",
    method="GET",
    content="none",
    required=("response_id",),
    optional=("limit", "order", "after", "include"),
)

COUNT_INPUT_TOKENS = EndpointTemplate(
    name="count_input_tokens",
    path="/responses/input_tokens",
    optional=(
        *("model", "input", "previous_response_id", "tools", "text", "reasoning", "truncation", "instructions"),
        *("personality", "conversation", "tool_choice", "parallel_tool_calls"),
    ),
)

COMPACT_CONVERSATION = EndpointTemplate(
    name="compact_conversation",
    path="/responses/compact",
    required=("model",),
    optional=(
        *("input", "previous_response_id", "instructions", "prompt_cache_key", "prompt_cache_retention"),
        *("prompt_cache_options", "service_tier", "image"),
    ),
)
