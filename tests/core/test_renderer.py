"""Tests of records that become requests."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate, Packing
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from tests.core.json_values import (
    REFUSED,
    STRANGE_TEXTS,
    few_examples,
    json_objects,
    json_values,
    nested,
    python_values,
    texts,
)
from tests.core.rendering_parts import FAULT, form, json_of, keys_of, only_error, only_request, parts_of, records

ANY = EndpointTemplate(name="any", path="/any")
PACKED = EndpointTemplate(
    name="packed",
    path="/{model}/packed",
    required=("model", "input"),
    packing=Packing(request_field="input", response_items="data", max_records=4, max_tokens=100),
)
RESPONSE = {"model": "m", "input": "{message.text}"}


def _single(
    endpoint: str | EndpointTemplate | RequestForm, body: Any = "{message.json}", **keywords: Any
) -> SingleRenderer:
    return SingleRenderer(
        endpoint if isinstance(endpoint, RequestForm) else form(endpoint), BodyTemplate(body, **keywords)
    )


def _packed(body: Any = "{message.json}", endpoint: str | EndpointTemplate = PACKED) -> PackedRenderer:
    return PackedRenderer(form(endpoint), BodyTemplate(body))


def test_a_record_is_a_request() -> None:
    """One record gives one request with method, URL, body, content type and an estimate of its tokens."""
    (record,) = records({"text": "abc"})
    request = only_request(_single("create_response", RESPONSE).render([record]))

    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/responses")
    assert json_of(request) == {"model": "m", "input": "abc"}
    assert request.records == (record,)
    assert request.tokens == -(-len(request.content or b"") // 3)  # type: ignore[arg-type]
    assert request.pack is None


@pytest.mark.parametrize(
    ("body", "sent"),
    [("Dear {message.text},\n{x} ü", "Dear abc,\n{x} ü"), ("{message.json}", '{"text":"abc"}'), ("", "")],
)
def test_a_body_can_be_plain_text(body: str, sent: str) -> None:
    """It is a template like any other text, and is not read as JSON."""
    endpoint = EndpointTemplate(name="text", path="/text", content="text")
    renderer = SingleRenderer(form(endpoint), BodyTemplate(body, is_text=True))
    request = only_request(renderer.render(records({"text": "abc"})))
    assert ("text/plain; charset=utf-8", sent.encode()) == (request.content_type, request.content)


def test_headers_and_query_are_filled_for_each_record() -> None:
    """A record that does not fit there is refused, and the others go on."""
    parts = form(ANY, headers={"X-A": "{message.a}"}, query=BodyTemplate({"b": "{message.b}"}))
    rendered = [*_single(parts).render(records({"a": "1", "b": 2}, {"a": "x\r\n", "b": 2}, {"a": "1"}))]
    assert isinstance(rendered[0], RenderedRequest)
    assert ((("X-A", "1"),), "https://api.openai.com/v1/any?b=2") == (rendered[0].headers, rendered[0].url)
    refused = [item.error.code for item in rendered if isinstance(item, RefusedRecord)]
    assert ["unsafe_header_value", "missing_field"] == refused


def test_requests_whose_headers_differ_are_not_equal() -> None:
    """Nobody gets an answer that was asked for in another way."""
    parts = form(ANY, headers={"X-A": "{message.a}"})
    renderer = SingleRenderer(parts, BodyTemplate({}), Originals(keeps_all=True))
    rendered = renderer.render(records({"a": "1"}, {"a": "2"}, {"a": "1"}))
    assert ["RenderedRequest", "RenderedRequest", "Duplicate"] == [type(item).__name__ for item in rendered]


def test_records_are_rendered_as_they_come() -> None:
    """Rendering streams: the next record is not read before its turn."""
    read = []

    def source() -> Any:
        for record in records({"text": "a"}, {"text": "b"}):
            read.append(record.key)
            yield record

    rendered = _single("create_response", RESPONSE).render(source())
    next(rendered)
    assert read == ["0"]
    next(rendered)
    assert read == ["0", "1"]


def test_a_record_that_does_not_fit_is_refused_and_the_others_go_on() -> None:
    """A fault of the source, a missing field, or what is no JSON refuses one record."""
    data = [{"text": "a"}, FAULT, {}, {"text": float("nan")}, {"text": None}, {"text": "b"}]
    rendered = [*_single("create_response", RESPONSE).render(records(*data))]

    codes = [item.error.code if isinstance(item, RefusedRecord) else "" for item in rendered]
    assert codes == ["", "broken_line", "missing_field", "unserializable", "missing_required_parameter", ""]
    assert [*keys_of(rendered)] == list("012345")


def test_a_faulted_record_keeps_its_fault() -> None:
    """What the source said of a broken record is what is told."""
    assert only_error(_single(ANY).render(records(FAULT))) is FAULT


@pytest.mark.parametrize("data", ["text", 1, None, ["a"]])
def test_a_body_with_required_fields_is_an_object(data: Any) -> None:
    """A record that is no object is refused where the API needs fields, and sent as it is where it does not."""
    assert only_error(_single("create_moderation").render(records(data))).code == "not_an_object"
    assert json_of(only_request(_single(ANY).render(records(data)))) == data


def test_defaults_are_set_unless_the_body_has_them() -> None:
    """The endpoint's defaults stand below the body's own fields."""
    renderer = _packed(endpoint="create_embedding")
    first, second = renderer.render(
        records({"model": "m", "input": "a"}, {"model": "m", "input": "a", "encoding_format": "float"})
    )

    assert [json_of(request)["encoding_format"] for request in (first, second)] == ["base64", "float"]  # type: ignore[arg-type]


def test_headers_are_those_of_the_form() -> None:
    """Further headers go with each request."""
    request = only_request(_single(form(ANY, headers={"X-A": "b"})).render(records(1)))

    assert request.headers == (("X-A", "b"),)


def test_a_get_has_no_body() -> None:
    """A request without a body has its fields in path and query, and no content type."""
    request = only_request(_single("retrieve_response").render(records({"response_id": "r", "include": ["a b"]})))

    assert (request.method, request.content, request.content_type) == ("GET", None, None)
    assert request.url == "https://api.openai.com/v1/responses/r?include%5B%5D=a%20b"


def test_a_form_without_files_is_url_encoded() -> None:
    """``content="form"`` is a form as browsers send it."""
    endpoint = EndpointTemplate(name="form", path="/form", content="form")
    request = only_request(_single(endpoint).render(records({"a": "b&c=d", "n": 1, "day": date(2026, 1, 2)})))

    assert request.content_type == "application/x-www-form-urlencoded"
    assert request.content == b"a=b%26c%3Dd&n=1&day=2026-01-02"


@pytest.mark.parametrize("content", ["form", "multipart"])
def test_a_form_needs_an_object(content: Any) -> None:
    """A record that is no object can't be a form."""
    endpoint = EndpointTemplate(name="form", path="/form", content=content)

    assert only_error(_single(endpoint).render(records(["a"]))).code == "not_an_object"


