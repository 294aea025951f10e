"""What all wires share, secrets that are cut out; and forms that are streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from airflow_provider_openai_dest.wire.aiohttp_wire import streamed
from airflow_provider_openai_dest.wire.wire import (
    NoAnswerError,
    Secrets,
    UnreadableBodyError,
    WireReply,
    reason_of,
)

KEY = "gateway-0123456789"


def test_a_secret_is_cut_out_of_a_body() -> None:
    """As often as it stands there; what is short is left, since it may be a part of any word."""
    content = f"no key {KEY}{KEY}, user s3cret".encode()
    assert b"no key ******, user s3cret" == Secrets((KEY, "s3cret", "")).cut_from_content(content)


@pytest.mark.parametrize(
    "echo",
    [
        'a/b+c=d"e.0',
        "a%2Fb%2Bc%3Dd%22e.0",
        "a/b%2Bc%3Dd%22e.0",
        'a/b+c=d\\"e.0',
        'a\\/b+c=d\\"e.0',
        'a\\\\/b+c=d\\\\"e.0',
    ],
)
def test_a_secret_is_cut_out_in_each_spelling(echo: str) -> None:
    """Plain, percent-encoded as in a page's links, and JSON-escaped, also as PHP does, and in a ``repr``."""
    secrets = Secrets(('a/b+c=d"e.0',))
    assert (b"no ***.", "no ***.") == (
        secrets.cut_from_content(f"no {echo}.".encode()),
        secrets.cut_from_text(f"no {echo}."),
    )


def test_a_body_without_a_secret_is_not_copied() -> None:
    """It may be large."""
    content = b"{}" * 100
    assert content is Secrets((KEY,)).cut_from_content(content)


@pytest.mark.parametrize("name", ["X-Request-Id", "x-request-id"])
def test_a_secret_is_cut_out_of_headers(name: str) -> None:
    """The others stay as they are; all have lower-case names then."""
    headers = httpx.Headers({name: f"r {KEY}", "X-Other": "1"})
    assert {"x-request-id": "r ***", "x-other": "1"} == dict(Secrets((KEY,)).cut_from_headers(headers))


@pytest.mark.parametrize("secrets", [(), (KEY,), ("1",)])
def test_headers_without_a_secret_are_not_copied(secrets: tuple[str, ...]) -> None:
    """Each record would pay for it."""
    headers = {"x-other": "1"}
    assert headers is Secrets(secrets).cut_from_headers(headers)


@pytest.mark.parametrize(("status", "is_success"), [(199, False), (200, True), (299, True), (300, False), (500, False)])
def test_a_success_is_a_2xx(status: int, is_success: bool) -> None:  # noqa: FBT001
    """Nothing else."""
    assert is_success is WireReply(status, {}, b"").is_success


def test_a_reason_has_the_kind_of_the_error() -> None:
    """Some have no other words."""
    assert ("OSError: no route", "TimeoutError") == (reason_of(OSError("no route")), reason_of(TimeoutError()))


def multipart(path: Path, size: int) -> MultipartBody:
    """Give a form with one file."""
    return MultipartBody(
        {"purpose": "batch"}, [FilePart(name="file", filename="a", size=size, open=lambda: path.open("rb"))]
    )


async def collected(body: MultipartBody) -> bytes:
    """Read a form as a wire does."""
    return b"".join([piece async for piece in streamed(body)])


def test_a_form_is_streamed_as_it_is(tmp_path: Path) -> None:
    """Byte for byte, and again for a second attempt."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    body = multipart(tmp_path / "a", 3_000_000)
    first = asyncio.run(collected(body))
    assert (body.length, b"".join(body)) == (len(first), first)
    assert first == asyncio.run(collected(body))


def test_an_empty_piece_does_not_end_a_form() -> None:
    """A body without fields begins with nothing, and goes on."""

    class Pieces(MultipartBody):
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"", b"a", b"", b"b"])

    assert asyncio.run(collected(Pieces({}, []))) == b"ab"


@pytest.mark.parametrize("content", [None, b"short"], ids=["gone", "shorter than it was"])
def test_a_file_that_can_not_be_read_is_no_lost_answer(tmp_path: Path, content: bytes | None) -> None:
    """The request never left whole, so nothing can have been billed."""
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(UnreadableBodyError, match="can't read the file") as raised:
        asyncio.run(collected(multipart(tmp_path / "a", 100)))
    assert (True, False) == (isinstance(raised.value, NoAnswerError), raised.value.left)
