"""What goes over the wire against what the official SDK sends for the same call.

Bodies are made with the ``openai`` package and never leave the process: its client is given a transport that only keeps
what it gets.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_range import file_range
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.lines import LinesRenderer
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from airflow_provider_openai_dest.rendering.renderer import Rendered, RequestForm, SingleRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.sources.record import Record
from tests.contract.newer_fields import NEWER, NEWER_OPERATIONS

openai = pytest.importorskip("openai", reason="the official SDK is not installed")

FOLDER = "/data"
FILES = {"a.png": b"PNG a", "b.png": b"PNG b", "m.png": b"PNG mask", "a.mp3": b"MP3"}

SDK_S_OWN = {"extra_headers", "extra_query", "extra_body", "timeout"}

_BOUNDARY = re.compile(r"multipart/form-data; boundary=([0-9a-f]{32})")


@dataclass(frozen=True)
class MemoryFile:
    """A file of :data:`FILES`."""

    name: str
    st_mode: int = 0

    @property
    def st_size(self) -> int:
        """Give the size, as a stat does."""
        return len(FILES[self.name])

    def stat(self) -> MemoryFile:
        """Give mode and size."""
        return self

    def open(self, mode: str = "rb", /) -> Any:
        """Open the file."""
        return BytesIO(FILES[self.name])


@pytest.fixture
def sdk() -> Iterator[tuple[Any, list[httpx.Request]]]:
    """Give the SDK's client, and the list of what it sends."""
    sent: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        request.read()
        sent.append(request)
        return httpx.Response(200, json={"data": []})

    with httpx.Client(transport=httpx.MockTransport(keep)) as client:
        yield openai.OpenAI(api_key="made up", base_url="https://api.openai.com/v1", http_client=client), sent


def _form(endpoint: str) -> RequestForm:
    files = FileReferences([FOLDER], lambda uri: MemoryFile(Path(uri).name))
    return RequestForm(find_endpoint(endpoint), base_url="https://api.openai.com/v1", files=files)


def _rendered(endpoint: str, body: dict[str, Any]) -> RenderedRequest:
    return _only(SingleRenderer(_form(endpoint), BodyTemplate(body)).render([Record(key="0", position=0, data={})]))


def _only(rendered: Iterator[Rendered]) -> RenderedRequest:
    (request,) = rendered
    assert isinstance(request, RenderedRequest)
    return request


def _parts(content: bytes, content_type: str) -> list[bytes]:
    """Give the parts of a form, headers and content, byte for byte."""
    match = _BOUNDARY.fullmatch(content_type)
    assert match is not None
    start, *parts, end = content.split(f"--{match[1]}".encode())
    assert (start, end) == (b"", b"--\r\n")
    return parts


def _same(ours: RenderedRequest, theirs: httpx.Request) -> None:
    assert (ours.method, ours.url) == (theirs.method, str(theirs.url))
    assert isinstance(ours.content, MultipartBody)
    our_parts = _parts(b"".join(ours.content), ours.content.content_type)
    their_parts = _parts(theirs.content, theirs.headers["content-type"])

    assert _files_of(our_parts) == _files_of(their_parts) == our_parts[-len(_files_of(our_parts)) :]
    assert sorted(our_parts) == sorted(their_parts)


def _files_of(parts: list[bytes]) -> list[bytes]:
    return [part for part in parts if b"; filename=" in part.partition(b"\r\n\r\n")[0]]


UPLOADS: dict[str, tuple[str, dict[str, Any], Callable[[Any], Any]]] = {
    "an image of one": (
        "create_image_edit",
        {"model": "m", "prompt": "p", "image": f"{FOLDER}/a.png", "n": 2},
        lambda sdk: sdk.images.edit(model="m", prompt="p", image=("a.png", FILES["a.png"]), n=2),
    ),
    "an image of two, with a mask": (
        "create_image_edit",
        {"model": "m", "prompt": "p", "image": [f"{FOLDER}/a.png", f"{FOLDER}/b.png"], "mask": f"{FOLDER}/m.png"},
        lambda sdk: sdk.images.edit(
            model="m",
            prompt="p",
            image=[("a.png", FILES["a.png"]), ("b.png", FILES["b.png"])],
            mask=("m.png", FILES["m.png"]),
        ),
    ),
    "an image with markup, as an animation": (
        "create_image_edit",
        {
            "model": "m",
            "prompt": "p",
            "image": f"{FOLDER}/a.png",
            "markup": f"{FOLDER}/m.png",
            "output_format": "gif",
            "frame_count": 4,
            "svg": {"model": "m", "reasoning": {"effort": "low"}},
        },
        lambda sdk: sdk.images.edit(
            model="m",
            prompt="p",
            image=("a.png", FILES["a.png"]),
            markup=("m.png", FILES["m.png"]),
            output_format="gif",
            frame_count=4,
            svg={"model": "m", "reasoning": {"effort": "low"}},
        ),
    ),
    "a list of one image": (
        "create_image_edit",
        {"model": "m", "prompt": "p", "image": [f"{FOLDER}/a.png"]},
        lambda sdk: sdk.images.edit(model="m", prompt="p", image=[("a.png", FILES["a.png"])]),
    ),
    "a transcription with lists and an object": (
        "create_transcription",
        {
            "model": "m",
            "file": f"{FOLDER}/a.mp3",
            "temperature": 0.5,
            "include": ["logprobs"],
            "timestamp_granularities": ["word", "segment"],
            "chunking_strategy": {"type": "server_vad", "threshold": 0.5},
        },
        lambda sdk: sdk.audio.transcriptions.create(
            model="m",
            file=("a.mp3", FILES["a.mp3"]),
            temperature=0.5,
            include=["logprobs"],
            timestamp_granularities=["word", "segment"],
            chunking_strategy={"type": "server_vad", "threshold": 0.5},
        ),
    ),
}