def test_a_file_of_a_record_becomes_a_part(tmp_path: Path) -> None:
    """A body field that names a file is sent as the file, after the other fields."""
    (tmp_path / "a.png").write_bytes(b"PNG")
    files = FileReferences([str(tmp_path)], Path)
    renderer = _single(form("create_image_edit", files=files), {"model": "m", "image": "{message}", "prompt": "p"})
    request = only_request(renderer.render(records(f"{tmp_path}/a.png")))

    assert parts_of(request.content) == [("model", None, b"m"), ("prompt", None, b"p"), ("image", "a.png", b"PNG")]


@pytest.mark.parametrize(
    ("optional", "content_type"),
    [(("file", "file_id"), "application/json"), ((), "multipart/form-data; boundary=")],
    ids=["declared", "a form is a form"],
)
def test_an_id_in_the_place_of_a_file_goes_as_json(optional: tuple[str, ...], content_type: str) -> None:
    """A form whose files are declared as optional is JSON without any; a form of one's own stays a form."""
    endpoint = EndpointTemplate(name="f", path="/f", content="multipart", optional=optional, file_fields=("file",))
    request = only_request(_single(endpoint).render(records({"file_id": "file-1", "file": None})))

    assert request.content_type is not None
    assert request.content_type.startswith(content_type)


