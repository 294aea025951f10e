"""Failed answer: what a 200 answer says of its own failure, by the endpoint's ``failed_when``."""

from __future__ import annotations

from collections.abc import Sequence
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
            if value not in (None, "") and ANYTHING in wanted:
                return RecordError("failed_answer", f"the answer has a {path}{_why(body)}")
    if not endpoint.error_is_data and isinstance(body, dict) and body.get("error"):
        return RecordError("failed_answer", f"the answer holds an error{_why(body)}")
    return None


def values_at(path: str, body: Any) -> list[Any]:
    """Give every value at a path of read JSON; ``[*]`` in it is any item of a list, or any field of an object."""
    found: list[Any] = []
    _collect(_steps(path), body, found)
    return found


def _collect(steps: Sequence[str | int | None], data: Any, found: list[Any]) -> None:
    """Put what is at the end of the steps into ``found``; the step None leads to every item."""
    for place, step in enumerate(steps):
        if step is None:
            for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
                _collect(steps[place + 1 :], item, found)
            return
        if isinstance(data, str):  # a list of letters, for Python
            return
        try:
            data = data[step]
        except (LookupError, TypeError):
            return
    found.append(data)


@cache
def _steps(path: str) -> tuple[str | int | None, ...]:
    """Read a path; ``[*]`` becomes None."""
    steps: list[str | int | None] = []
    for place, piece in enumerate(path.split(ANY_ITEM)):
        if place:
            steps.append(None)
        if inner := piece.removeprefix(".") if place else piece:
            steps += FieldPath.parse(inner).steps
    return tuple(steps)


def _why(body: Any) -> str:
    for path in _REASONS:
        for said in values_at(path, body):
            if said and isinstance(said, str):
                return f": {redact(said[: 4 * MESSAGE_LIMIT])[:MESSAGE_LIMIT]}"
    return ""
