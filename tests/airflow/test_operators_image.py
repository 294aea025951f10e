"""OpenAICreateImageOperator: images become files that open, and XCom holds their paths."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAICreateImageOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    Row,
    api_requests,
    counts,
    requests_to,
    rows_of,
    run,
)

MODEL = "gpt-image-2"
SIZE = "64x48"


def draw(tmp_path: Path, **arguments: Any) -> OpenAICreateImageOperator:
    return OpenAICreateImageOperator(
        **{
            "task_id": "draw",
            "model": MODEL,
            "prompt": "A {message.name}",
            "size": SIZE,
            "results": str(tmp_path / "results"),
        }
        | arguments
    )


def images_of(manifest: Row) -> list[Path]:
    """Give the files that the outcomes name."""
    return [Path(image["path"]) for outcome in manifest["outcomes"] for image in outcome["answer"]["data"]]


def png_size(content: bytes) -> tuple[int, int]:
    """Read a PNG as a viewer does, checksums and pixels included, and give its width and height."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        data = content[place + 8 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + data)
        chunks[kind] = chunks.get(kind, b"") + data
        place += 12 + length
    assert zlib.decompress(chunks[b"IDAT"])
    assert b"IEND" in chunks
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    return width, height


def test_each_record_gets_its_images_as_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """With n=2 each record has two PNG files of the size that was asked for, all of them different."""
    manifest = run(draw(tmp_path, records=[{"name": "kettle"}, {"name": "fan"}], n=2))
    images = images_of(manifest)
    assert ((2, 2, 0, 0), 2) == (counts(manifest), requests_to(sandbox, "POST /v1/images/generations"))
    assert [(64, 48)] * 4 == [png_size(path.read_bytes()) for path in images]
    assert 4 == len({path.read_bytes() for path in images})


def test_the_files_are_named_by_key_and_number(sandbox: Sandbox, tmp_path: Path) -> None:
    """Images stand under the results as images/{key}-{n}.png."""
    manifest = run(draw(tmp_path, records=[{"sku": "A-1", "name": "kettle"}], key="sku", n=2))
    assert [tmp_path / "results/images/A-1-0.png", tmp_path / "results/images/A-1-1.png"] == images_of(manifest)


