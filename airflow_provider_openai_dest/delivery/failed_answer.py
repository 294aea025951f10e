"""Failed answer: what a 200 answer says of its own failure, by the endpoint's ``failed_when``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.delivery.verdict import MESSAGE_LIMIT
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.field_path import FieldPath

ANY_ITEM = "[*]"
ANYTHING = "*"

# Where an answer says why it failed.
_REASONS = (
    *("error.message", "error", "last_error.message", "errors.data[0].message", "incomplete_details.reason"),
    *("status_details", "output[*].content[*].refusal", "choices[*].message.refusal"),
)


def failure_of(endpoint: EndpointTemplate, body: Any) -> RecordError | None:
    """Give what an answer says of its own failure: by the endpoint's ``failed_when``, or an ``error``."""
    for path, wanted in endpoint.failed_when.items():
        for value in values_at(path, body):
            if value in wanted:
                return RecordError("failed_answer", f"the answer's {path} is {value!r}{_why(body)}")
            if value is not None and ANYTHING in wanted:
                return RecordError("failed_answer", f"the answer has a {path}{_why(body)}")
    if not endpoint.error_is_data and isinstance(body, Mapping) and body.get("error"):
        return RecordError("failed_answer", f"the answer holds an error{_why(body)}")
    return None


def values_at(path: str, body: Any) -> Iterator[Any]:
    """Give every value at a path; ``[*]`` in it is any item of a list, or any field of an object."""
    return _values(_parts(path), body)


def _values(parts: Sequence[FieldPath | None], data: Any) -> Iterator[Any]:
    for place, part in enumerate(parts):
        if part is None:
            for item in _items(data):
                yield from _values(parts[place + 1 :], item)
            return
        try:
            data = part.find(data)
        except LookupError:
            return
    yield data


def _items(data: Any) -> Iterable[Any]:
    if isinstance(data, Mapping):
        return data.values()
    return data if isinstance(data, list) else ()


@cache
def _parts(path: str) -> tuple[FieldPath | None, ...]:
    """Cut a path at its ``[*]``, each of which becomes None."""
    parts: list[FieldPath | None] = []
    for place, piece in enumerate(path.split(ANY_ITEM)):
        if place:
            parts.append(None)
        if piece := piece.removeprefix(".") if place else piece:
            parts.append(FieldPath.parse(piece))
    return tuple(parts)


def _why(body: Any) -> str:
    for path in _REASONS:
        for said in values_at(path, body):
            if said and isinstance(said, str):
                return f": {redact(said[: 4 * MESSAGE_LIMIT])[:MESSAGE_LIMIT]}"
    return ""
