"""OpenAICreateImageOperator: images made or edited for every record."""

from __future__ import annotations

from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.arguments import refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator


class OpenAICreateImageOperator(OpenAISendRecordsOperator):
    """Make images from a prompt, or edit images, one or more for every record.

    The images are written to ``{results}/images/{key}-{n}.{ext}``; the outcome holds their paths. All parameters of
    OpenAISendRecordsOperator apply.

    :param model: such as ``gpt-image-2``; there is no default, since a silent change of model is a change of price.
    :param prompt: what to draw or change, such as ``A photo of {message.name}``; up to 32,000 characters.
    :param image: path or URI of the image to edit, or a list of up to 16; such as ``{message.photo}``. Given, the image
        is edited; files must be below ``files_root``.
    :param mask: path or URI of a PNG whose transparent places are edited, of the first image's size.
    :param n: images for each record, 1 to 10.
    :param size: ``auto``, ``1024x1024``, ``1536x1024``, ``1024x1536``, or another ``WxH`` that the model takes.
    :param quality: ``auto``, ``low``, ``medium``, ``high``, or what the model takes.
    :param background: ``transparent``, ``opaque`` or ``auto``.
    :param output_format: ``png``, ``jpeg``, ``webp``, ``gif`` or ``svg``.
    :param output_compression: 0 to 100, for jpeg and webp.
    :param moderation: ``auto`` or ``low``; for new images only.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        prompt: str | None = None,
        image: Any = None,
        mask: str | None = None,
        n: int | None = None,
        size: str | None = None,
        quality: str | None = None,
        background: str | None = None,
        output_format: str | None = None,
        output_compression: int | None = None,
        moderation: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint", "fields")
        if mask is not None and image is None:
            raise ConfigurationError("mask= needs image=: the image that is edited")
        if image is not None and kwargs.get("files_root") is None:
            raise ConfigurationError("image= needs files_root=: the folder that the images are in")
        fields = {
            "model": model,
            "prompt": prompt,
            "image": image,
            "mask": mask,
            "n": n,
            "size": size,
            "quality": quality,
            "background": background,
            "output_format": output_format,
            "output_compression": output_compression,
            "moderation": moderation,
        }
        endpoint = "create_image" if image is None else "create_image_edit"
        super().__init__(endpoint=endpoint, fields=fields, **kwargs)
