"""Answer: what the API said, checked and handed to each record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.vector import checked_vector
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate, Packing
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import Member, RenderedRequest
from airflow_provider_openai_dest.sources.field_path import FieldPath

FILE_TYPES = ("application/octet-stream", "application/pdf", "application/zip", "audio/", "image/", "video/")


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """An answer that is a file: bytes on their way to a sink, which puts a path in their place."""

    content: bytes
    content_type: str


def read_outcomes(endpoint: EndpointTemplate, request: RenderedRequest, conclusion: Conclusion) -> list[Outcome]:
    """Give one outcome for each record of a concluded request.

    A 200 answer that can't be read, has the wrong count or index, or says that it failed, is a rejection.
    """
    if conclusion.verdict is not Verdict.DELIVERED or conclusion.response is None:
        status = Status.PENDING if conclusion.exhausted or conclusion.verdict is Verdict.ABORT else Status.REJECTED
        return [_outcome(record, conclusion, status=status, error=conclusion.error) for record in request.records]
    try:
        body = _decoded(endpoint, conclusion.response)
        _refuse_failed(endpoint, body)
        answers = _handed_out(endpoint, request, body)
    except RecordError as error:
        partial = _partial(conclusion.response) if error.code == FAILED_ANSWER else None
        return [
            _outcome(record, conclusion, status=Status.REJECTED, error=error, answer=partial)
            for record in request.records
        ]
    usage = body.get("usage") if isinstance(body, Mapping) else None
    usages = [usage if isinstance(usage, Mapping) else None, *[None] * (len(request.records) - 1)]
    return [
        _outcome(record, conclusion, status=Status.REJECTED, error=answer, usage=usage)
        if isinstance(answer, RecordError)
        else _outcome(record, conclusion, status=Status.DELIVERED, answer=answer, usage=usage)
        for record, answer, usage in zip(request.records, answers, usages, strict=True)
    ]


FAILED_ANSWER = "failed_answer"


def _decoded(endpoint: EndpointTemplate, response: httpx.Response) -> Any:
    if endpoint.answer == "ignored":
        return None
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if endpoint.answer == "file" or (endpoint.answer == "any" and content_type.startswith(FILE_TYPES)):
        return FileAnswer(response.content, content_type)
    if endpoint.answer == "any" and content_type == "text/plain":
        return {"text": _text(response)}
    if endpoint.answer == "any" and not response.content:
        return None
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what = f"{len(response.content)} bytes of {content_type or 'no type'}"
        raise RecordError(
            "bad_answer", f"the answer is not JSON ({what}): {error}", status=response.status_code
        ) from None


def _text(response: httpx.Response) -> str:
    try:
        return response.content.decode()
    except UnicodeDecodeError as error:
        raise RecordError("bad_answer", f"the answer is not UTF-8: {error.reason}") from None


def _refuse_failed(endpoint: EndpointTemplate, body: Any) -> None:
    for path, values in endpoint.failed_when.items():
        try:
            value = FieldPath.parse(path).find(body)
        except LookupError:
            continue
        if value in values:
            raise RecordError(FAILED_ANSWER, f"the answer's {path} is {value!r}{_why(body)}")


def _why(body: Any) -> str:
    for path in ("error.message", "incomplete_details.reason"):
        try:
            return f": {FieldPath.parse(path).find(body)}"
        except LookupError:
            continue
    return ""


def _partial(response: httpx.Response) -> Any:
    return msgspec.json.decode(response.content)


def _handed_out(endpoint: EndpointTemplate, request: RenderedRequest, body: Any) -> list[Any]:
    """Give each record its part of the answer."""
    if request.pack is None or endpoint.packing is None:
        return [body] * len(request.records)
    items = _ordered(_items(body, endpoint.packing), sum(len(member.values) for member in request.pack.members))
    model = body.get("model")
    return list(_parts(request.pack.members, items, endpoint.vector_field, model))


def _items(body: Any, packing: Packing) -> Sequence[Any]:
    items = body.get(packing.response_items) if isinstance(body, Mapping) else None
    if not isinstance(items, list):
        raise RecordError("bad_answer", f"the answer has no list {packing.response_items!r}")
    return items


def _ordered(items: Sequence[Any], count: int) -> list[Any]:
    """Put the items in the order of the values, by their ``index``."""
    if len(items) != count:
        raise RecordError("bad_answer", f"the answer has {len(items)} items for {count} values")
    ordered: list[Any] = [None] * count
    for place, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise RecordError("bad_answer", f"item {place} of the answer is no object")
        index = item.get("index", place)
        if not isinstance(index, int) or not 0 <= index < count or ordered[index] is not None:
            raise RecordError("bad_answer", f"the answer's item {place} has the index {index!r}, wrong or twice")
        ordered[index] = item
    return ordered


def _parts(members: Sequence[Member], items: list[Any], vector_field: str | None, model: Any) -> Iterator[Any]:
    """Give each member its items; a RecordError in the place of the answer that can't be read."""
    start = 0
    for member in members:
        end = start + len(member.values)
        try:
            own = [_checked(item, vector_field) for item in items[start:end]]
        except RecordError as error:
            yield error
        else:
            yield {"model": model, "data": own} if member.is_list else {"model": model, **own[0]}
        start = end


def _checked(item: Mapping[str, Any], vector_field: str | None) -> dict[str, Any]:
    fields = {name: value for name, value in item.items() if name not in ("index", "object")}
    if vector_field is not None:
        fields[vector_field] = checked_vector(fields.get(vector_field))
    return fields


def _outcome(record: Any, conclusion: Conclusion, *, status: Status, **fields: Any) -> Outcome:
    response = conclusion.response
    return Outcome(
        record=record,
        status=status,
        http_status=response.status_code if response is not None else None,
        request_id=response.headers.get("x-request-id") if response is not None else None,
        attempts=conclusion.attempts,
        maybe_billed=conclusion.maybe_billed,
        **fields,
    )
