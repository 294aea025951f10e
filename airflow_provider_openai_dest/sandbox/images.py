"""POST /images/generations and POST /images/edits: what they take and what they answer."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call, Upload
from airflow_provider_openai_dest.sandbox.models import model_check
from airflow_provider_openai_dest.sandbox.pictures import draw_png, draw_svg, png_size
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.tokens import count_tokens
from airflow_provider_openai_dest.sandbox.validation import (
    Array,
    Body,
    Flag,
    Object,
    Shape,
    Text,
    Whole,
    refuse,
    refuse_stream,
)

DEFAULT_MODEL = "gpt-image-2.6-sunburst"
DRAWN_FORMATS = ("png", "svg")
LONGEST_SIDE, MOST_PIXELS, SIDE_STEP, WIDEST_RATIO = 3840, 3840 * 2160, 16, 3
MOST_IMAGES, MOST_IMAGE_BYTES, MOST_MASK_BYTES = 16, 50_000_000, 4_000_000
IMAGE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
SQUARE_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 8320, "max": 16640}  # of a 1024x1024 picture
INPUT_IMAGE_TOKENS = 194


def count_prompt_tokens(body: Body) -> int:
    """Count the tokens of the prompt."""
    return count_tokens(body["prompt"])


def answer_generation(state: SandboxState, call: Call) -> Answer:
    """Draw ``n`` pictures for the prompt."""
    return _drawn(state, call.body, words=call.body["prompt"], image_tokens=0)


def answer_edit(state: SandboxState, call: Call) -> Answer:
    """Draw ``n`` pictures for the prompt and the images given, as a form or as references."""
    images, mask = _images_of(state, call)
    for number, image in enumerate(images, start=1):
        _check_image(image, f"image {number}")
    if mask is not None:
        _check_mask(mask, images[0])
    for markup in call.uploads.get("markup", ()):
        _check_markup(markup.data, images[0], is_masked=mask is not None)
    words = f"{call.body['prompt']}\n{[binascii.crc32(image) for image in images]}"
    return _drawn(state, call.body, words=words, image_tokens=INPUT_IMAGE_TOKENS * len(images))


def _drawn(state: SandboxState, body: Body, *, words: str, image_tokens: int) -> Answer:
    width, height = _size_of(body)
    output_format = body.get("output_format", "png")
    quality = "medium" if body.get("quality", "auto") == "auto" else body["quality"]
    is_transparent = body.get("background") == "transparent"
    count = body.get("n", 1)
    data = []
    for number in range(count):
        seed = f"{number}:{words}"
        if output_format == "svg":
            picture = draw_svg(seed, width, height)
        else:
            picture = draw_png(seed, width, height, is_transparent=is_transparent)
        data.append({"b64_json": b64encode(picture).decode()})
    text_tokens = count_prompt_tokens(body)
    drawn_tokens = count * max(1, SQUARE_TOKENS[quality] * width * height // 1024**2)
    usage = {
        "input_tokens": text_tokens + image_tokens,
        "input_tokens_details": {"text_tokens": text_tokens, "image_tokens": image_tokens},
        "output_tokens": drawn_tokens,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": drawn_tokens},
        "total_tokens": text_tokens + image_tokens + drawn_tokens,
    }
    return Answer(
        content={
            "created": state.timestamp(),
            "background": "transparent" if is_transparent else "opaque",
            "output_format": output_format,
            "quality": quality,
            "size": f"{width}x{height}",
            "data": data,
            "usage": usage,
        }
    )


# -- the images that are edited --------------------------------------------------------------------


def _images_of(state: SandboxState, call: Call) -> tuple[list[bytes], bytes | None]:
    if "images" in call.body:
        references = [(item, f"images[{place}]") for place, item in enumerate(call.body["images"])]
        images = [_referenced(state, item, name) for item, name in references]
        return images, _referenced(state, call.body["mask"], "mask") if "mask" in call.body else None
    uploads = call.uploads.get("image", ())
    if not uploads:
        refuse("Missing required parameter: 'image'.", "image", "missing_required_parameter")
    if len(uploads) > MOST_IMAGES:
        refuse(f"Invalid 'image': at most {MOST_IMAGES} images.", "image", "array_above_max_length")
    masks: list[Upload] = list(call.uploads.get("mask", ()))
    return [upload.data for upload in uploads], masks[0].data if masks else None


def _referenced(state: SandboxState, reference: Any, name: str) -> bytes:
    given = {"image_url", "file_id"} & set(reference) if isinstance(reference, dict) else set()
    if len(given) != 1:
        refuse(f"Invalid '{name}': provide exactly one of 'image_url' or 'file_id'.", name, "invalid_value")
    if "file_id" in reference:
        return state.files.get(str(reference["file_id"])).data
    url = str(reference["image_url"])
    if url.startswith("https://"):
        return draw_png(url, 1024, 1024)  # the sandbox reaches out to nobody: it takes its own drawing instead
    head, _, data = url.partition(",")
    if not re.fullmatch(r"data:image/(png|jpe?g|webp);base64", head):
        refuse(f"Invalid '{name}.image_url': expected an https URL or a data URL of an image.", name, "invalid_value")
    try:
        return b64decode(data, validate=True)
    except binascii.Error:
        refuse(f"Invalid '{name}.image_url': the data is not base64.", name, "invalid_value")


def _check_image(image: bytes, name: str) -> None:
    if not image.startswith(IMAGE_STARTS):
        message = f"Invalid image file or mode for {name}, please check your image file."
        refuse(message, "image", "invalid_image_file")
    if len(image) > MOST_IMAGE_BYTES:
        raise ApiError(413, f"The file for {name} is larger than 50 MB.", param="image")


def _check_mask(mask: bytes, image: bytes) -> None:
    if png_size(mask) is None or len(mask) > MOST_MASK_BYTES:
        refuse("Invalid mask: expected a PNG file of less than 4 MB.", "mask", "invalid_image_file")
    if png_size(image) not in (None, png_size(mask)):
        refuse("Invalid mask image format - mask size does not match image size", "mask", "invalid_image_file")


def _check_markup(markup: bytes, image: bytes, *, is_masked: bool) -> None:
    if is_masked:
        refuse("Invalid 'markup': it can't be combined with 'mask'.", "markup", "invalid_value")
    if png_size(markup) is None or png_size(image) not in (None, png_size(markup)):
        refuse("Invalid markup: expected a PNG file of the image's size.", "markup", "invalid_image_file")


# -- what may be asked for -------------------------------------------------------------------------


def _size_of(body: Body) -> tuple[int, int]:
    """Give width and height; ``auto`` is 1024x1024."""
    size = body.get("size", "auto")
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", "1024x1024" if size == "auto" else size, re.ASCII)
    if match is None:
        refuse(f"Invalid size '{size[:40]}'. Expected 'auto' or WIDTHxHEIGHT.", "size", "invalid_value")
    return int(match[1]), int(match[2])


def _check_size(body: Body) -> None:
    width, height = sides = _size_of(body)
    for is_wrong, message in (
        (width % SIDE_STEP or height % SIDE_STEP, f"Width and height must both be divisible by {SIDE_STEP}."),
        (max(sides) > WIDEST_RATIO * min(sides), "The aspect ratio must be between 1:3 and 3:1."),
        (max(sides) > LONGEST_SIDE or width * height > MOST_PIXELS, "The maximum supported resolution is 3840x2160."),
    ):
        if is_wrong:
            refuse(f"Invalid size '{width}x{height}'. {message}", "size", "invalid_value")


def _check_output_format(body: Body) -> None:
    wanted = body.get("output_format", "png")
    if wanted not in DRAWN_FORMATS:
        message = f"The sandbox draws png and svg only: it has no encoder for '{wanted}', which OpenAI would draw."
        refuse(message, "output_format", "unsupported_value")
    if wanted == "svg" and body.get("n", 1) != 1:
        refuse("Invalid 'n': output_format svg needs n=1.", "n", "invalid_value")
    if wanted == "svg" and body.get("background") == "transparent":
        refuse("Invalid 'background': transparent needs output_format png or webp.", "background", "invalid_value")
    if "output_compression" in body:
        name = "output_compression"
        refuse(f"Invalid '{name}': it needs output_format jpeg or webp.", name, "invalid_value")


_FIELDS = {
    "prompt": Text(required=True, shortest=1, longest=32_000),
    "model": Text(nullable=True),
    "n": Whole(nullable=True, at_least=1, at_most=10),
    "quality": Text(nullable=True, choices=("auto", "low", "medium", "high", "xhigh", "max")),
    "size": Text(nullable=True),
    "output_format": Text(nullable=True, choices=("png", "jpeg", "webp", "gif", "svg")),
    "output_compression": Whole(nullable=True, at_least=0, at_most=100),
    "background": Text(nullable=True, choices=("transparent", "opaque", "auto")),
    "moderation": Text(nullable=True, choices=("low", "auto")),
    "complexity": Text(nullable=True, choices=("low", "medium", "high")),
    "input_fidelity": Text(nullable=True, choices=("low", "high")),
    "partial_images": Whole(nullable=True, at_least=0, at_most=3),
    "stream": Flag(nullable=True),
}
_CHECKS = (model_check("image", DEFAULT_MODEL), _check_size, _check_output_format, refuse_stream)
_REFERENCES = {
    "images": Array(required=True, shortest=1, longest=MOST_IMAGES),
    "mask": Object(nullable=True),
}

IMAGE = Shape(fields=_FIELDS, checks=_CHECKS)
IMAGE_REFERENCES = Shape(fields={**_FIELDS, **_REFERENCES}, checks=_CHECKS)