def test_xcom_and_results_hold_paths_and_no_images(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither XCom nor the result rows hold an image's bytes; both say how many there are."""
    manifest = run(draw(tmp_path, records=[{"name": "kettle"}]))
    (row,) = rows_of(manifest["results"])
    assert "b64_json" not in json.dumps([manifest, row])
    assert [{"path": str(images_of(manifest)[0]), "bytes": images_of(manifest)[0].stat().st_size}] == row["answer"][
        "data"
    ]


def test_without_records_one_image_is_drawn(sandbox: Sandbox, tmp_path: Path) -> None:
    """A prompt without placeholders and no records is one request."""
    manifest = run(draw(tmp_path, prompt="A red kite"))
    assert ((1, 1, 0, 0), (64, 48)) == (counts(manifest), png_size(images_of(manifest)[0].read_bytes()))


def test_a_drawing_of_lines_is_kept_as_svg(sandbox: Sandbox, tmp_path: Path) -> None:
    """output_format="svg" gives a file with that extension and an SVG in it."""
    (path,) = images_of(run(draw(tmp_path, prompt="A red kite", output_format="svg")))
    assert (".svg", b"<svg") == (path.suffix, path.read_bytes()[:4])


@pytest.mark.parametrize("key", ["a/b", "../../escape", "..", "with blank", "ünï", "x" * 300, "nul\0"])
def test_a_strange_key_stays_inside_the_folder(sandbox: Sandbox, tmp_path: Path, key: str) -> None:
    """Whatever a key looks like, its image is a file of the images folder."""
    (path,) = images_of(run(draw(tmp_path, records=[{"sku": key, "name": "kettle"}], key="sku")))
    assert (tmp_path / "results/images", True) == (path.parent, path.is_file())


def test_keys_that_are_alike_do_not_share_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """Keys that differ only in what a file name can't hold have files of their own."""
    records = [{"sku": sku, "name": sku} for sku in ("a/b", "a_b", "a b", "a:b")]
    assert 4 == len(set(images_of(run(draw(tmp_path, records=records, key="sku")))))


def test_two_runs_into_one_folder_keep_both_images(sandbox: Sandbox, tmp_path: Path) -> None:
    """A results folder that several runs share loses no image: each was paid for."""
    first, second = (
        images_of(run(draw(tmp_path, prompt=f"A {name}"), run_id=name))[0] for name in ("kettle", "harbour")
    )
    assert (first != second, first.is_file(), second.is_file()) == (True, True, True)


def test_sending_anew_keeps_the_image_from_before(sandbox: Sandbox, tmp_path: Path) -> None:
    """A cleared task that draws again leaves what the first delivery drew."""
    (before,) = images_of(run(draw(tmp_path, prompt="A kettle")))
    content = before.read_bytes()
    run(draw(tmp_path, prompt="A harbour"), clear_number=1)
    assert content == before.read_bytes()


# -- edits -------------------------------------------------------------------------------------------


@pytest.fixture
def photos(sandbox: Sandbox, tmp_path: Path) -> list[Path]:
    """Give two real images to edit."""
    return images_of(run(draw(tmp_path, records=[{"name": "kettle"}, {"name": "fan"}], results=str(tmp_path / "in"))))


def test_an_image_that_a_record_names_is_edited(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """image= sends the record's file as a form, and the answer is a new image."""
    records = [{"photo": str(path), "name": "hat"} for path in photos]
    manifest = run(draw(tmp_path, records=records, image="{message.photo}", files_root=str(tmp_path / "in/images")))
    assert (2, 2, 0, 0) == counts(manifest)
    assert 2 == requests_to(sandbox, "POST /v1/images/edits")
    edited = [path.read_bytes() for path in images_of(manifest)]
    assert [(64, 48)] * 2 == [png_size(content) for content in edited]
    assert not {path.read_bytes() for path in photos} & set(edited)


def test_several_images_and_a_mask_are_sent_together(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """A list of images and a mask go in one form."""
    manifest = run(
        draw(
            tmp_path,
            records=[{"photos": list(map(str, photos)), "name": "hat"}],
            image="{message.photos}",
            mask=str(photos[0]),
            files_root=str(tmp_path / "in/images"),
        )
    )
    (row,) = rows_of(manifest["results"])
    assert 2 * 194 == row["usage"]["input_tokens_details"]["image_tokens"]  # what the sandbox counts for each image


def test_an_image_elsewhere_is_not_sent(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """A record that names a file outside of files_root is rejected without a request; the others are edited."""
    sandbox.reset()
    records = [{"photo": "/etc/hostname", "name": "hat"}, {"photo": str(photos[0]), "name": "hat"}]
    root = str(tmp_path / "in/images")
    manifest = run(draw(tmp_path, records=records, image="{message.photo}", files_root=root, max_errors=1))
    assert ((2, 1, 1, 0), "file_outside_root", 1) == (
        counts(manifest),
        manifest["rejections"][0]["code"],
        api_requests(sandbox),
    )


# -- what is refused ---------------------------------------------------------------------------------

REFUSED = {
    "a mask without an image": ({"mask": "/x/mask.png"}, "mask= needs image="),
    "an image without its folder": ({"image": "{message.photo}"}, "image= needs files_root="),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_do_not_fit_are_refused_when_the_dag_is_parsed(tmp_path: Path, case: str) -> None:
    """Each fault of the arguments is told by the constructor."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        draw(tmp_path, **arguments)


def test_a_retired_model_rejects_the_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """A model that the API retired is told in the API's own words."""
    manifest = run(draw(tmp_path, model="dall-e-3", prompt="A kite", max_error_rate=1.0))
    (kind,) = manifest["rejections"]
    assert ("model_not_found", 404) == (kind["code"], kind["http_status"])
    assert "retired" in kind["first_message"]


def test_a_record_without_the_prompts_field_draws_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record without the field of the prompt is rejected before it costs anything."""
    manifest = run(draw(tmp_path, records=[{"nam": "kettle"}, {"name": "fan"}], max_errors=1))
    assert ((2, 1, 1, 0), "missing_field", 1) == (
        counts(manifest),
        manifest["rejections"][0]["code"],
        api_requests(sandbox),
    )
