"""Tests of records collected into JSON Lines files."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError
from airflow_provider_openai_dest.rendering.body import WHOLE_RECORD, BodyTemplate
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.lines import OPEN_FILES, FileLimit, LinesRenderer
from airflow_provider_openai_dest.rendering.renderer import Rendered
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from tests.core.json_values import STRANGE_TEXTS, few_examples, json_values
from tests.core.rendering_parts import FAULT, form, keys_of, only_error, only_request, parts_of, records

FIELDS = {"purpose": "batch"}


def _renderer(line: Any = WHOLE_RECORD, fields: dict[str, Any] | None = None, **keywords: Any) -> LinesRenderer:
    return LinesRenderer(form("upload_file"), line=BodyTemplate(line), fields=fields or FIELDS, **keywords)


def _files(rendered: Iterable[Rendered]) -> list[tuple[str | None, bytes]]:
    """Give name and content of each file that is sent."""
    files = []
    for request in rendered:
        assert isinstance(request, RenderedRequest)
        *_, (name, filename, content) = parts_of(request.content)
        assert name == "file"
        files.append((filename, content))
    return files


def test_all_records_of_a_run_are_one_file() -> None:
    """By default each record is a line of one file, in order, as compact JSON."""
    request = only_request(_renderer().render(records({"a": 1}, [2], "ü", None)))

    assert parts_of(request.content) == [
        ("purpose", None, b"batch"),
        ("file", "records.jsonl", '{"a":1}\n[2]\n"ü"\nnull\n'.encode()),
    ]
    assert [record.key for record in request.records] == ["0", "1", "2", "3"]
    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/files")


def test_no_records_are_no_file() -> None:
    """An empty data set sends nothing."""
    assert [*_renderer().render([])] == []


def test_a_line_has_a_template() -> None:
    """``line`` is a body template for each line."""
    line = {"custom_id": "{message.id}", "body": {"input": "Say {message.text}"}}
    request = only_request(_renderer(line).render(records({"id": "a", "text": "b"})))

    assert parts_of(request.content)[-1][2] == b'{"custom_id":"a","body":{"input":"Say b"}}\n'


def test_each_record_can_be_a_file() -> None:
    """With ``file_per="record"`` each record is a file of its own, named by its key."""
    rendered = _renderer(file_per="record").render(records({"a": 1}, {"a": 2}))

    assert _files(rendered) == [("0.jsonl", b'{"a":1}\n'), ("1.jsonl", b'{"a":2}\n')]


def test_records_can_be_grouped() -> None:
    """Records that fill ``file_per`` alike share a file, named by it."""
    data = [{"day": "mo", "n": 1}, {"day": "tu", "n": 2}, {"day": "mo", "n": 3}]
    rendered = _renderer("{message.n}", file_per="{message.day}").render(records(*data))

    assert _files(rendered) == [("mo.jsonl", b"1\n3\n"), ("tu.jsonl", b"2\n")]


def test_only_so_many_files_are_open() -> None:
    """With many groups the oldest file is sent, so that disk and handles stay bounded."""
    source = iter(records(*map(str, range(OPEN_FILES + 2))))
    rendered = _renderer(file_per="{message}").render(source)
    first = next(rendered)

    assert [*keys_of([first])] == ["0"]
    assert [record.data for record in source] == [str(OPEN_FILES + 1)]


def test_a_file_has_a_name_and_fields_of_its_first_record() -> None:
    """``filename`` and ``fields`` are filled from a file's first record."""
    renderer = _renderer("{message.n}", {"purpose": "{message.for}"}, filename="products-{message.n}.jsonl")
    request = only_request(renderer.render(records({"n": 1, "for": "evals"}, {"n": 2, "for": "vision"})))

    assert parts_of(request.content) == [("purpose", None, b"evals"), ("file", "products-1.jsonl", b"1\n2\n")]


@pytest.mark.parametrize(
    ("limit", "files"),
    [
        (FileLimit(max_bytes=9), [b"111\n222\n", b"333\n"]),
        (FileLimit(max_bytes=8), [b"111\n222\n", b"333\n"]),
        (FileLimit(max_bytes=7), [b"111\n", b"222\n", b"333\n"]),
        (FileLimit(max_bytes=99, max_lines=2), [b"111\n222\n", b"333\n"]),
        (FileLimit(max_bytes=99, max_lines=1), [b"111\n", b"222\n", b"333\n"]),
    ],
)
def test_a_file_that_is_full_is_continued_in_another(limit: FileLimit, files: list[bytes]) -> None:
    """No file has more bytes or lines than the API takes for its purpose."""
    rendered = _renderer(limits={"batch": limit}).render(records(111, 222, 333))

    assert files == [content for _, content in _files(rendered)]


def test_the_limit_is_that_of_the_purpose() -> None:
    """A file of another purpose may be larger."""
    limits = {"batch": FileLimit(max_bytes=4)}
    rendered = _renderer(fields={"purpose": "evals"}, limits=limits).render(records(111, 222))

    assert _files(rendered) == [("records.jsonl", b"111\n222\n")]


