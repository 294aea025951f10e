"""Completions, the legacy form: https://platform.openai.com/docs/api-reference/completions.

``finish_reason: length`` is no failure here: a completion mostly ends at ``max_tokens``, 16 by default.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_COMPLETION = EndpointTemplate(
    name="create_completion",
    path="/completions",
    required=("model", "prompt"),
    optional=(
        *("best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n"),
        *("presence_penalty", "seed", "stop", "suffix", "temperature", "top_p", "user"),
    ),
    failed_when={"choices[*].finish_reason": ("content_filter",)},
    batchable=True,
)
