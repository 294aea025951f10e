"""Tests of forms with files."""

from __future__ import annotations

from datetime import date
from email.parser import BytesParser
from email.policy import HTTP
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.multipart import PIECE_BYTES, FilePart, MultipartBody, flat_fields
from tests.core.json_values import REFUSED, few_examples, json_objects, json_values, texts
from tests.core.rendering_parts import file_part, parts_of

# A body, and the fields of its form.
FLAT: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({}, []),
    ({"a": "b"}, [("a", "b")]),
    ({"a": ""}, [("a", "")]),
    ({"n": 1, "f": 0.5, "yes": True, "no": False}, [("n", "1"), ("f", "0.5"), ("yes", "true"), ("no", "false")]),
    ({"a": None, "b": [None], "c": {"d": None}}, []),
    ({"day": date(2026, 1, 2)}, [("day", "2026-01-02")]),
    (
        {"expires_after": {"anchor": "created_at", "seconds": 3600}},
        [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600")],
    ),
    ({"include": ["logprobs", "x"], "t": (1,)}, [("include[]", "logprobs"), ("include[]", "x"), ("t[]", "1")]),
    ({"a": [{"b": [1]}], "c": {"d": {"e": 2}}}, [("a[][b][]", "1"), ("c[d][e]", "2")]),
]


def _form(fields: dict[str, Any], *files: FilePart) -> MultipartBody:
    return MultipartBody(fields, files)


def _escaped(name: str) -> str:
    """Give what a parser finds for a name: what would end it is percent-encoded, as browsers do."""
    return "".join(f"%{ord(char):02X}" if char < " " or char in '"\\' else char for char in name)


@pytest.mark.parametrize(("body", "fields"), FLAT)
def test_an_object_is_flattened_as_the_sdk_does(body: dict[str, Any], fields: list[tuple[str, str]]) -> None:
    """Objects have their names in brackets, lists empty brackets, truth values are lower case, null is left out."""
    assert fields == flat_fields(body)


@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_json_is_no_form(value: Any) -> None:
    """What can't be written exactly is a RecordError, wherever it stands in the form."""
    with pytest.raises(RecordError, match="unserializable"):
        _form({"a": {"b": [value]}})


@pytest.mark.parametrize("depth", [100, 500, 900, 1000, 5000, 50_000])
def test_deep_nesting_is_carried_or_refused(depth: int) -> None:
    """A form of many brackets is either written or a RecordError."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    try:
        fields = flat_fields({"a": value})
    except RecordError:
        return
    assert fields == [("a" + "[]" * depth, "1")]


def test_fields_come_first_and_files_last() -> None:
    """A server that reads a form as it comes knows the purpose before the file."""
    form = _form({"purpose": "batch", "n": 1}, file_part("file", "a.jsonl", b"{}"), file_part("mask", "m.png", b""))

    assert parts_of(form) == [
        ("purpose", None, b"batch"),
        ("n", None, b"1"),
        ("file", "a.jsonl", b"{}"),
        ("mask", "m.png", b""),
    ]


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.JPG", "image/jpeg"),
        ("a.mp3", "audio/mpeg"),
        ("dir.png/a.pdf", "application/pdf"),
        ("a.unknown", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("", "application/octet-stream"),
        (".png", "application/octet-stream"),
        ("data:text/x\r\nX-Evil: 1,a", "application/octet-stream"),
        ("data:text/html,a.png", "image/png"),
        ("https://x/a.html", "text/html"),
    ],
)
def test_the_content_type_is_that_of_the_extension(filename: str, content_type: str) -> None:
    """Only the file name's extension says the type: nothing in a name can put a header of its own there."""
    assert content_type == file_part("file", filename, b"").content_type


@pytest.mark.parametrize("files", [[], [file_part("file", "a", b"")], [file_part("file", "a", b"x" * 9)] * 2])
@pytest.mark.parametrize("fields", [{}, {"a": "b"}])
def test_no_piece_is_empty(fields: dict[str, Any], files: list[FilePart]) -> None:
    """An empty piece would be the end of a stream, so there is none, with or without fields."""
    assert all([*_form(fields, *files)])


