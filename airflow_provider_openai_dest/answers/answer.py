"""Answer: what the API said, checked and handed to each record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_provider_openai_dest.answers.failed_answer import failure_of
from airflow_provider_openai_dest.answers.joining import joined, with_earlier
from airflow_provider_openai_dest.answers.nesting import DEEPEST, is_too_deep
from airflow_provider_openai_dest.answers.vector import checked_vector
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate, Packing
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import Member, RenderedRequest
from airflow_provider_openai_dest.wire.wire import Reply

FILE_TYPES = ("application/octet-stream", "application/pdf", "application/zip", "audio/", "image/", "video/")
TEXT_TYPES = ("application/sdp", "application/x-subrip", "text/csv", "text/plain", "text/srt", "text/vtt")
LONGEST_TYPE = 100


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """An answer that is a file: bytes on their way to a sink, which puts a path in their place."""

    content: bytes
    content_type: str


ReadOutcomes = Callable[[EndpointTemplate, RenderedRequest, Conclusion], list[Outcome]]


def read_outcomes(endpoint: EndpointTemplate, request: RenderedRequest, conclusion: Conclusion) -> list[Outcome]:
    """Give one outcome for each record of a concluded request.

    A 200 answer that can't be read, has the wrong count or index, or says that it failed, is a rejection. The usage of
    a request stands on its first record, whatever became of it.
    """
    if conclusion.verdict is not Verdict.DELIVERED or conclusion.response is None:
        return _without_answer(request, conclusion)
    answers, usage = _read_answer(endpoint, request, conclusion.response)
    usage = with_earlier(usage, request)
    usages = [usage, *[None] * (len(request.records) - 1)]
    return [
        _outcome(record, conclusion, status=Status.REJECTED, error=answer.error, answer=answer.part, usage=usage)
        if isinstance(answer, _Refusal)
        else _outcome(record, conclusion, status=Status.DELIVERED, answer=answer, usage=usage)
        for record, answer, usage in zip(request.records, answers, usages, strict=True)
    ]


def _without_answer(request: RenderedRequest, conclusion: Conclusion) -> list[Outcome]:
    """Give the outcomes where no answer came; what earlier requests for the record used was paid all the same.

    A record that is left may be billed for these again, unless what came of them is kept for the next try.
    """
    status = Status.PENDING if conclusion.is_open else Status.REJECTED
    outcomes = [_outcome(record, conclusion, status=status, error=conclusion.error) for record in request.records]
    if usage := with_earlier(None, request):
        is_left = status is Status.PENDING and not (request.portions and request.portions.is_kept)
        outcomes[0] = replace(outcomes[0], usage=usage, maybe_billed=outcomes[0].maybe_billed or is_left)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What stands in the place of an answer that is none; ``part`` is as much as the API gave before it failed."""

    error: RecordError
    part: Any = None


def _read_answer(
    endpoint: EndpointTemplate, request: RenderedRequest, response: Reply
) -> tuple[list[Any], Mapping[str, Any] | None]:
    """Give each record its answer or a :class:`_Refusal`, and the usage of the whole request."""
    usage = None
    try:
        body = _decoded(endpoint, response)
        usage = _usage(endpoint, body)
        failure = failure_of(endpoint, body)
        if failure is not None:
            part = None if is_too_deep(body) else body
            return [_Refusal(failure, part)] * len(request.records), usage
        return _handed_out(endpoint, request, body), usage
    except RecordError as error:
        return [_Refusal(error)] * len(request.records), usage


def _decoded(endpoint: EndpointTemplate, response: Reply) -> Any:
    if endpoint.answer == "ignored":
        return None
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()[:LONGEST_TYPE]
    if endpoint.answer == "file" and content_type == "text/html":
        raise RecordError("bad_answer", "the answer is an HTML page and no file", status=response.status_code)
    if endpoint.answer == "any" and not response.content:
        return None
    if endpoint.answer == "file" or (endpoint.answer == "any" and content_type.startswith(FILE_TYPES)):
        return FileAnswer(response.content, content_type)
    if endpoint.answer == "any" and content_type in TEXT_TYPES:
        return {"text": _text(response)}
    body = _json(response, content_type)
    if endpoint.answer == "json" and not isinstance(body, dict):
        raise RecordError("bad_answer", f"the answer is no JSON object, but a {type(body).__name__}")
    return body


