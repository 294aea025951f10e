"""Images and other bytes of an answer become files."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.answers.answer import FileAnswer
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.sinks.binary_files import BinaryFiles, extension, safe_name
from tests.core.delivery_parts import outcome
from tests.core.memory_folder import MemoryFolder, Store

IMAGE = find_endpoint("create_image")
SPEECH = find_endpoint("create_speech")
PNG = b"\x89PNG\r\n\x1a\nrest"


def image(content: bytes = PNG, **fields: Any) -> dict[str, Any]:
    """Give one item of an image answer."""
    return {"b64_json": b64encode(content).decode(), **fields}


def kept(folder: Any, answer: Any, key: str = "sku-1") -> Outcome:
    """Keep the files of an image answer."""
    return BinaryFiles(folder, IMAGE).keep(outcome(key, answer=answer, usage={"total_tokens": 5}))


def test_an_image_becomes_a_file(tmp_path: Path) -> None:
    """The answer keeps its other fields, and has path and size in the place of the bytes."""
    answer = kept(tmp_path, {"created": 1, "data": [image(revised_prompt="a cat"), image()]}).answer
    paths = [tmp_path / "images" / f"sku-1-{number}.png" for number in (0, 1)]
    assert answer == {
        "created": 1,
        "data": [
            {"revised_prompt": "a cat", "path": str(paths[0]), "bytes": len(PNG)},
            {"path": str(paths[1]), "bytes": len(PNG)},
        ],
    }
    assert [PNG, PNG] == [path.read_bytes() for path in paths]


def test_an_image_of_an_earlier_run_stays_as_it_is(tmp_path: Path) -> None:
    """Both were paid for, and the rows of both name their own."""
    first, second = (kept(tmp_path, {"data": [image(PNG + text)]}).answer["data"][0]["path"] for text in (b"1", b"2"))
    assert (PNG + b"1", PNG + b"2") == (Path(first).read_bytes(), Path(second).read_bytes())


def test_a_file_answer_becomes_a_file(tmp_path: Path) -> None:
    """Speech, or the content of a file."""
    sink = BinaryFiles(tmp_path, SPEECH)
    answer = sink.keep(outcome("a", answer=FileAnswer(b"ID3rest", "audio/mpeg"))).answer
    assert {"path": str(tmp_path / "files" / "a.mp3"), "bytes": 7, "content_type": "audio/mpeg"} == answer


def test_an_image_that_the_server_keeps_has_its_url(tmp_path: Path) -> None:
    """Some give an address in place of the bytes."""
    answer = {"data": [{"url": "https://images.example/1"}]}
    assert (Status.DELIVERED, answer) == ((end := kept(tmp_path, answer)).status, end.answer)


BROKEN: dict[str, Any] = {
    "no object": [1],
    "no list": {"created": 1},
    "an empty list": {"data": []},
    "an item that is no object": {"data": ["x"]},
    "an item without bytes": {"data": [{"revised_prompt": "a cat"}]},
    "an item with null": {"data": [{"b64_json": None}]},
    "no base64": {"data": [{"b64_json": "§§"}]},
    "a number": {"data": [{"b64_json": 7}]},
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_without_its_files_is_a_rejection(case: str) -> None:
    """It is not delivered without them; what it cost is kept."""
    end = kept(MemoryFolder(), BROKEN[case])
    assert end.error is not None
    assert (Status.REJECTED, "bad_answer", None, {"total_tokens": 5}) == (
        end.status,
        end.error.code,
        end.answer,
        end.usage,
    )


def test_other_outcomes_are_left_alone(tmp_path: Path) -> None:
    """A rejected one has no file, and a JSON answer of another endpoint neither."""
    rejected = outcome("a", Status.REJECTED)
    delivered = outcome("a", answer={"data": []})
    assert rejected is BinaryFiles(tmp_path, IMAGE).keep(rejected)
    assert delivered is BinaryFiles(tmp_path, SPEECH).keep(delivered)


def test_a_file_that_can_not_be_written_is_a_sink_error() -> None:
    """The record is not settled then."""
    with pytest.raises(SinkError):
        kept(MemoryFolder(Store(failing={"write"})), {"data": [image()]})


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"GIF89a", "gif"),
        (b"%PDF-1.7", "pdf"),
        (b"OggS", "ogg"),
        (b"fLaC", "flac"),
        (b"<svg xmlns", "svg"),
        (b"\xef\xbb\xbf \n<svg xmlns", "svg"),
        (b"<?xml version", "svg"),
        (b"<!DOCTYPE svg PUBLIC", "svg"),
        (b"<!-- drawn --><svg", "svg"),
        (b"{}", "bin"),
        (b"", "bin"),
    ],
)
def test_the_extension_is_that_of_the_content(content: bytes, ending: str) -> None:
    """So that a viewer opens it."""
    assert ending == extension(content)


@pytest.mark.parametrize(
    ("said", "ending"), [("jpeg", "jpg"), ("webp", "webp"), ("../x", "bin"), (["png"], "bin"), (None, "bin")]
)
def test_where_the_content_tells_nothing_the_answer_does(tmp_path: Path, said: Any, ending: str) -> None:
    """The format that the answer names, where it is one."""
    (item,) = kept(tmp_path, {"output_format": said, "data": [image(b"new")]}).answer["data"]
    assert str(tmp_path / "images" / f"sku-1-0.{ending}") == item["path"]


def test_an_answer_that_is_half_broken_leaves_no_file(tmp_path: Path) -> None:
    """A rejected record has no image that no row names."""
    end = kept(tmp_path, {"data": [image(), {"b64_json": "§§"}]})
    assert (Status.REJECTED, []) == (end.status, [*tmp_path.iterdir()])


@pytest.mark.parametrize(
    ("content", "content_type", "ending"),
    [
        (b"\xff\xf1aac", "audio/aac", "aac"),
        (b"\0\0", "audio/pcm", "pcm"),
        (PNG, "audio/mpeg", "png"),
        (b"x", "application/x-php", "bin"),
        (b"x", "../../etc/passwd", "bin"),
    ],
)
def test_a_type_tells_the_extension_where_the_content_does_not(content: bytes, content_type: str, ending: str) -> None:
    """Only one that is known, so that no server chooses a name."""
    assert ending == extension(content, content_type)


KEYS = [
    "a",
    "a/b",
    "a_b",
    "a b",
    "../../etc/passwd",
    "..",
    ".",
    "",
    "/",
    "a" * 300,
    "a" * 300 + "b",
    "ключ",
    "\ud800",
    "con:1",
]


def test_no_two_keys_share_a_name() -> None:
    """Also when they differ only in what a file name can't hold."""
    assert len(KEYS) == len({safe_name(key) for key in KEYS})


@given(st.lists(st.text(alphabet="ab-_./ 01é", max_size=6), unique=True, max_size=12))
def test_no_record_takes_the_file_of_another(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    """Whatever their keys and numbers look like together, each image has its own file, with its own content."""
    folder = tmp_path_factory.mktemp("results")
    paths = {}
    for key in keys:
        contents = [PNG + f"{key}/{number}".encode() for number in range(2)]
        answer = kept(folder, {"data": [image(content) for content in contents]}, key).answer
        paths |= {item["path"]: content for item, content in zip(answer["data"], contents, strict=True)}
    assert 2 * len(keys) == len(paths)
    assert all(Path(path).read_bytes() == content for path, content in paths.items())


@given(st.text() | st.sampled_from(KEYS))
def test_a_name_never_leaves_its_folder(key: str) -> None:
    """It is a plain, short, visible name."""
    name = safe_name(key)
    assert 0 < len(name) <= 100
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>|\0 ')
    assert not name.startswith(".")
