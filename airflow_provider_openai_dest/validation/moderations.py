"""Moderations: https://platform.openai.com/docs/api-reference/moderations/create."""

from __future__ import annotations

from typing import Literal

from airflow_provider_openai_dest.validation.body_model import BodyModel


class Url(BodyModel):
    """Where an image is, or the image itself as a data URL."""

    url: str


class ImagePart(BodyModel):
    """An image that is looked at."""

    type: Literal["image_url"]
    image_url: Url


class TextPart(BodyModel):
    """A text that is looked at."""

    type: Literal["text"]
    text: str


class CreateModeration(BodyModel):
    """``create_moderation``."""

    input: str | list[str] | list[ImagePart | TextPart]
    model: str | None = None
