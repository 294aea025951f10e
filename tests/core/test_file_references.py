"""Tests of files that records name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.multipart import FilePart
from tests.core.json_values import few_examples, texts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a folder with files, beside a file that is none of it."""
    (tmp_path / "secret.txt").write_bytes(b"secret")
    folder = tmp_path / "root"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"PNG")
    (folder / "deep" / "b.png").write_bytes(b"deep PNG")
    (folder / "..a").write_bytes(b"dots")
    return folder


def _references(*roots: str | Path) -> FileReferences:
    return FileReferences([str(root) for root in roots], Path)


def _content(part: FilePart) -> bytes:
    with part.open() as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("path", "filename", "content"),
    [
        ("a.png", "a.png", b"PNG"),
        ("deep/b.png", "b.png", b"deep PNG"),
        ("..a", "..a", b"dots"),
        ("deep/./b.png", "b.png", b"deep PNG"),
    ],
)
def test_a_file_in_the_folder_becomes_a_part(root: Path, path: str, filename: str, content: bytes) -> None:
    """A file below the folder is a part with its last name, its size and its bytes."""
    (part,) = _references(root).parts("image", f"{root}/{path}")

    assert (part.name, part.filename, part.size, _content(part)) == ("image", filename, len(content), content)


def test_a_list_of_files_becomes_parts_of_one_name(root: Path) -> None:
    """Several files have brackets at their name, as the API wants it, and keep their order."""
    parts = _references(root).parts("image", [f"{root}/a.png", f"{root}/deep/b.png"])

    assert [(part.name, part.filename) for part in parts] == [("image[]", "a.png"), ("image[]", "b.png")]


def test_a_folder_may_end_with_a_slash(root: Path) -> None:
    """The folder is the same with and without a slash at its end."""
    assert _references(f"{root}/").parts("image", f"{root}/a.png")[0].size == 3


def test_named_files_may_be_sent_too(root: Path) -> None:
    """A root may be a file itself, and then it is just that file."""
    references = _references(root / "a.png", root / "deep")

    assert [references.parts("f", f"{root}/{path}")[0].size for path in ("a.png", "deep/b.png")] == [3, 8]
    with pytest.raises(RecordError, match="file_outside_root"):
        references.parts("f", f"{root}/..a")


def test_a_part_can_be_read_again(root: Path) -> None:
    """Each opening reads the file from its start, as a retry needs it."""
    (part,) = _references(root).parts("image", f"{root}/a.png")

    assert [_content(part), _content(part)] == [b"PNG", b"PNG"]


@pytest.mark.parametrize(
    "value",
    [
        "{root}/../secret.txt",
        "{root}/deep/../../secret.txt",
        "{root}/deep/..",
        "{root}\\..\\secret.txt",
        "{root}/deep\\..\\..\\secret.txt",
        "{root}/%2e%2e/secret.txt",
        "{root}/a.png::file:///etc/passwd",
        "{root}/a.png\x00",
        "{root}x/a.png",
        "{root}",
        "file://{root}/a.png",
        "/etc/passwd",
        "a.png",
        "../secret.txt",
        "https://evil.example/a.png",
        "",
        None,
        1,
        True,
        b"a.png",
        {"path": "a.png"},
        [["a.png"]],
    ],
)
def test_no_other_file_is_ever_read(root: Path, value: Any) -> None:
    """A record that names a file elsewhere, or nothing, is rejected before anything is opened."""
    opened: list[str] = []

    def open_file(uri: str) -> Path:
        opened.append(uri)
        return Path(uri)

    value = value.replace("{root}", str(root)) if isinstance(value, str) else value
    with pytest.raises(RecordError) as caught:
        FileReferences([str(root)], open_file).parts("image", value)

    assert caught.value.param in ("image", "image[]")
    assert opened in ([], [str(root)])


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "FileNotFoundError"),
        ("a.png/x", "NotADirectoryError"),
        ("deep", "it is a folder"),
        ("x" * 5000, "OSError"),
        ("a\ud800", "UnicodeEncodeError"),
    ],
)
def test_a_file_that_can_not_be_read_refuses_the_record(root: Path, path: str, reason: str) -> None:
    """A file that is not there, is a folder or has no proper name rejects its record, in a message that can be kept."""
    with pytest.raises(RecordError) as caught:
        _references(root).parts("image", f"{root}/{path}")

    assert caught.value.code == "file_not_found"
    assert caught.value.message.endswith(f": {reason}")
    assert len(encode_json(caught.value.as_row())) < 500


def test_a_file_of_unknown_size_is_refused(root: Path) -> None:
    """A storage that does not know the size of a file can't send it: the record is rejected."""

    class Endless:
        name = "a"
        st_mode = 0
        st_size = None

        def stat(self) -> Any:
            return self

        def open(self, mode: str = "rb", /) -> Any:
            raise AssertionError

    with pytest.raises(RecordError, match="TypeError"):
        FileReferences([str(root)], lambda _: Endless()).parts("image", f"{root}/a.png")


@pytest.mark.parametrize("roots", [[""], ["/data", ""]])
def test_an_empty_folder_is_refused(roots: Sequence[str]) -> None:
    """An empty ``files_root`` would be every file of the worker: it is a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="files_root must not be empty"):
        _references(*roots)


def test_the_whole_disk_must_be_asked_for() -> None:
    """``/`` as the folder is every absolute path, and no empty one."""
    references = FileReferences(["/"], Path)

    assert references.parts("f", __file__)[0].filename == Path(__file__).name
    with pytest.raises(RecordError, match="file_outside_root"):
        references.parts("f", "")


@few_examples
@given(texts | st.lists(st.sampled_from(["..", ".", "/", "a", "\\", "%2e", "::", " "])).map("".join))
def test_whatever_is_opened_is_inside(path: str) -> None:
    """No name leads out of the folder."""
    opened: list[str] = []

    def open_file(uri: str) -> Path:
        opened.append(uri)
        return Path("/nothing")

    with pytest.raises(RecordError):
        FileReferences(["/data/root"], open_file).parts("image", f"/data/root/{path}")
    assert all("/data/root" in str(Path(uri)) and ".." not in Path(uri).parts for uri in opened)
