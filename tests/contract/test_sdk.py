"""What goes over the wire against what the official SDK sends for the same call.

Bodies are made with the ``openai`` package and never leave the process: its client is given a transport that only keeps
what it gets.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest

from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS, find_endpoint
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_range import file_range
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.lines import LinesRenderer
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from airflow_provider_openai_dest.rendering.renderer import Rendered, SingleRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record
from tests.contract.newer_fields import NEWER, NEWER_OPERATIONS
from tests.contract.sdk_calls import FOLDER, FORMS, REQUESTS, for_a_body, for_the_sdk, named
from tests.contract.sdk_methods import LEFT_OUT, SDK_METHODS

openai = pytest.importorskip("openai", reason="the official SDK is not installed")

SDK_S_OWN = {"extra_headers", "extra_query", "extra_body", "timeout"}
METHODS = SDK_METHODS | {endpoint: method for endpoint, method, _ in [*FORMS.values(), *REQUESTS.values()]}

_BOUNDARY = re.compile(r"multipart/form-data; boundary=([0-9a-f]{32})")


@pytest.fixture
def sdk() -> Iterator[tuple[Any, list[httpx.Request]]]:
    """Give the SDK's client, and the list of what it sends."""
    sent: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        request.read()
        sent.append(request)
        return httpx.Response(200, json={"data": []})

    with httpx.Client(transport=httpx.MockTransport(keep)) as client:
        yield (
            openai.OpenAI(
                api_key="made up", admin_api_key="made up", base_url="https://api.openai.com/v1", http_client=client
            ),
            sent,
        )


def _form(endpoint: str) -> RequestForm:
    files = FileReferences([FOLDER], named)
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

    assert our_parts == _parts(theirs.content, theirs.headers["content-type"])


def _in_the_order_of(call: Callable[..., Any], body: dict[str, Any]) -> dict[str, Any]:
    """Give the fields in the order of the SDK's: a form of ours has them in the order in which the body has them."""
    place = {name: place for place, name in enumerate(inspect.signature(call).parameters)}
    return dict(sorted(body.items(), key=lambda field: place[field[0]]))


def _address(url: str) -> tuple[str, list[tuple[str, str]]]:
    """Give path and query as a server reads them: of a value in a path we encode more, such as the colon."""
    path, _, query = url.partition("?")
    return unquote(path), sorted(parse_qsl(query, strict_parsing=bool(query)))


def _json(content: Any) -> Any:
    return json.loads(content) if content else None


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word on translations
@pytest.mark.parametrize(("endpoint", "method", "arguments"), FORMS.values(), ids=list(FORMS))
def test_a_form_is_the_sdk_s(
    endpoint: str, method: str, arguments: dict[str, Any], sdk: tuple[Any, list[httpx.Request]]
) -> None:
    """A form is the SDK's byte for byte: names, brackets, file names, types, values, and the order of it all."""
    client, sent = sdk
    call = attrgetter(method)(client)
    call(**{name: for_the_sdk(argument) for name, argument in arguments.items()})
    body = {name: for_a_body(argument) for name, argument in arguments.items()}

    _same(_rendered(endpoint, _in_the_order_of(call, body)), sent[0])


@pytest.mark.parametrize(("endpoint", "method", "arguments"), REQUESTS.values(), ids=list(REQUESTS))
def test_a_request_is_the_sdk_s(
    endpoint: str, method: str, arguments: dict[str, Any], sdk: tuple[Any, list[httpx.Request]]
) -> None:
    """What is no form has the SDK's method, path, query and JSON body."""
    client, sent = sdk
    attrgetter(method)(client)(**arguments)
    ours, theirs = _rendered(endpoint, arguments), sent[0]

    assert ours.method == theirs.method
    assert ours.content_type == (theirs.headers["content-type"] if theirs.content else None)
    assert _address(ours.url) == _address(str(theirs.url))
    assert _json(ours.content) == _json(theirs.content)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # the SDK's words on what OpenAI will shut down
@pytest.mark.parametrize("endpoint", SDK_METHODS)
def test_the_rest_of_the_catalogue_is_the_sdk_s(endpoint: str, sdk: tuple[Any, list[httpx.Request]]) -> None:
    """With what it must have, each other endpoint has the SDK's method, path, query and JSON body."""
    client, sent = sdk
    needed = dict.fromkeys(find_endpoint(endpoint).required, "x")
    attrgetter(SDK_METHODS[endpoint])(client)(**needed)
    ours, theirs = _rendered(endpoint, needed), sent[0]

    assert (ours.method, ours.url) == (theirs.method, str(theirs.url))
    assert _json(ours.content) == _json(theirs.content)


@pytest.mark.parametrize("endpoint", METHODS)
def test_the_fields_are_the_sdk_s(endpoint: str, sdk: tuple[Any, list[httpx.Request]]) -> None:
    """An endpoint offers the fields of the SDK's method, no other ones, and leaves out only what is told."""
    client, _ = sdk
    template = find_endpoint(endpoint)
    fields = {*inspect.signature(attrgetter(METHODS[endpoint])(client)).parameters} - SDK_S_OWN

    assert {*template.required, *template.optional} == fields - {*LEFT_OUT.get(endpoint, ())}


def test_the_whole_catalogue_is_compared() -> None:
    """There is no endpoint that is not held against the SDK, but for the second form of an edit, which it has not."""
    compared = {
        *SDK_METHODS,
        *NEWER_OPERATIONS,
        *(endpoint for endpoint, _, _ in [*FORMS.values(), *REQUESTS.values()]),
    }

    assert {*ENDPOINTS} - compared == {"create_image_edit_json"}


def test_each_form_of_the_catalogue_is_compared() -> None:
    """There is no endpoint with a form that is not held against the SDK's."""
    forms = {endpoint.name for endpoint in ENDPOINTS.values() if endpoint.content == "multipart"}

    assert forms == {endpoint for endpoint, _, _ in FORMS.values()}


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
