"""What is offered though OpenAI's specification, of August 2026, does not have it: the official SDK 3.54 has."""

from __future__ import annotations

# For each endpoint the SDK's own parameters, below ``openai.types``, and the fields.
NEWER: dict[str, tuple[str, tuple[str, ...]]] = {
    "create_image": (
        "image_generate_params.ImageGenerateParamsBase",
        ("complexity", "frame_count", "frame_duration_ms", "safety_identifier", "svg"),
    ),
    "create_image_edit": (
        "image_edit_params.ImageEditParamsBase",
        ("complexity", "frame_count", "frame_duration_ms", "markup", "safety_identifier", "svg"),
    ),
    "create_image_edit_json": (
        "image_edit_params.ImageEditParamsBase",
        ("complexity", "frame_count", "frame_duration_ms", "safety_identifier", "svg"),
    ),
    "create_response": (
        "responses.response_create_params.ResponseCreateParamsBase",
        ("access_programs", "background_options", "image"),
    ),
    "compact_conversation": ("responses.response_compact_params.ResponseCompactParams", ("image",)),
    "list_costs": ("admin.organization.usage_costs_params.UsageCostsParams", ("line_items",)),
    "create_project": ("admin.organization.project_create_params.ProjectCreateParams", ("geography",)),
    "update_project": ("admin.organization.project_update_params.ProjectUpdateParams", ("geography",)),
}

# Whole operations: the SDK's method, below its client.
NEWER_OPERATIONS: dict[str, str] = {
    "cancel_eval_run": "evals.runs.cancel",
    "create_decision": "decisions.create",
    "delete_voice": "audio.voices.delete",
    "list_webhook_endpoints": "webhooks.list",
    "retrieve_webhook_endpoint": "webhooks.retrieve",
    "update_webhook_endpoint": "webhooks.update",
    "delete_webhook_endpoint": "webhooks.delete",
    "test_webhook_endpoint": "webhooks.test",
    "list_webhook_event_types": "webhooks.event_types.list",
}
