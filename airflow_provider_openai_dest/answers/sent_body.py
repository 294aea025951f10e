"""Sent body: what the API refused, as a text without secrets, for a quarantine that is to show it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from airflow_provider_openai_dest.answers.answer import ReadOutcomes, read_outcomes
from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.packing import packed_body
from airflow_provider_openai_dest.rendering.request import Pack, RenderedRequest


def with_bodies(secrets: Sequence[str], read_whole: ReadOutcomes = read_outcomes) -> ReadOutcomes:
    """Give a reader of outcomes that adds to each rejected one the body that was sent for it.

    :param secrets: what is hidden in it, as is all that has the shape of a secret.
    :param read_whole: gives the outcomes.
    """

    def read(endpoint: EndpointTemplate, request: RenderedRequest, conclusion: Conclusion) -> list[Outcome]:
        return [
            replace(outcome, body=redact(sent_body(endpoint, request, place), secrets))
            if outcome.status is Status.REJECTED
            else outcome
            for place, outcome in enumerate(read_whole(endpoint, request, conclusion))
        ]

    return read


def sent_body(endpoint: EndpointTemplate, request: RenderedRequest, place: int) -> str:
    """Give the body: of several records that share a request, this one's alone; of a form with files, no content."""
    if request.pack is not None and endpoint.packing is not None:
        alone = Pack(rest=request.pack.rest, members=(request.pack.members[place],))
        return encode_json(packed_body(alone, endpoint.packing)).decode()
    if isinstance(request.content, bytes):
        return request.content.decode(errors="replace")
    return "" if request.content is None else request.content.preamble().decode(errors="replace")
