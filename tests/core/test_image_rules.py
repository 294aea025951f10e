"""What the API certainly refuses of a request for images is found before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.image_rules import FAMILIES, check_image, image_faults, is_reference
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.sandbox.models import MODELS
from tests.core.rendering_parts import form, only_error, records

FREE, FIXED = "gpt-image-2.6-flare", "gpt-image-1.5"

SIZES = [
    (FREE, "auto", True),
    (FREE, "1024x1024", True),
    (FREE, "1536x864", True),
    (FREE, "3840x2160", True),
    (FREE, "2160x3840", True),
    (FREE, "3072x1024", True),
    (FREE, "3088x1024", False),
    (FREE, "1000x1024", False),
    (FREE, "3856x1600", False),
    (FREE, "3840x2176", False),
    (FREE, "0x16", False),
    (FREE, "16x16\n", False),
    (FREE, "large", False),
    (FREE, "", False),
    (FIXED, "auto", True),
    (FIXED, "1024x1536", True),
    (FIXED, "1536x864", False),
    ("own-model", "7x7", True),
    ("gpt-image-3", "7x7", True),
]


@pytest.mark.parametrize(("model", "size", "is_drawn"), SIZES)
def test_the_sizes_of_each_family(model: str, size: str, is_drawn: bool) -> None:  # noqa: FBT001
    """Newer models draw any size within the bounds, older ones three; of other models nothing is known."""
    assert is_drawn is not bool([*image_faults({"model": model, "size": size})])


def test_each_image_model_has_its_sizes() -> None:
    """No model that the sandbox serves is left out."""
    models = [name for name, model in MODELS.items() if model.kind == "image"]
    assert [1] * len(models) == [sum(bool(name.fullmatch(model)) for name, _ in FAMILIES) for model in models]


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no images": ({"n": 0}, ["n"]),
    "eleven images": ({"n": 11}, ["n"]),
    "half an image": ({"n": 1.5}, ["n"]),
    "true images": ({"n": True}, ["n"]),
    "a number that is text is the API's to judge": ({"n": "3"}, []),
    "ten images": ({"n": 10}, []),
    "compression of a jpeg": ({"output_format": "jpeg", "output_compression": 100}, []),
    "too much compression": ({"output_format": "webp", "output_compression": 101}, ["output_compression"]),
    "compression of a png": ({"output_compression": 50}, ["output_compression"]),
    "a transparent webp": ({"output_format": "webp", "background": "transparent"}, []),
    "a transparent png by default": ({"background": "transparent"}, []),
    "a transparent jpeg": ({"output_format": "jpeg", "background": "transparent"}, ["background"]),
    "an opaque jpeg": ({"output_format": "jpeg", "background": "opaque"}, []),
    "a gif": ({"output_format": "gif", "frame_count": 16, "frame_duration_ms": 40}, []),
    "frames of a png": ({"frame_count": 4, "frame_duration_ms": 40}, ["frame_count", "frame_duration_ms"]),
    "one frame": ({"output_format": "gif", "frame_count": 1}, ["frame_count"]),
    "a gif with a mask": ({"output_format": "gif", "mask": "m.png"}, ["mask"]),
    "an svg": ({"output_format": "svg", "n": 1, "svg": {"model": "m"}}, []),
    "two svgs": ({"output_format": "svg", "n": 2}, ["n"]),
    "the author of a png": ({"svg": {"model": "m"}}, ["svg"]),
    "mask and markup": ({"mask": "m.png", "markup": "u.png"}, ["markup"]),
    "no prompt": ({"prompt": ""}, ["prompt"]),
    "a long prompt": ({"prompt": "x" * 32_000}, []),
    "a longer prompt": ({"prompt": "x" * 32_001}, ["prompt"]),
    "sixteen images": ({"image": ["a"] * 16}, []),
    "seventeen images": ({"image": ["a"] * 17}, ["image"]),
    "no references": ({"images": []}, ["images"]),
    "nulls": (dict.fromkeys(("n", "output_compression", "background", "svg", "size", "mask")), []),
    "a new format": ({"output_format": "avif", "output_compression": 50, "background": "transparent"}, []),
    "a new quality": ({"quality": "best"}, []),
}


@pytest.mark.parametrize("case", FAULTS)
def test_fields_that_do_not_go_together(case: str) -> None:
    """Bounds and exclusions are checked, words are not."""
    body, params = FAULTS[case]
    assert params == [param for param, _ in image_faults({"model": FREE} | body)]
    assert [] == [*image_faults({"model": "own-model"} | body)]


def test_a_refusal_tells_all_faults() -> None:
    """The record's error names the first field, and every fault."""
    with pytest.raises(RecordError) as caught:
        check_image({"model": FREE, "n": 11, "size": "7x7"})
    assert ("invalid_image_request", "n", 2) == (
        caught.value.code,
        caught.value.param,
        len(caught.value.message.split("; ")),
    )


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [("create_image", {}), ("create_image_edit", {"image": "/in/a.png"}), ("create_image_edit_json", {"images": [{}]})],
)
def test_a_record_is_checked_before_it_is_sent(endpoint: str, more: dict[str, Any]) -> None:
    """Whoever names the endpoint, and wherever the values stand."""
    body = BodyTemplate({"model": FREE, "prompt": "p", "size": "{message.size}", **more})
    renderer = SingleRenderer(form(endpoint), body)
    assert "invalid_image_request" == only_error(renderer.render(records({"size": "7x7"}))).code


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("https://images.example/1.png", True),
        ("http://images.example/1.png", True),
        ("data:image/png;base64,AAAA", True),
        ("file-abc_DEF-123", True),
        ({"file_id": "file-1"}, True),
        ("file-1/a.png", False),
        ("file:///data/a.png", False),
        ("/data/a.png", False),
        ("s3://lake/a.png", False),
        ("file-", False),
        (7, False),
        (None, False),
    ],
)
def test_a_reference_is_told_from_a_file(image: Any, told: bool) -> None:  # noqa: FBT001
    """URLs, data URLs, ids of uploaded files and objects; all else is a path or URI."""
    assert told is is_reference(image)
