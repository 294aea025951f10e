"""Image rules: what the API certainly refuses of a request for images, found before it is sent.

Only rules that are hard are here; words of which there may be more next month (qualities, formats) are the API's to
judge. A model that no family names passes unchecked. Sources: https://platform.openai.com/docs/api-reference/images and
the parameters of openai 3.54.0, ``types/image_generate_params.py`` and ``types/image_edit_params.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_openai_dest.exceptions import RecordError

Body = Mapping[str, Any]
Fault = tuple[str, str]
"""The field, and what is wrong with it."""

LONGEST_PROMPT = 32_000
MOST_IMAGES = 16
AUTO = "auto"
FILE_ID = re.compile(r"file-[A-Za-z0-9_-]+", re.ASCII)
_URL = re.compile(r"https?://|data:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes that a family of models draws: those that are named, and any other within the bounds.

    :param step: both sides are multiples of it; 0 allows none but the named.
    :param ratio: the longer side is at most so many times the shorter.
    :param pixels: width times height at most.
    """

    named: tuple[str, ...] = ("1024x1024", "1536x1024", "1024x1536")
    step: int = 0
    ratio: int = 0
    longest: int = 0
    pixels: int = 0

    def fault(self, size: str) -> str | None:
        """Say why a size can't be drawn; None when it can."""
        if size == AUTO or size in self.named:
            return None
        match = _SIZE.fullmatch(size)
        if match is None or not self.step:
            free = " or WIDTHxHEIGHT" if self.step else ""
            return f"size={size[:40]!r} must be {AUTO}, {', '.join(self.named)}{free}"
        sides = int(match[1]), int(match[2])
        if any(side % self.step for side in sides):
            return f"size={size!r}: width and height must be divisible by {self.step}"
        if max(sides) > self.ratio * min(sides):
            return f"size={size!r}: one side must be at most {self.ratio} times the other"
        if max(sides) > self.longest or sides[0] * sides[1] > self.pixels:
            return f"size={size!r}: at most {self.longest} on a side and {self.pixels:,} pixels"
        return None


_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
_FREE = Sizes(step=16, ratio=3, longest=3840, pixels=3840 * 2160)

FAMILIES: tuple[tuple[re.Pattern[str], Sizes], ...] = (
    (re.compile(r"gpt-image-2(-\d{4}-\d\d-\d\d)?", re.ASCII), _FREE),
    (re.compile(r"gpt-image-2\.[56]-(sunburst|flare)(-\d{4}-\d\d-\d\d)?", re.ASCII), _FREE),
    (re.compile(r"gpt-image-1\.5|gpt-image-1-mini|chatgpt-image-latest"), Sizes()),
)
"""Model names, and the sizes of each family; the last one ends on 2026-12-01."""


def image_faults(body: Body) -> Iterator[Fault]:
    """Find all faults of a body, or of the part of one that is known."""
    sizes = _sizes_of(body.get("model"))
    if sizes is None:
        return
    for rule in (_number_faults, _format_faults, _edit_faults):
        yield from rule(body)
    prompt, size = body.get("prompt"), body.get("size")
    if isinstance(prompt, str) and not 0 < len(prompt) <= LONGEST_PROMPT:
        yield "prompt", f"the prompt has {len(prompt):,} characters; it must have 1 to {LONGEST_PROMPT:,}"
    if isinstance(size, str) and (fault := sizes.fault(size)):
        yield "size", fault


def check_image(body: Body) -> None:
    """Refuse a body with faults; raises RecordError with all of them."""
    if faults := list(image_faults(body)):
        raise RecordError("invalid_image_request", "; ".join(text for _, text in faults), param=faults[0][0])


def _sizes_of(model: Any) -> Sizes | None:
    if not isinstance(model, str):
        return None
    return next((sizes for name, sizes in FAMILIES if name.fullmatch(model)), None)


_BOUNDS: dict[str, tuple[int, int]] = {"n": (1, 10), "output_compression": (0, 100), "frame_count": (2, 16)}


def _number_faults(body: Body) -> Iterator[Fault]:
    for name, (least, most) in _BOUNDS.items():
        value = body.get(name)
        if isinstance(value, (int, float)) and not (type(value) is int and least <= value <= most):
            yield name, f"{name}={str(value)[:40]} must be a whole number from {least} to {most}"


# A field, the value that counts (None: any), and the formats that it needs.
_NEEDS: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("output_compression", None, ("jpeg", "webp")),
    ("background", "transparent", ("png", "webp")),
    ("frame_count", None, ("gif",)),
    ("frame_duration_ms", None, ("gif",)),
    ("svg", None, ("svg",)),
)

FORMATS = ("png", "jpeg", "webp", "gif", "svg")
OF_A_FORMAT = tuple(name for name, *_ in _NEEDS)
"""Fields that can't be judged while ``output_format`` is not known."""


def _format_faults(body: Body) -> Iterator[Fault]:
    drawn = body.get("output_format") or "png"
    if drawn not in FORMATS:
        return
    for name, only, formats in _NEEDS:
        value = body.get(name)
        if value is not None and only in (None, value) and drawn not in formats:
            said = f"{name}={only}" if only else name
            yield name, f"{said} needs output_format {' or '.join(formats)}"
    if drawn == "svg" and body.get("n") not in (None, 1, "1"):
        yield "n", "output_format svg needs n=1"
    if drawn == "gif" and body.get("mask") is not None:
        yield "mask", "output_format gif takes no mask"


def _edit_faults(body: Body) -> Iterator[Fault]:
    if body.get("mask") is not None and body.get("markup") is not None:
        yield "markup", "mask and markup can't be given together"
    for name in ("image", "images"):
        images = body.get(name)
        if isinstance(images, (list, tuple)) and not 0 < len(images) <= MOST_IMAGES:
            yield name, f"{name} has {len(images)} images; it must have 1 to {MOST_IMAGES}"


def is_reference(image: Any) -> bool:
    """Tell whether an image is a URL, the id of an uploaded file, or an object that holds one; else it is a file."""
    if isinstance(image, str):
        return bool(_URL.match(image) or FILE_ID.fullmatch(image))
    return isinstance(image, Mapping)


RULES: dict[str, Callable[[Body], None]] = dict.fromkeys(
    ("create_image", "create_image_edit", "create_image_edit_json"), check_image
)
"""What a body must pass before it is sent, by the endpoint's name."""