@pytest.mark.parametrize(("endpoint", "body", "call"), UPLOADS.values(), ids=list(UPLOADS))
def test_a_form_is_the_sdk_s(
    endpoint: str, body: dict[str, Any], call: Callable[[Any], Any], sdk: tuple[Any, list[httpx.Request]]
) -> None:
    """Names, brackets, file names, content types and order of files are those of the SDK, byte for byte."""
    client, sent = sdk
    call(client)

    _same(_rendered(endpoint, body), sent[0])


def test_a_file_of_records_is_the_sdk_s(sdk: tuple[Any, list[httpx.Request]]) -> None:
    """Records sent as a JSON Lines file, with an expiry, are the form that the SDK sends for such a file."""
    client, sent = sdk
    fields = {"purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 3600}}
    client.files.create(file=("records.jsonl", b'{"a":1}\n'), **fields)
    renderer = LinesRenderer(_form("upload_file"), line=BodyTemplate(), fields=fields)

    _same(_only(renderer.render([Record(key="0", position=0, data={"a": 1})])), sent[0])


def test_a_part_of_an_upload_is_the_sdk_s(sdk: tuple[Any, list[httpx.Request]]) -> None:
    """A part has the form, the name and the type that the SDK gives it."""
    client, sent = sdk
    client.uploads.parts.create("upload_1", data=b"bcd")
    whole = FilePart(name="file", filename="a.bin", size=5, open=lambda: BytesIO(b"abcde"))
    part = file_range(whole, 1, 3, name="data", filename="upload", piece_bytes=2)
    records = (Record(key="0", position=0, data=None),)

    _same(_form("add_upload_part").request(records, {"upload_id": "upload_1"}, files=[part]), sent[0])


def test_a_query_is_the_sdk_s(sdk: tuple[Any, list[httpx.Request]]) -> None:
    """Fields of a request without a body make the query that the SDK makes."""
    client, sent = sdk
    client.responses.retrieve("resp_1", include=["message.output_text.logprobs", "file_search_call.results"])
    body = {"response_id": "resp_1", "include": ["message.output_text.logprobs", "file_search_call.results"]}

    assert str(sent[0].url) == _rendered("retrieve_response", body).url


@pytest.mark.parametrize("endpoint", NEWER)
def test_newer_fields_are_the_sdk_s(endpoint: str) -> None:
    """What is offered though the specification does not have it, the SDK has."""
    path, fields = NEWER[endpoint]
    module, _, name = path.rpartition(".")
    parameters = getattr(import_module(f"openai.types.{module}"), name)

    assert {*fields} <= {*parameters.__annotations__}
    assert {*fields} <= {*find_endpoint(endpoint).optional}


@pytest.mark.parametrize("endpoint", NEWER_OPERATIONS)
def test_newer_operations_are_the_sdk_s(endpoint: str, sdk: tuple[Any, list[httpx.Request]]) -> None:
    """An operation that the specification does not have is sent as the SDK sends it, with just the SDK's fields."""
    client, sent = sdk
    template = find_endpoint(endpoint)
    call = attrgetter(NEWER_OPERATIONS[endpoint])(client)
    call(**dict.fromkeys(template.required, "x"))
    ours = _rendered(endpoint, dict.fromkeys(template.required, "x"))
    fields = {name: field for name, field in inspect.signature(call).parameters.items() if name not in SDK_S_OWN}

    assert (ours.method, ours.url) == (sent[0].method, str(sent[0].url))
    assert {*fields} == {*template.required, *template.optional}
    assert {name for name, field in fields.items() if field.default is field.empty} == {*template.required}
