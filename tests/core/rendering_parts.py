"""What tests of rendering share: records, forms, and readers of what was rendered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any

from python_multipart import parse_form

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from airflow_provider_openai_dest.rendering.renderer import Rendered
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record

BASE_URL = "https://api.openai.com/v1"

FAULT = RecordError("broken_line", "line 3: not JSON")


def records(*data: Any) -> list[Record]:
    """Give a record for each value, known by its position; a RecordError in place of a value is the record's fault."""
    return [
        Record(key=str(position), position=position, data=None, fault=value)
        if isinstance(value, RecordError)
        else Record(key=str(position), position=position, data=value)
        for position, value in enumerate(data)
    ]


def form(endpoint: str | EndpointTemplate, **keywords: Any) -> RequestForm:
    """Give the fixed parts of an endpoint's requests."""
    return RequestForm(find_endpoint(endpoint), base_url=BASE_URL, **keywords)


def only_request(rendered: Iterable[Rendered]) -> RenderedRequest:
    """Give the one request that was rendered."""
    (request,) = rendered
    assert isinstance(request, RenderedRequest)
    return request


def only_error(rendered: Iterable[Rendered]) -> RecordError:
    """Give the error of the one record that was refused."""
    (refused,) = rendered
    assert isinstance(refused, RefusedRecord)
    return refused.error


def json_of(request: RenderedRequest) -> Any:
    """Read a JSON body."""
    assert request.content_type == "application/json"
    assert isinstance(request.content, bytes)
    return json.loads(request.content)


def keys_of(rendered: Iterable[Rendered]) -> Iterator[str]:
    """Give the key of every record that came out, in a request or refused."""
    for item in rendered:
        if isinstance(item, RefusedRecord):
            yield item.record.key
        else:
            yield from (record.key for record in item.records)


def file_part(name: str, filename: str, content: bytes) -> FilePart:
    """Give a file of a form that holds ``content``."""
    return FilePart(name=name, filename=filename, size=len(content), open=lambda: BytesIO(content))


def parts_of(body: Any) -> list[tuple[str, str | None, bytes]]:
    """Read a form as a server does: name, file name (None for a field) and content of each part."""
    assert isinstance(body, MultipartBody)
    return parsed_form(b"".join(body), body.content_type)


def parsed_form(content: bytes, content_type: str) -> list[tuple[str, str | None, bytes]]:
    """Read the bytes of a form with python-multipart, the parser of FastAPI."""
    parts: list[tuple[str, str | None, bytes]] = []

    def on_field(field: Any) -> None:
        parts.append((field.field_name.decode(), None, field.value or b""))

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        parts.append((file.field_name.decode(), file.file_name.decode(), file.file_object.read()))

    headers: Mapping[str, Any] = {"Content-Type": content_type.encode(), "Content-Length": str(len(content)).encode()}
    parse_form(dict(headers), BytesIO(content), on_field, on_file)
    return parts
