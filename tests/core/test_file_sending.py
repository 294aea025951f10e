"""How each upload goes: a file that can't be read is its own record's fault, one that can't now stops the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.multipart import FilePart
from airflow_provider_openai_dest.rendering.renderer import Renderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request import RefusedRecord
from airflow_provider_openai_dest.uploads.file_sending import CheckedRenderer, FileRenderer, FileSending
from airflow_provider_openai_dest.uploads.reuse import KnownFile
from airflow_provider_openai_dest.uploads.upload_in_parts import UploadOptions
from tests.core.rendering_parts import form, records


class Unreadable:
    """A file that is there, and raises when it is opened."""

    def __init__(self, path: Path, error: OSError) -> None:
        self._path = path
        self._error = error

    def stat(self) -> Any:
        return self._path.stat()

    def open(self, mode: str) -> BinaryIO:
        raise self._error


class EmptyLedger:
    def find(self, sha256: str, purpose: str, filename: str) -> KnownFile | None:
        """Know nothing."""

    def add(self, sha256: str, file: Any) -> None:
        raise AssertionError("nothing is uploaded here")


def read(file: FilePart, purpose: str) -> None:
    """Look at a file."""
    with file.open() as stream:
        stream.read()


def reusing(inner: Renderer, folder: Path) -> FileRenderer:
    options: dict[str, Any] = {"memory": None, "is_killed": lambda: False, "now": lambda: 0.0}
    files = form("upload_file", files=FileReferences([str(folder)], Path))
    return FileRenderer(inner, files, FileSending(in_parts=UploadOptions(**options), ledger=EmptyLedger()))


WAYS: dict[str, Callable[[Renderer, Path], Renderer]] = {
    "checked": lambda inner, _folder: CheckedRenderer(inner, read),
    "reused": reusing,
}


def rendered(way: str, folder: Path, error: OSError) -> list[Any]:
    """Render three files, the second of which can't be opened."""
    for name in "012":
        (folder / name).write_text("{}")
    opened = lambda uri: Unreadable(Path(uri), error) if uri.endswith("/1") else Path(uri)  # noqa: E731
    files = form("upload_file", files=FileReferences([str(folder)], opened))
    body = BodyTemplate({"purpose": "user_data", "file": f"{folder}/{{message}}"})
    return [*WAYS[way](SingleRenderer(files, body), folder).render(records("0", "1", "2"))]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")])
def test_a_file_that_can_not_be_read_never_stops_the_others(way: str, tmp_path: Path, error: OSError) -> None:
    """It is rejected with the reason, and would be so at each further try."""
    one, two, three = rendered(way, tmp_path, error)
    assert isinstance(two, RefusedRecord)
    assert ("file_unreadable", True) == (two.error.code, str(error.strerror) in two.error.message)
    assert not any(isinstance(other, RefusedRecord) for other in (one, three))


@pytest.mark.parametrize("way", WAYS)
def test_a_storage_that_is_down_stops_the_run(way: str, tmp_path: Path) -> None:
    """The next try may find the file."""
    with pytest.raises(ConnectionError):
        rendered(way, tmp_path, ConnectionError("down"))
