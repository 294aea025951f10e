"""Preview: what was sent for a record and what came back, short enough for a person to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from airflow_provider_openai_dest.answers.answer import FileAnswer, ReadOutcomes, read_outcomes
from airflow_provider_openai_dest.answers.sent_body import sent_body
from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.request import RenderedRequest

PREVIEW_FOLDER = "preview"
"""Below the results: a preview is a delivery of its own."""

LONGEST_TEXT = 400
LONGEST_LIST = 20
DEEPEST = 10
"""What is shown of a text, of a list and of lists within lists: vectors and images are long."""

LONGEST_READ = 10_000
"""Characters in which secrets are looked for; a text is cut far before these end."""


class Preview:
    """Looks at the ends of requests.

    :param secrets: what is hidden in them, as is all that has the shape of a secret.
    :param read: gives the outcomes.
    """

    def __init__(self, secrets: Sequence[str], read: ReadOutcomes = read_outcomes) -> None:
        self._secrets = secrets
        self._read = read
        self._shown: dict[int, dict[str, Any]] = {}

    def read(self, endpoint: EndpointTemplate, request: RenderedRequest, conclusion: Conclusion) -> list[Outcome]:
        """Give the outcomes of a request, and remember what they look like."""
        outcomes = self._read(endpoint, request, conclusion)
        for place, outcome in enumerate(outcomes):
            self._shown[outcome.record.position] = self._view(sent_body(endpoint, request, place), request, outcome)
        return outcomes

    def shown(self, most_bytes: int) -> list[dict[str, Any]]:
        """Give the views in the order of the input, as many as have room in so many bytes of JSON."""
        views: list[dict[str, Any]] = []
        for _, view in sorted(self._shown.items()):
            most_bytes -= len(encode_json(view))
            if most_bytes < 0:
                break
            views.append(view)
        return views

    def _view(self, body: str, request: RenderedRequest, outcome: Outcome) -> dict[str, Any]:
        answer = outcome.answer
        if isinstance(answer, FileAnswer):
            answer = f"{len(answer.content):,} bytes of {answer.content_type}"
        view = {
            "key": outcome.record.key,
            "position": outcome.record.position,
            "status": outcome.status.value,
            "request": {"method": request.method, "url": request.url, "body": _as_json(redact(body, self._secrets))},
            "answer": answer,
            "error": outcome.error.as_row() if outcome.error else None,
            "usage": outcome.usage,
        }
        shown: dict[str, Any] = shortened(view, self._secrets)
        return shown


def shortened(value: Any, secrets: Sequence[str] = (), *, depth: int = DEEPEST) -> Any:
    """Give a JSON value with what is long cut, and what is secret hidden, before it is cut."""
    if isinstance(value, str):
        return _cut(value, secrets)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if not depth:
        return "..."
    if isinstance(value, Mapping):
        return {_cut(key, secrets): shortened(item, secrets, depth=depth - 1) for key, item in value.items()}
    items = [shortened(item, secrets, depth=depth - 1) for item in value[:LONGEST_LIST]]
    return items if len(value) <= LONGEST_LIST else [*items, f"... ({len(value):,} items)"]


def _cut(text: str, secrets: Sequence[str]) -> str:
    shown = redact(text[:LONGEST_READ], secrets)
    return shown if len(shown) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}... ({len(text):,} characters)"


def _as_json(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body
