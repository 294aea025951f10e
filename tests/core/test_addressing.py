"""A rendered request becomes an HTTP request with the connection's headers."""

from __future__ import annotations

from io import BytesIO

import pytest

from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from tests.core.delivery_parts import URL, request

HEADERS = {
    "User-Agent": "dest/1",
    "Authorization": "Bearer sk-test",
    "OpenAI-Organization": "org-a",
    "OpenAI-Project": "proj-a",
    "X-Team": "search",
}


def test_a_request_carries_the_connections_headers() -> None:
    """The key, the organization, and all others, by lower-case names; and what tells of the body."""
    made = ApiAddress(HEADERS)(request(content=b"{}", content_type="application/json"))
    assert ("POST", URL, b"{}") == (made.method, made.url, made.content)
    ours = {"accept-encoding": "identity", "content-type": "application/json", "content-length": "2"}
    assert {name.lower(): value for name, value in HEADERS.items()} | ours == made.headers


@pytest.mark.parametrize("name", ["Authorization", "authorization", "OpenAI-Organization", "openai-PROJECT"])
def test_no_request_replaces_the_account(name: str) -> None:
    """In whatever letters, and there is one such header only."""
    made = ApiAddress(HEADERS)(request(headers=((name, "other"),)))
    assert {header.lower(): value for header, value in HEADERS.items()}[name.lower()] == made.headers[name.lower()]
    assert "other" not in made.headers.values()


def test_a_request_replaces_other_headers() -> None:
    """A header of the connection is a default."""
    made = ApiAddress(HEADERS)(request(headers=(("x-team", "images"), ("X-More", "1"))))
    assert ("images", "1") == (made.headers["x-team"], made.headers["x-more"])
    assert len(HEADERS) + len({"accept-encoding", "content-length", "x-more"}) == len(made.headers)


def test_no_packed_answer_is_asked_for() -> None:
    """Vectors as base64 hardly shrink, and a packed answer may be a bomb."""
    made = ApiAddress({**HEADERS, "Accept-Encoding": "gzip"})(request())
    assert made.headers["accept-encoding"] == "identity"


def test_a_form_is_streamed_and_says_its_length() -> None:
    """It is not chunked, which the API does not take; and each attempt streams it anew."""
    body = MultipartBody({}, [FilePart(name="file", filename="a", size=3, open=lambda: BytesIO(b"abc"))])
    address = ApiAddress(HEADERS)
    for _ in range(2):
        made = address(request(content=body, content_type=body.content_type))
        assert (str(body.length), None) == (made.headers["content-length"], made.headers.get("transfer-encoding"))
        assert isinstance(made.content, MultipartBody)
        assert body.length == len(b"".join(made.content))


def test_a_request_without_a_body_has_no_content_type() -> None:
    """A GET carries headers only."""
    made = ApiAddress(HEADERS)(request(method="GET", content=None, content_type=None))
    assert (None, None, None) == (made.content, made.headers.get("content-type"), made.headers.get("content-length"))


def test_one_request_changes_nothing_of_the_next() -> None:
    """The connection's headers are the same for each."""
    address = ApiAddress(HEADERS)
    before = address(request()).headers
    address(request(headers=(("x-team", "images"), ("X-More", "1"))))
    assert before == address(request()).headers