def test_a_line_that_no_file_can_hold_is_refused() -> None:
    """A line above the limit rejects its record, and the file goes on without it."""
    limits = {"batch": FileLimit(max_bytes=4)}
    rendered = [*_renderer(limits=limits).render(records(1, 12345, 2))]

    refused = [item for item in rendered if isinstance(item, RefusedRecord)]
    assert [(item.record.key, item.error.code) for item in refused] == [("1", "line_too_long")]
    assert _files(item for item in rendered if item not in refused) == [("records.jsonl", b"1\n2\n")]


def test_a_bad_record_does_not_stop_the_others() -> None:
    """Records with a fault, without the field or that are no JSON are refused; the others make the file."""
    rendered = [*_renderer("{message.a}").render(records({"a": 1}, FAULT, {}, {"a": float("nan")}, {"a": 2}))]

    assert [item.error.code for item in rendered if isinstance(item, RefusedRecord)] == [
        "broken_line",
        "missing_field",
        "unserializable",
    ]
    assert _files(rendered[-1:]) == [("records.jsonl", b"1\n2\n")]


@pytest.mark.parametrize(
    ("keywords", "place"),
    [
        ({"file_per": "{message.day}"}, "file_per"),
        ({"filename": "{message.day}"}, "filename"),
        ({"fields": {"purpose": "{message.day}"}}, "purpose"),
    ],
)
def test_a_record_without_the_name_is_refused(keywords: dict[str, Any], place: str) -> None:
    """A record that lacks what names its file is rejected."""
    error = only_error(_renderer(**keywords).render(records({})))

    assert error.message == f"the record has no 'day', which {place} needs"


def test_a_name_that_can_not_be_sent_refuses_one_record() -> None:
    """A record whose name for the file can't be written is refused alone; the next one names the file."""
    data = [{"n": 1, "name": "a\ud800"}, {"n": 2, "name": "b"}, {"n": 3, "name": "c"}]
    refused, sent = _renderer("{message.n}", filename="{message.name}").render(records(*data))

    assert isinstance(refused, RefusedRecord)
    assert (refused.record.key, refused.error.code) == ("0", "unserializable")
    assert _files([sent]) == [("b", b"2\n3\n")]


@pytest.mark.parametrize("file_per", ["", "day", "records", r"\{message.day}"])
def test_an_unknown_grouping_is_refused(file_per: str) -> None:
    """``file_per`` is ``run``, ``record`` or a text with a placeholder, else a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="file_per="):
        _renderer(file_per=file_per)


@pytest.mark.parametrize(
    "keywords", [{"file_per": "{message..x}"}, {"filename": "{message"}, {"fields": {"a": "{message"}}]
)
def test_a_broken_name_is_refused_when_it_is_read(keywords: dict[str, Any]) -> None:
    """A placeholder that can't be read is told before any record."""
    with pytest.raises(InvalidTemplateError):
        _renderer(**keywords)


def test_an_endpoint_without_lines_is_refused() -> None:
    """Only an endpoint that takes such a file can be sent one."""
    with pytest.raises(ConfigurationError, match="create_image_edit takes no JSON Lines file"):
        LinesRenderer(form("create_image_edit"), line=BodyTemplate(), fields={})


def test_a_file_is_never_cut_in_two() -> None:
    """A refused file has no halves."""
    renderer = _renderer()

    assert renderer.split(only_request(renderer.render(records(1, 2)))) == ()


def test_a_file_is_deleted_with_its_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spooled file can be read while its request is there, and is gone with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    request = only_request(_renderer().render(records(1)))
    assert parts_of(request.content) == parts_of(request.content)
    assert [*tmp_path.iterdir()]

    del request
    gc.collect()
    assert [*tmp_path.iterdir()] == []


@few_examples
@given(st.lists(json_values, max_size=8), st.integers(1, 4), st.sampled_from(["run", "record", "{message}"]))
def test_every_record_is_a_line_of_exactly_one_file(data: list[Any], max_lines: int, file_per: str) -> None:
    """Whatever the records are, none is lost, none goes twice, and each line is its record."""
    limits = {"batch": FileLimit(max_bytes=40, max_lines=max_lines)}
    rendered = [*_renderer(file_per=file_per, limits=limits).render(records(*data))]

    assert sorted(keys_of(rendered)) == sorted(str(place) for place in range(len(data)))
    for item in rendered:
        if isinstance(item, RenderedRequest):
            lines = b"".join(encode_json(record.data) + b"\n" for record in item.records)
            assert parts_of(item.content)[-1][2] == lines
            assert len(lines) <= 40
            assert len(item.records) <= max_lines


@pytest.mark.parametrize("name", STRANGE_TEXTS)
def test_a_strange_group_names_a_file_and_no_more(name: str) -> None:
    """Whatever a group is called, the form has the same two parts."""
    request = only_request(_renderer("1", file_per="{message}").render(records(name)))

    assert [part[0] for part in parts_of(request.content)] == ["purpose", "file"]