def _json(response: Reply, content_type: str) -> Any:
    try:
        return _decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what = f"{len(response.content)} bytes of {content_type or 'no type'}"
        raise RecordError(
            "bad_answer", f"the answer is not JSON ({what}): {error}", status=response.status_code
        ) from None


_decode = msgspec.json.Decoder().decode


def _text(response: Reply) -> str:
    try:
        return response.content.decode()
    except UnicodeDecodeError as error:
        raise RecordError("bad_answer", f"the answer is not UTF-8: {error.reason}") from None


def _usage(endpoint: EndpointTemplate, body: Any) -> Mapping[str, Any] | None:
    """Give the usage object; only an operation that nobody has declared may mean something else by the name."""
    usage = body.get("usage") if isinstance(body, dict) else None
    if isinstance(usage, dict) and not is_too_deep(usage):
        return usage
    if usage is not None and endpoint.answer == "json":
        raise RecordError("bad_answer", "the answer's usage is no object of numbers")
    return None


def _handed_out(endpoint: EndpointTemplate, request: RenderedRequest, body: Any) -> list[Any]:
    """Give each record its part of the answer, or a :class:`_Refusal` where that part can't be read."""
    if request.pack is None or endpoint.packing is None:
        return [_writable(body)] * len(request.records)
    items = _ordered(_items(body, endpoint.packing), sum(len(member.values) for member in request.pack.members))
    length = request.pack.rest.get(endpoint.vector_length_field or "")
    check = partial(_checked, vector_field=endpoint.vector_field, length=length if isinstance(length, int) else None)
    return list(_parts(request.pack.members, items, check, body.get("model"), endpoint.vector_field or ""))


def _writable(answer: Any) -> Any:
    if is_too_deep(answer):
        raise RecordError("bad_answer", f"the answer is nested more than {DEEPEST} deep")
    return answer


def _items(body: Any, packing: Packing) -> Sequence[Any]:
    items = body.get(packing.response_items) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise RecordError("bad_answer", f"the answer has no list {packing.response_items!r}")
    return items


def _ordered(items: Sequence[Any], count: int) -> list[Any]:
    """Put the items in the order of the values, by their ``index``."""
    if len(items) != count:
        raise RecordError("bad_answer", f"the answer has {len(items)} items for {count} values")
    ordered: list[Any] = [None] * count
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise RecordError("bad_answer", f"item {place} of the answer is no object")
        index = item.get("index", place)
        if type(index) is not int or not 0 <= index < count or ordered[index] is not None:  # True is no place
            raise RecordError("bad_answer", f"item {place} of the answer has a wrong index, or one that came before")
        ordered[index] = item
    return ordered


def _parts(
    members: Sequence[Member],
    items: list[Any],
    check: Callable[[dict[str, Any]], dict[str, Any]],
    model: Any,
    vector_field: str,
) -> Iterator[Any]:
    start = 0
    for member in members:
        end = start + len(member.values)
        try:
            own = [check(item) for item in items[start:end]]
            if member.portions is not None:
                own = joined(member.portions, own, vector_field)
            is_list = member.is_list or (member.portions is not None and member.portions.later is not None)
            yield _writable({"model": model, "data": own} if is_list else {"model": model, **own[0]})
        except RecordError as error:
            yield _Refusal(error)
        start = end


def _checked(item: dict[str, Any], vector_field: str | None, length: int | None) -> dict[str, Any]:
    """Check an item, which nobody else holds, and take from it what tells nothing."""
    item.pop("index", None)
    item.pop("object", None)
    if vector_field is not None:
        item[vector_field] = checked_vector(item.get(vector_field), length)
    return item


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
