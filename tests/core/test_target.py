"""Tests of the URL of a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.target import MAX_URL, Target
from tests.core.json_values import few_examples, json_objects, texts
from tests.core.rendering_parts import BASE_URL

ORIGIN = "https://api.openai.com"


def _url(path: str, data: Any = None, body: dict[str, Any] | None = None, *, body_is_query: bool = False) -> str:
    return Target(BASE_URL, path).fill(data, {} if body is None else body, body_is_query=body_is_query)


# A path, a record, a body, and the URL.
FILLED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("/files", None, {}, "/v1/files"),
    ("files", None, {}, "/v1/files"),
    ("/files?limit=10", None, {}, "/v1/files?limit=10"),
    (f"{ORIGIN}/v1/files", None, {}, "/v1/files"),
    (f"{ORIGIN}/v2/files?a=b", None, {}, "/v2/files?a=b"),
    ("/files/{file_id}", None, {"file_id": "file-1"}, "/v1/files/file-1"),
    ("/files/{file_id}/content", None, {"file_id": "a b?c#d&e=ü%"}, "/v1/files/a%20b%3Fc%23d%26e%3D%C3%BC%25/content"),
    ("/a/{x}/b/{x}", None, {"x": 1}, "/v1/a/1/b/1"),
    ("/files/{message.id}", {"id": "file-1"}, {}, "/v1/files/file-1"),
    ("/files/{message.json}", "file-1", {}, "/v1/files/file-1"),
    ("/a/{message.n}-{record.yes}", {"n": 7, "yes": True}, {}, "/v1/a/7-true"),
    (
        "/files?after={message.id}&limit={limit}",
        {"id": "a/b&c=d"},
        {"limit": 5},
        "/v1/files?after=a%2Fb%26c%3Dd&limit=5",
    ),
    ("/files?after={after}", None, {"after": "../x"}, "/v1/files?after=..%2Fx"),
    ("/files?after={message.id}", {"id": ""}, {}, "/v1/files?after="),
    (f"{ORIGIN}/v2/{{message.id}}", {"id": "x"}, {}, "/v2/x"),
]

# A path that is refused when it is read.
REFUSED_PATHS = [
    "https://evil.example/v1/files",
    "http://api.openai.com/v1/files",
    "https://api.openai.com:444/v1/files",
    "https://user@api.openai.com/v1/files",
    "https://{message.host}/v1/files",
    "https://api.openai.com{message.rest}",
    "https://api.openai.com:{message.port}/v1",
    "{message.scheme}://{message.host}/v1",
    "//evil.example/files",
    "//{message.host}/files",
    "/../files",
    "/files/../../x",
    "/files/%2e%2e/x",
    "/files/{message.id}/../x",
    "/files\\x",
    "/files#x",
    "/files/{FileId}",
    "/fi les",
    "",
    "/",
]

# A template and values that can't stand in it.
REFUSED_VALUES: list[tuple[str, Any, dict[str, Any], str]] = [
    ("/files/{file_id}", None, {}, "missing_required_parameter"),
    ("/files/{file_id}", None, {"file_id": None}, "missing_required_parameter"),
    ("/files/{file_id}", None, {"file_id": ""}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": ".."}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "a/b"}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "a\\b"}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "%2e%2e"}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "a%2Fb"}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "a\r\nb"}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "a\ud800"}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": float("nan")}, "unserializable"),
    ("/files?after={after}", None, {"after": "a\ud800"}, "unsafe_path_value"),
    ("/files/{message.id}", {}, {}, "missing_field"),
    ("/files/{message.a}{message.b}", {"a": "%2", "b": "e"}, {}, "unsafe_path_value"),
    ("/files/.{message.a}", {"a": ";x"}, {}, "unsafe_path_value"),
    ("/files/{file_id}", None, {"file_id": "x" * MAX_URL}, "url_too_long"),
    ("/files?after={after}", None, {"after": "x" * 1_000_000}, "url_too_long"),
]


@pytest.mark.parametrize(("path", "data", "body", "url"), FILLED)
def test_a_url_is_filled(path: str, data: Any, body: dict[str, Any], url: str) -> None:
    """Body fields and the record fill the path and the query, percent-encoded."""
    assert ORIGIN + url == _url(path, data, body)


@pytest.mark.parametrize("path", REFUSED_PATHS)
def test_a_path_that_leaves_its_place_is_refused_when_it_is_read(path: str) -> None:
    """Another origin, a way up, or a host that a record would choose is a ConfigurationError before any record."""
    with pytest.raises(ConfigurationError):
        Target(BASE_URL, path)


def test_a_broken_placeholder_in_a_url_is_named() -> None:
    """A placeholder that can't be read says that it stands in the URL."""
    with pytest.raises(InvalidTemplateError, match=r"^url, column 7"):
        Target(BASE_URL, "/files/{message..id}")


@pytest.mark.parametrize(("path", "data", "body", "code"), REFUSED_VALUES)
def test_a_value_that_can_not_stand_in_a_url_refuses_the_record(
    path: str, data: Any, body: dict[str, Any], code: str
) -> None:
    """A value that is missing, or that a server could read in two ways, rejects its record alone."""
    with pytest.raises(RecordError) as caught:
        _url(path, data, body)

    assert caught.value.code == code


def test_what_the_path_takes_leaves_the_body() -> None:
    """A field that the path uses is not sent twice."""
    body = {"file_id": "file-1", "limit": 2}
    _url("/files/{file_id}", None, body)

    assert body == {"limit": 2}