def test_a_file_outside_the_folder_refuses_the_record(tmp_path: Path) -> None:
    """A record that names another file is rejected."""
    renderer = _single(form("upload_file", files=FileReferences([str(tmp_path)], Path)))

    assert (
        only_error(renderer.render(records({"purpose": "vision", "file": "/etc/passwd"}))).code == "file_outside_root"
    )


def test_files_need_a_folder() -> None:
    """Without ``files_root`` no record can name a file: that is a fault of the Dag."""
    with pytest.raises(ConfigurationError, match="files_root="):
        [*_single("upload_file").render(records({"purpose": "vision", "file": "/etc/passwd"}))]


@pytest.mark.parametrize("content", ["json", "form", "multipart", "none"])
@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_what_can_not_be_carried_refuses_the_record(value: Any, content: Any) -> None:
    """NaN, lone surrogates, circles, bytes and the like are rejected in every form of a body, and never a crash."""
    endpoint = EndpointTemplate(name="x", path="/x", content=content)

    assert only_error(_single(endpoint).render(records({"a": [value]}))).code == "unserializable"


@pytest.mark.parametrize("content", ["json", "form", "multipart", "none"])
@pytest.mark.parametrize("value", [nested(1000), "x" * 10_000_000, 2**70], ids=["nested 1,000 deep", "10 MB", "2**70"])
def test_what_is_large_is_carried_or_refused(value: Any, content: Any) -> None:
    """10 MB of text and nesting of a thousand come through whole or as a refused record."""
    endpoint = EndpointTemplate(name="x", path="/x", content=content)
    (rendered,) = _single(endpoint).render(records({"a": value}))

    if isinstance(rendered, RefusedRecord):
        assert rendered.error.code in ("unserializable", "url_too_long")
    elif content == "json":
        assert rendered.content == json.dumps({"a": value}, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "value", [nested(1000), "x" * 10_000_000, *REFUSED.values()], ids=["nested", "10 MB", *REFUSED]
)
def test_what_is_large_or_no_json_may_stand_within_a_text(value: Any) -> None:
    """The same values within a longer text are carried or refused."""
    (rendered,) = _single("create_response", {"model": "m", "input": "<{message.text}>"}).render(
        records({"text": value})
    )

    assert isinstance(rendered, RefusedRecord) or json_of(rendered)["input"].startswith("<")


def test_a_single_record_is_never_cut() -> None:
    """A refused request of one record has no halves."""
    renderer = _single(ANY)

    assert renderer.split(only_request(renderer.render(records(1)))) == ()


def test_records_are_packed() -> None:
    """Records of equal fields share a request, which knows its records and the sum of their tokens."""
    first, second = _packed({"model": "m", "input": "{message}"}).render(records(*"abcde"))

    assert isinstance(first, RenderedRequest)
    assert isinstance(second, RenderedRequest)
    assert json_of(first) == {"input": ["a", "b", "c", "d"]}
    assert first.url == "https://api.openai.com/v1/m/packed"
    assert [record.key for record in first.records] == ["0", "1", "2", "3"]
    assert (first.tokens, second.tokens) == (4, 1)


def test_a_bad_record_does_not_spoil_a_pack() -> None:
    """Records that can't be packed are refused; the others share a request."""
    rendered = [*_packed({"model": "m", "input": "{message}"}).render(records("a", FAULT, "", 1, "b\ud800", "c"))]

    codes = [item.error.code for item in rendered if isinstance(item, RefusedRecord)]
    assert codes == ["broken_line", "empty_input", "invalid_input", "invalid_input"]
    assert json_of(only_request(rendered[-1:])) == {"input": ["a", "c"]}


def test_a_pack_that_can_not_be_addressed_refuses_all_its_records() -> None:
    """When the fields of a pack make no URL, each of its records is refused, and none is lost."""
    rendered = [*_packed({"model": "../m", "input": "{message}"}).render(records(*"abc"))]

    assert [item.error.code for item in rendered if isinstance(item, RefusedRecord)] == ["unsafe_path_value"] * 3
    assert [*keys_of(rendered)] == list("012")


