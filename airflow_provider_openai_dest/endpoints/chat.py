"""Chat completions: https://platform.openai.com/docs/api-reference/chat."""

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
    failed_when={"choices[0].finish_reason": ("length", "content_filter")},
    batchable=True,
)