@pytest.mark.parametrize(
    ("path", "body", "url"),
    [
        ("/files", {}, "/v1/files"),
        ("/files", {"limit": 10, "after": None}, "/v1/files?limit=10"),
        ("/files?order=asc", {"limit": 10}, "/v1/files?order=asc&limit=10"),
        ("/files/{id}", {"id": "a", "x": "b c&d=ü/é"}, "/v1/files/a?x=b%20c%26d%3D%C3%BC%2F%C3%A9"),
        ("/r", {"include": ["a", "b"], "m": {"k": True}}, "/v1/r?include%5B%5D=a&include%5B%5D=b&m%5Bk%5D=true"),
    ],
)
def test_without_a_body_the_fields_are_the_query(path: str, body: dict[str, Any], url: str) -> None:
    """A request without a body has its fields in the query, with brackets as the official SDK writes them."""
    assert ORIGIN + url == _url(path, None, body, body_is_query=True)


@pytest.mark.parametrize("body", [{"x": float("inf")}, {"x": "\ud800"}, {1: "x"}, {"x": b""}, {"x": "a" * 10_000_000}])
def test_a_query_that_can_not_be_written_refuses_the_record(body: dict[str, Any]) -> None:
    """A query is exact or the record is rejected."""
    with pytest.raises(RecordError):
        _url("/files", None, body, body_is_query=True)


def test_a_query_of_its_own_stands_between_the_path_s_and_the_body_s() -> None:
    """Its values may come from the record; a missing one is as the template says."""
    query = BodyTemplate({"q": "{message.q}", "include": ["a", "{message.b}"], "n": 5}, missing="omit")
    target = Target(BASE_URL, "/files?order=asc", query)
    assert f"{ORIGIN}/v1/files?order=asc&q=a%26b%3D%C3%BC&include%5B%5D=a&n=5&limit=2" == target.fill(
        {"q": "a&b=ü"}, {"limit": 2}, body_is_query=True
    )
    assert f"{ORIGIN}/v1/files?order=asc&include%5B%5D=a&n=5" == target.fill({}, {"limit": 2}, body_is_query=False)


@few_examples
@given(json_objects)
def test_a_query_changes_nothing_but_the_query(data: dict[str, Any]) -> None:
    """Whatever stands in the record, names of parameters stay those of the template."""
    try:
        url = urlsplit(
            Target(BASE_URL, "/files", BodyTemplate({"a": "x{message.json}"})).fill(data, {}, body_is_query=False)
        )
    except RecordError:
        return
    assert (url.scheme, url.netloc, url.path, url.fragment) == ("https", "api.openai.com", "/v1/files", "")
    assert ["a"] == [name for name, _ in parse_qsl(url.query)]


@pytest.mark.parametrize(
    ("path", "uses_record"),
    [("/files", False), ("/files/{file_id}", False), ("/files/{message.id}", True), ("/files?x={record}", True)],
)
def test_a_url_tells_whether_it_uses_the_record(path: str, *, uses_record: bool) -> None:
    """What is packed can't have a URL for each record, so a URL says whether it needs one."""
    assert uses_record is Target(BASE_URL, path).uses_record


@few_examples
@given(texts | st.text(st.characters(), max_size=5))
def test_a_value_in_the_path_stays_in_its_segment(value: str) -> None:
    """Whatever a value holds, it is one segment of the path, and decodes to itself; or the record is rejected."""
    try:
        url = urlsplit(_url("/files/{message.id}/content?limit=1", {"id": value}))
    except RecordError:
        return
    assert (url.scheme, url.netloc, url.query, url.fragment) == ("https", "api.openai.com", "limit=1", "")
    assert [unquote(segment) for segment in url.path.split("/")] == ["", "v1", "files", value, "content"]


@few_examples
@given(texts, texts)
def test_values_side_by_side_stay_in_their_segment(first: str, second: str) -> None:
    """Two values in one segment can't form together what neither could alone."""
    try:
        url = urlsplit(_url("/files/{message.a}.{message.b}", {"a": first, "b": second}))
    except RecordError:
        return
    assert [unquote(segment) for segment in url.path.split("/")] == ["", "v1", "files", f"{first}.{second}"]


@few_examples
@given(texts, texts)
def test_a_value_in_the_query_stays_one_value(first: str, second: str) -> None:
    """Whatever a value holds, it adds no parameter, and ends neither the query nor the URL."""
    url = urlsplit(_url("/files?a={message.a}&b={b}&c=1", {"a": first}, {"b": second}))

    assert (url.netloc, url.path, url.fragment) == ("api.openai.com", "/v1/files", "")
    assert [("a", first), ("b", second), ("c", "1")] == parse_qsl(url.query, keep_blank_values=True)


@few_examples
@given(json_objects)
def test_a_body_in_the_query_stays_in_the_query(body: dict[str, Any]) -> None:
    """Whatever names and values a body has, they change nothing but the query."""
    try:
        url = urlsplit(_url("/files/x", None, body, body_is_query=True))
    except RecordError:
        return
    assert (url.scheme, url.netloc, url.path, url.fragment) == ("https", "api.openai.com", "/v1/files/x", "")
    assert {name.partition("[")[0] for name, _ in parse_qsl(url.query)} <= {name.partition("[")[0] for name in body}