def test_a_refused_pack_is_cut_in_two() -> None:
    """The halves of a pack are requests of their own, down to single records."""
    renderer = _packed({"model": "m", "input": "{message}"})
    first, second = renderer.split(only_request(renderer.render(records(*"abc"))))

    assert [json_of(first), json_of(second)] == [{"input": ["a"]}, {"input": ["b", "c"]}]
    assert renderer.split(first) == ()
    assert [json_of(half)["input"] for half in renderer.split(second)] == [["b"], ["c"]]


def test_an_endpoint_without_packing_is_refused() -> None:
    """Only what can be packed is packed."""
    with pytest.raises(ConfigurationError, match="create_response has no packing"):
        _packed(endpoint="create_response")


def test_a_packed_url_can_not_use_the_record() -> None:
    """Records that share a request share its URL."""
    endpoint = EndpointTemplate(name="p", path="/{message.id}", required=("input",), packing=PACKED.packing)
    with pytest.raises(ConfigurationError, match="its URL can't differ"):
        _packed(endpoint=endpoint)


@few_examples
@given(json_values)
def test_a_record_arrives_as_it_was(data: Any) -> None:
    """What the API reads is what the record was: types, order and every character."""
    assert repr(data) == repr(json_of(only_request(_single(ANY).render(records(data)))))


@few_examples
@given(json_objects, texts)
def test_values_arrive_untouched(data: dict[str, Any], text: str) -> None:
    """Values alone and within texts arrive byte for byte, whatever template language they look like."""
    template = '{"whole": "{message.data}", "alone": "{message.text}", "within": "{{{message.text}}} {message.text}"}'
    request = only_request(_single(ANY, template).render(records({"data": data, "text": text})))

    assert json_of(request) == {"whole": data, "alone": text, "within": f"{{{{{text}}}}} {text}"}


@pytest.mark.parametrize("text", STRANGE_TEXTS)
def test_a_strange_text_arrives_untouched(text: str) -> None:
    """``{{ 7*7 }}``, ``{message.json}`` and their like are data."""
    request = only_request(_single("create_response", RESPONSE).render(records({"text": text})))

    assert json_of(request)["input"] == text


@few_examples
@given(python_values, st.sampled_from(["json", "form", "multipart", "none"]))
def test_any_record_is_a_request_or_refused(data: Any, content: Any) -> None:
    """Whatever Python value a record is, in whatever form it goes: one request or one refusal that can be written."""
    endpoint = EndpointTemplate(name="x", path="/x", content=content)
    (rendered,) = _single(endpoint, {"a": "{message}"}).render(records(data))

    if isinstance(rendered, RefusedRecord):
        assert encode_json(rendered.error.as_row())
    elif content == "form":
        assert isinstance(rendered.content, bytes)
        parse_qsl(rendered.content.decode(), strict_parsing=bool(rendered.content))


@few_examples
@given(st.lists(python_values | texts, max_size=12))
def test_every_record_comes_out_once(data: list[Any]) -> None:
    """Packed or single, each record is in exactly one request or refused."""
    keys = sorted(str(place) for place in range(len(data)))

    assert keys == sorted(keys_of(_single("create_response", RESPONSE).render(records(*data))))
    assert keys == sorted(keys_of(_packed({"model": "m", "input": "{message}"}).render(records(*data))))


@pytest.mark.parametrize(
    ("n", "images"), [(None, 1), (1, 1), (4, 4), ("4", 4), ("four", 1), (-3, 1), (2.5, 1), (True, 1), ("9" * 30, 1)]
)
def test_images_are_counted_as_they_are_asked_for(n: Any, images: int) -> None:
    """They count against images a minute; a form has its numbers as text, and what is no number is the API's one."""
    body = BodyTemplate({"model": "own", "prompt": "p", "n": n})
    assert images == only_request(SingleRenderer(form("create_image"), body).render(records({}))).images
