"""Image edits: the form with files where a record names files, else JSON with references to its images.

The API takes a form with the images themselves, or JSON with URLs, data URLs and ids of uploaded files
(https://platform.openai.com/docs/api-reference/images/createEdit). A record that mixes them gets JSON, with its files
as data URLs.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from airflow_provider_openai_dest.endpoints.images import CREATE_IMAGE_EDIT_JSON
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.image_rules import FILE_ID, is_reference
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record

LONGEST_URL = 20_971_520
"""Characters of an ``image_url``, as the specification bounds it; a file of 15.7 MB fits as a data URL."""


class EditRenderer(SingleRenderer):
    """One edit a record, in the form that its images need.

    :param form: of ``create_image_edit``; its files are the ones that records may name.
    """

    def __init__(self, form: RequestForm, body: BodyTemplate, originals: Originals | None = None) -> None:
        super().__init__(form, body, originals)
        self._files = form.files
        self._by_reference = form.to(CREATE_IMAGE_EDIT_JSON)

    def _request(self, record: Record, body: Any) -> RenderedRequest:
        images, mask = _as_list(body["image"]), body.get("mask")
        if any(map(is_reference, [*images, mask])):
            return self._by_reference.request((record,), self._with_references(body, images, mask))
        if self._files is None:
            raise _no_folder("image")
        return super()._request(record, body)

    def _with_references(self, body: Mapping[str, Any], images: list[Any], mask: Any) -> dict[str, Any]:
        if body.get("markup") is not None:
            raise RecordError("markup_needs_files", "markup goes with images that are files only", param="markup")
        rest = {name: value for name, value in body.items() if name not in ("image", "mask")}
        references = {"images": [_reference("image", image, self._files) for image in images]}
        if mask is not None:
            return {**rest, **references, "mask": _reference("mask", mask, self._files)}
        return {**rest, **references}


def _reference(name: str, image: Any, files: FileReferences | None) -> dict[str, Any]:
    if isinstance(image, Mapping):
        return dict(image)
    if isinstance(image, str) and FILE_ID.fullmatch(image):
        return {"file_id": image}
    url = image if is_reference(image) else _data_url(name, image, files)
    if len(url) > LONGEST_URL:
        raise _too_large(name)
    return {"image_url": url}


def _data_url(name: str, uri: Any, files: FileReferences | None) -> str:
    if files is None:
        raise _no_folder(name)
    part = files.part(name, uri)
    if part.size * 4 // 3 > LONGEST_URL:
        raise _too_large(name)
    try:
        with part.open() as stream:
            content = stream.read(part.size)
    except OSError as error:
        raise RecordError("file_not_found", f"{name}: can't read {uri[:200]!r}: {type(error).__name__}") from None
    return f"data:{part.content_type};base64,{b64encode(content).decode()}"


def _as_list(image: Any) -> list[Any]:
    return list(image) if isinstance(image, (list, tuple)) else [image]


def _no_folder(name: str) -> RecordError:
    return RecordError(
        "file_outside_root", f"{name} names a file, and no files_root= says where such files are", param=name
    )


def _too_large(name: str) -> RecordError:
    return RecordError("file_too_large", f"{name}: beside URLs or file ids, a file has 15.7 MB at most", param=name)
