"""OpenAICreateImageOperator: images become files that open, and XCom holds their paths."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAICreateImageOperator, OpenAIUploadFileOperator
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


def data_url(path: Path) -> str:
    """Write a file as a data URL."""
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}"


def input_images(manifest: Row) -> list[int]:
    """Give how many images the sandbox saw in each request."""
    usages = [outcome["usage"]["input_tokens_details"]["image_tokens"] for outcome in manifest["outcomes"]]
    return [tokens // 194 for tokens in usages]


def test_images_elsewhere_are_edited_by_reference(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """URLs, data URLs and ids of uploaded files need no folder; one image or several, with a mask."""
    uploaded = run(
        OpenAIUploadFileOperator(task_id="up", purpose="vision", files=[str(photos[0])], results=str(tmp_path / "up"))
    )["outcomes"][0]["answer"]["id"]
    records = [
        {"name": "hat", "photo": "https://images.example/1.png"},
        {"name": "hat", "photo": uploaded},
        {"name": "hat", "photo": data_url(photos[1])},
        {"name": "hat", "photo": {"file_id": uploaded}},
        {"name": "hat", "photo": [uploaded, "https://images.example/1.png", data_url(photos[1])]},
    ]
    manifest = run(draw(tmp_path, records=records, image="{message.photo}", n=2))
    assert ((5, 5, 0, 0), [1, 1, 1, 1, 3]) == (counts(manifest), input_images(manifest))
    masked = run(draw(tmp_path, image=uploaded, mask=data_url(photos[0]), prompt="A hat"), run_id="masked")
    assert (1, 1, 0, 0) == counts(masked)


def test_files_beside_urls_go_as_data(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """A record may mix them: its files are sent within the JSON."""
    images = [str(photos[0]), "https://images.example/1.png", str(photos[1])]
    root = str(tmp_path / "in/images")
    manifest = run(draw(tmp_path, records=[{"p": images, "name": "hat"}], image="{message.p}", files_root=root))
    assert ((1, 1, 0, 0), [3]) == (counts(manifest), input_images(manifest))


def test_records_of_both_kinds_are_edited_in_one_task(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """Each record gets the form that its images need."""
    records = [{"photo": str(photos[0]), "name": "hat"}, {"photo": "https://images.example/1.png", "name": "hat"}]
    root = str(tmp_path / "in/images")
    assert (2, 2, 0, 0) == counts(run(draw(tmp_path, records=records, image="{message.photo}", files_root=root)))


def test_without_a_folder_a_file_of_a_record_is_not_read(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record that names a file where no files_root is given is rejected, alone or beside a URL."""
    url = "https://images.example/1.png"
    records = [{"photo": "/etc/hostname"}, {"photo": [url, "/etc/hostname"]}, {"photo": url}]
    manifest = run(draw(tmp_path, records=records, image="{message.photo}", prompt="A hat", max_errors=2))
    assert ((3, 1, 2, 0), "file_outside_root", 1) == (
        counts(manifest),
        manifest["rejections"][0]["code"],
        api_requests(sandbox),
    )


def test_an_image_is_marked_up(sandbox: Sandbox, tmp_path: Path, photos: list[Path]) -> None:
    """markup= is a file of the form."""
    root = str(tmp_path / "in/images")
    edit = {"records": [{"photo": str(photos[0]), "name": "hat"}], "image": "{message.photo}", "files_root": root}
    assert (1, 1, 0, 0) == counts(run(draw(tmp_path, markup=str(photos[1]), **edit)))


# -- what is refused ---------------------------------------------------------------------------------

REFUSED = {
    "a mask without an image": ({"mask": "/x/mask.png"}, "mask= needs image="),
    "markup without an image": ({"markup": "/x/markup.png"}, "markup= needs image="),
    "an image without its folder": ({"image": "/x/photo.png"}, "image= needs files_root="),
    "one image of two without its folder": (
        {"image": ["https://images.example/1.png", "/x/photo.png"]},
        "image= needs files_root=",
    ),
    "a size that the model does not draw": ({"size": "1000x1000"}, "must be divisible by 16"),
    "too many images": ({"n": 11}, "n=11 must be a whole number from 1 to 10"),
    "a compressed png": ({"output_compression": 50}, "output_compression needs output_format jpeg or webp"),
    "a fault in the body": ({"body": {"frame_count": 3}}, "frame_count needs output_format gif"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_do_not_fit_are_refused_when_the_dag_is_parsed(tmp_path: Path, case: str) -> None:
    """Each fault of the arguments is told by the constructor."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        draw(tmp_path, **arguments)


def test_all_faults_of_the_constants_are_told_at_once(tmp_path: Path) -> None:
    """Mending one after the other would be a parse for each."""
    with pytest.raises(ConfigurationError) as caught:
        draw(
            tmp_path,
            records=[{"name": "kettle"}],
            n=0,
            size="1x1",
            mask="/x/mask.png",
            output_format="jpeg",
            background="transparent",
        )
    assert 4 == len(caught.value.faults)


ACCEPTED: dict[str, dict[str, Any]] = {
    "a model that nobody knows": {"model": "own-model", "size": "7x7", "n": 99},
    "a model of the record": {"model": "{message.model}", "size": "7x7"},
    "a size of the record": {"size": "{message.size}"},
    "a size by Jinja": {"size": "{{ params.size }}", "n": "{{ params.n }}"},
    "a compression of the record's format": {"output_format": "{message.format}", "output_compression": 50},
    "a compression of a whole record": {"body": "{message.json}", "output_compression": 50},
    "an image that a record names": {"image": "{message.photo}"},
    "an image by its URL": {"image": ["https://images.example/1.png", "file-abc"]},
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_can_not_be_told_yet_is_left_to_the_record(tmp_path: Path, case: str) -> None:
    """A Dag parses when only a record, Jinja or the API could say what is wrong."""
    draw(tmp_path, records=[{"name": "kettle"}], **ACCEPTED[case])


def test_a_record_with_a_wrong_size_costs_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A size of a record is looked at before it is sent; the other record is drawn."""
    records = [{"name": "kettle", "size": "100x100"}, {"name": "fan", "size": "64x48"}]
    manifest = run(draw(tmp_path, records=records, size="{message.size}", max_errors=1))
    assert ((2, 1, 1, 0), "invalid_image_request", 1) == (
        counts(manifest),
        manifest["rejections"][0]["code"],
        api_requests(sandbox),
    )


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
