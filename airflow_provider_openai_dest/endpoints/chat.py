"""Chat completions: https://platform.openai.com/docs/api-reference/chat.

A choice that was cut off, filtered or refused rejects the record; it is kept, with the others. A stored completion
that is retrieved may be such a one, which is no failure of the request.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_CHAT_COMPLETION = EndpointTemplate(
    name="create_chat_completion",
    path="/chat/completions",
    required=("model", "messages"),
    optional=(
        *("max_completion_tokens", "temperature", "top_p", "n", "stop", "seed", "logprobs", "top_logprobs"),
        *("logit_bias", "frequency_penalty", "presence_penalty", "response_format", "reasoning_effort", "verbosity"),
        *("tools", "tool_choice", "parallel_tool_calls", "modalities", "audio", "prediction", "web_search_options"),
        *("store", "metadata", "service_tier", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        *("safety_identifier", "moderation", "user"),
    ),
    failed_when={"choices[*].finish_reason": ("length", "content_filter"), "choices[*].message.refusal": ("*",)},
    batchable=True,
)

LIST_CHAT_COMPLETIONS = EndpointTemplate(
    name="list_chat_completions",
    path="/chat/completions",
    method="GET",
    content="none",
    optional=("model", "metadata", "after", "limit", "order"),
)

RETRIEVE_CHAT_COMPLETION = EndpointTemplate(
    name="retrieve_chat_completion",
    path="/chat/completions/{completion_id}",
    method="GET",
    content="none",
    required=("completion_id",),
)

UPDATE_CHAT_COMPLETION = EndpointTemplate(
    name="update_chat_completion",
    path="/chat/completions/{completion_id}",
    required=("completion_id", "metadata"),
)

DELETE_CHAT_COMPLETION = EndpointTemplate(
    name="delete_chat_completion",
    path="/chat/completions/{completion_id}",
    method="DELETE",
    content="none",
    required=("completion_id",),
)

LIST_CHAT_COMPLETION_MESSAGES = EndpointTemplate(
    name="list_chat_completion_messages",
    path="/chat/completions/{completion_id}/messages",
    method="GET",
    content="none",
    required=("completion_id",),
    optional=("after", "limit", "order"),
)
