"""Realtime: https://platform.openai.com/docs/api-reference/realtime.

What one request does: secrets for a client, and the handling of calls. The sessions themselves are websockets or
WebRTC. A secret lives for minutes, and stands in the results as any answer does.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

ACCEPT_REALTIME_CALL = EndpointTemplate(
    name="accept_realtime_call",
    path="/realtime/calls/{call_id}/accept",
    required=("call_id", "type"),
    optional=(
        *("output_modalities", "model", "instructions", "audio", "include", "tracing", "tools", "tool_choice"),
        *("parallel_tool_calls", "reasoning", "max_output_tokens", "truncation", "prompt"),
    ),
    answer="any",
)

HANGUP_REALTIME_CALL = EndpointTemplate(
    name="hangup_realtime_call",
    path="/realtime/calls/{call_id}/hangup",
    content="none",
    required=("call_id",),
    answer="any",
)

REFER_REALTIME_CALL = EndpointTemplate(
    name="refer_realtime_call",
    path="/realtime/calls/{call_id}/refer",
    required=("call_id", "target_uri"),
    answer="any",
)

REJECT_REALTIME_CALL = EndpointTemplate(
    name="reject_realtime_call",
    path="/realtime/calls/{call_id}/reject",
    required=("call_id",),
    optional=("status_code",),
    answer="any",
)

CREATE_REALTIME_CLIENT_SECRET = EndpointTemplate(
    name="create_realtime_client_secret",
    path="/realtime/client_secrets",
    optional=("expires_after", "session"),
)

CREATE_REALTIME_TRANSLATION_CLIENT_SECRET = EndpointTemplate(
    name="create_realtime_translation_client_secret",
    path="/realtime/translations/client_secrets",
    required=("session",),
    optional=("expires_after",),
)
