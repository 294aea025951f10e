"""Edits go as a form with files, or as JSON with references."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.image_edits import LONGEST_URL, EditRenderer
from airflow_provider_openai_dest.rendering.renderer import Rendered
from tests.core.rendering_parts import form, json_of, only_error, only_request, parts_of, records

URL = "https://images.example/1.png"
PNG = b"\x89PNG\r\n\x1a\nrest"
FIELDS = {"model": "gpt-image-2", "prompt": "p"}


def rendered(folder: Path | None, **fields: Any) -> list[Rendered]:
    """Render an edit of one record; relative paths are below the folder."""
    files = FileReferences([str(folder)], Path) if folder else None
    renderer = EditRenderer(form("create_image_edit", files=files), BodyTemplate(FIELDS | fields))
    return [*renderer.render(records({}))]


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    return str(path)


def test_files_alone_go_as_a_form(tmp_path: Path, photo: str) -> None:
    """One is ``image``, several are ``image[]``; a mask is a file beside them."""
    one = parts_of(only_request(rendered(tmp_path, image=photo, mask=photo)).content)
    two = parts_of(only_request(rendered(tmp_path, image=[photo, photo])).content)
    assert ["model", "prompt", "image", "mask"] == [name for name, _, _ in one]
    assert ["model", "prompt", "image[]", "image[]"] == [name for name, _, _ in two]


def test_references_go_as_json() -> None:
    """URLs are ``image_url``, ids ``file_id``, objects go as they are; no folder is needed."""
    request = only_request(rendered(None, image=[URL, "file-1", {"file_id": "file-2"}], mask="file-3", n=2))
    images = [{"image_url": URL}, {"file_id": "file-1"}, {"file_id": "file-2"}]
    assert FIELDS | {"images": images, "mask": {"file_id": "file-3"}, "n": 2} == json_of(request)
    assert ("https://api.openai.com/v1/images/edits", 2) == (request.url, request.images)


def test_one_reference_is_a_list_of_one() -> None:
    """JSON has always a list."""
    assert [{"image_url": URL}] == json_of(only_request(rendered(None, image=URL)))["images"]


@pytest.mark.parametrize("is_mask", [True, False])
def test_a_file_beside_a_reference_goes_as_a_data_url(tmp_path: Path, photo: str, is_mask: bool) -> None:  # noqa: FBT001
    """The image or the mask, whichever is the file."""
    image, mask = (URL, photo) if is_mask else (photo, URL)
    body = json_of(only_request(rendered(tmp_path, image=image, mask=mask)))
    data = {"image_url": f"data:image/png;base64,{b64encode(PNG).decode()}"}
    assert (data, {"image_url": URL}) == (
        (body["mask"], body["images"][0]) if is_mask else (body["images"][0], body["mask"])
    )


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a file without a folder": ({"image": "/etc/hostname"}, "file_outside_root"),
    "a file beside a URL": ({"image": [URL, "/etc/hostname"]}, "file_outside_root"),
    "a mask beside a URL": ({"image": URL, "mask": "/etc/hostname"}, "file_outside_root"),
    "a number": ({"image": 7}, "file_outside_root"),
    "markup beside a URL": ({"image": URL, "markup": "/in/u.png"}, "markup_needs_files"),
    "a long data URL": ({"image": f"data:image/png;base64,{'A' * LONGEST_URL}"}, "file_too_large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_sent_is_refused(case: str) -> None:
    """The record is rejected before anything is read or sent."""
    fields, code = REFUSED[case]
    assert code == only_error(rendered(None, **fields)).code


def test_a_file_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    """The bounds are those of a form."""
    assert "file_outside_root" == only_error(rendered(tmp_path, image=[URL, "/etc/hostname"])).code
    assert "file_outside_root" == only_error(rendered(tmp_path, image=[URL, f"{tmp_path}/../x.png"])).code


def test_a_file_that_is_too_large_for_json_is_not_read(tmp_path: Path) -> None:
    """A data URL has its bound; as a form the same file would go."""
    path = tmp_path / "large.png"
    with path.open("wb") as stream:
        stream.truncate(LONGEST_URL)
    assert "file_too_large" == only_error(rendered(tmp_path, image=[URL, str(path)])).code
    assert only_request(rendered(tmp_path, image=str(path)))


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, photo: str) -> None:
    """It is that record's fault, and stops no other."""

    class Broken:
        stat = Path(photo).stat

        def open(self, mode: str = "rb", /) -> Any:
            raise OSError("broken")

    files = FileReferences([str(tmp_path)], lambda _: Broken())
    renderer = EditRenderer(form("create_image_edit", files=files), BodyTemplate(FIELDS | {"image": [URL, photo]}))
    error = only_error(renderer.render(records({})))
    assert isinstance(error, RecordError)
    assert "file_not_found" == error.code