def test_files_are_read_piece_by_piece() -> None:
    """No more than a mebibyte of a file is held at once."""
    size = 3 * PIECE_BYTES + 1
    form = _form({}, file_part("file", "a", b"x" * size))
    pieces = list(form)

    assert max(map(len, pieces)) == PIECE_BYTES
    assert sum(map(len, pieces)) == form.length


def test_a_form_can_be_sent_again() -> None:
    """Each reading opens the files anew and gives the same bytes."""
    form = _form({"a": "b"}, file_part("file", "a", b"content"))

    assert b"".join(form) == b"".join(form)


def test_a_file_is_open_only_while_it_is_read(tmp_path: Path) -> None:
    """A form that waits for its turn holds no file open, and a reading that is given up closes what it opened."""
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3 * PIECE_BYTES)
    opened: list[BinaryIO] = []

    def open_file() -> BinaryIO:
        opened.append(path.open("rb"))
        return opened[-1]

    form = _form({}, FilePart(name="file", filename="a", size=3 * PIECE_BYTES, open=open_file))
    assert opened == []
    pieces = iter(form)
    next(pieces), next(pieces)
    assert not opened[0].closed
    pieces.close()  # type: ignore[attr-defined]
    assert opened[0].closed


@pytest.mark.parametrize("content", [b"", b"12", b"1234"])
def test_a_file_that_changes_its_size_is_never_sent_as_a_whole(content: bytes) -> None:
    """A file that grew or shrank since it was measured is an OSError before the form's end."""
    form = _form({}, FilePart(name="file", filename="a.txt", size=3, open=lambda: BytesIO(content)))
    sent = bytearray()
    with pytest.raises(OSError, match=r"a\.txt: the file's size changed"):
        sent.extend(chain.from_iterable(form))

    assert len(sent) < form.length


@pytest.mark.parametrize(("name", "filename"), [("a\ud800", "b"), ("a", "b\udfff")])
def test_a_name_that_is_no_text_is_refused(name: str, filename: str) -> None:
    """A lone surrogate in a part's name or file name is a RecordError."""
    with pytest.raises(RecordError, match="unserializable"):
        _form({}, file_part(name, filename, b""))


def test_two_forms_have_two_boundaries() -> None:
    """Nobody can know the boundary of a form before it is made, so no value can contain it."""
    assert _form({}).content_type != _form({}).content_type


files = st.lists(st.tuples(texts, texts, st.binary(max_size=40)), max_size=3)


@few_examples
@given(st.dictionaries(texts, texts, max_size=3), files)
def test_a_form_is_read_back_as_it_was(fields: dict[str, str], given_files: list[tuple[str, str, bytes]]) -> None:
    """A server's parser finds every field and file with its name and its bytes, whatever they hold."""
    form = _form(fields, *(file_part(*file) for file in given_files))

    assert parts_of(form) == [
        *((_escaped(name), None, value.encode()) for name, value in fields.items()),
        *((_escaped(name), _escaped(filename), content) for name, filename, content in given_files),
    ]


@few_examples
@given(json_objects, files)
def test_the_length_is_known_before(fields: dict[str, Any], given_files: list[tuple[str, str, bytes]]) -> None:
    """``length`` is the number of bytes that come."""
    form = _form(fields, *(file_part(*file) for file in given_files))

    assert form.length == len(b"".join(form))


@few_examples
@given(st.lists(st.tuples(texts, texts, texts), max_size=3))
def test_no_name_adds_a_part_or_a_header(given_files: list[tuple[str, str, str]]) -> None:
    """A second parser finds as many parts as there are, each with just its own headers."""
    form = _form({}, *(file_part(name, filename, content.encode()) for name, filename, content in given_files))
    head = f"MIME-Version: 1.0\r\nContent-Type: {form.content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP.clone(utf8=True)).parsebytes(head + b"".join(form))

    parts = message.get_payload() if message.is_multipart() else []
    assert [["Content-Disposition", "Content-Type"]] * len(given_files) == [part.keys() for part in parts]  # type: ignore[union-attr]


@few_examples
@given(json_values)
def test_any_value_is_flattened_or_refused(value: Any) -> None:
    """Whatever stands in a form's field gives fields that are text."""
    assert all(isinstance(text, str) for field in flat_fields({"a": value}) for text in field)
