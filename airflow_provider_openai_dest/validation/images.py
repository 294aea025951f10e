"""Images: https://platform.openai.com/docs/api-reference/images. What depends on the model has rules of its own."""

from __future__ import annotations

from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import (
    BodyModel,
    Files,
    FormModel,
    Object,
    PartialImages,
    SafetyIdentifier,
)

LONGEST_PROMPT = 32_000


class CreateImage(BodyModel):
    """``create_image``."""

    model: str | None = None
    prompt: str = Field(min_length=1, max_length=LONGEST_PROMPT)
    background: str | None = None
    complexity: str | None = None
    frame_count: int | None = Field(None, ge=2, le=16)
    frame_duration_ms: int | None = Field(None, ge=1)
    moderation: str | None = None
    n: int | None = Field(None, ge=1, le=10)
    output_compression: int | None = Field(None, ge=0, le=100)
    output_format: str | None = None
    partial_images: PartialImages | None = None
    quality: str | None = None
    response_format: str | None = None
    safety_identifier: SafetyIdentifier | None = None
    size: str | None = None
    stream: bool | None = None
    style: str | None = None
    svg: Object | None = None
    user: str | None = None


class CreateImageEdit(FormModel):
    """``create_image_edit``; ``image``, ``mask`` and ``markup`` are files, or what takes their place."""

    model: str | None = None
    prompt: str = Field(min_length=1, max_length=LONGEST_PROMPT)
    image: Files
    background: str | None = None
    complexity: str | None = None
    input_fidelity: str | None = None
    markup: str | None = None
    mask: str | Object | None = None
    n: int | None = Field(None, ge=1, le=10)
    output_compression: int | None = Field(None, ge=0, le=100)
    output_format: str | None = None
    partial_images: PartialImages | None = None
    quality: str | None = None
    response_format: str | None = None
    size: str | None = None
    stream: bool | None = None
    user: str | None = None
