"""A rendered request becomes an HTTP request with the connection's headers."""

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest

from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.delivery.wire import CONNECT_SECONDS
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
    """The key, the organization, and all others."""
    made = ApiAddress(HEADERS, 600)(request(content=b"{}", content_type="application/json"))
    assert ("POST", URL, b"{}") == (made.method, str(made.url), made.content)
    assert HEADERS == {name: made.headers[name] for name in HEADERS}
    assert ("application/json", "2", "api.example") == tuple(
        made.headers[name] for name in ("content-type", "content-length", "host")
    )


@pytest.mark.parametrize("name", ["Authorization", "authorization", "OpenAI-Organization", "openai-PROJECT"])
def test_no_request_replaces_the_account(name: str) -> None:
    """In whatever letters, and there is one such header only."""
    made = ApiAddress(HEADERS, 600)(request(headers=((name, "other"),)))
    assert [value for header, value in HEADERS.items() if header.lower() == name.lower()] == made.headers.get_list(name)


def test_a_request_replaces_other_headers() -> None:
    """A header of the connection is a default."""
    made = ApiAddress(HEADERS, 600)(request(headers=(("x-team", "images"), ("X-More", "1"))))
    assert (["images"], ["1"]) == (made.headers.get_list("x-team"), made.headers.get_list("x-more"))


def test_no_packed_answer_is_asked_for() -> None:
    """Vectors as base64 hardly shrink, and a packed answer may be a bomb."""
    made = ApiAddress({**HEADERS, "Accept-Encoding": "gzip"}, 600)(request())
    assert ["identity"] == made.headers.get_list("accept-encoding")


def test_the_times_are_the_connections() -> None:
    """Connecting has a shorter one, unless the whole is shorter."""
    for timeout, connect in ((600.0, CONNECT_SECONDS), (3.0, 3.0)):
        made = ApiAddress(HEADERS, timeout)(request())
        assert {"connect": connect, "read": timeout, "write": timeout, "pool": timeout} == made.extensions["timeout"]


def test_a_form_is_streamed_and_says_its_length() -> None:
    """It is not chunked, which the API does not take; and each attempt streams it anew."""
    body = MultipartBody({}, [FilePart(name="file", filename="a", size=3, open=lambda: BytesIO(b"abc"))])
    address = ApiAddress(HEADERS, 600)
    for _ in range(2):
        made = address(request(content=body, content_type=body.content_type))
        assert (str(body.length), None) == (made.headers["content-length"], made.headers.get("transfer-encoding"))
        assert body.length == len(asyncio.run(made.aread()))


def test_a_request_without_a_body_has_no_content_type() -> None:
    """A GET carries headers only."""
    made = ApiAddress(HEADERS, 600)(request(method="GET", content=None, content_type=None))
    assert (b"", None) == (made.content, made.headers.get("content-type"))
