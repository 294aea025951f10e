"""Images: https://platform.openai.com/docs/api-reference/images. What depends on the model has rules of its own."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Len
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


class ImageBody(BodyModel):
    """What new images and edits have in common."""

    prompt: str = Field(min_length=1, max_length=LONGEST_PROMPT)
    model: str | None = None
    background: str | None = None
    complexity: str | None = None
    frame_count: int | None = Field(None, ge=2, le=16)
    frame_duration_ms: int | None = Field(None, ge=1)
    n: int | None = Field(None, ge=1, le=10)
    output_compression: int | None = Field(None, ge=0, le=100)
    output_format: str | None = None
    partial_images: PartialImages | None = None
    quality: str | None = None
    safety_identifier: SafetyIdentifier | None = None
    size: str | None = None
    stream: bool | None = None
    svg: Object | None = None
    user: str | None = None


class CreateImage(ImageBody):
    """``create_image``."""

    moderation: str | None = None
    response_format: str | None = None
    style: str | None = None


class CreateImageEdit(ImageBody, FormModel):
    """``create_image_edit``; ``image``, ``mask`` and ``markup`` are files, or what takes their place."""

    image: Files
    input_fidelity: str | None = None
    markup: str | None = None
    mask: str | Object | None = None
    response_format: str | None = None


class ImageReference(BodyModel):
    """An image by its URL or by the id of an uploaded file."""

    file_id: str | None = None
    image_url: str | None = Field(None, max_length=20_971_520)


class CreateImageEditJson(ImageBody):
    """``create_image_edit_json``."""

    images: Annotated[list[ImageReference], Len(1, 16)]
    input_fidelity: str | None = None
    mask: ImageReference | None = None
    moderation: str | None = None
