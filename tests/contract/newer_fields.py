"""Fields that are offered though OpenAI's specification, of August 2026, does not have them: the official SDK 3.54 has.

For each endpoint the SDK's own parameters, below ``openai.types``, and the fields.
"""

from __future__ import annotations

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
}
