"""Sharing: what came of a request goes to the records whose requests equal it, too. Nothing is sent for those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.verdict import BLAMES_CONTENT
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.duplicates import Claim, Duplicate
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.sources.record import Record

OBJECTS = 3
"""How much larger an answer of many small objects is in memory than on the wire; a vector is one text in both."""

MOST_WAITING = 8192
"""Records that may wait for what comes of an equal one before no more are read."""


class Ending(NamedTuple):
    """What came of a request, without the record: that may be large."""

    status: Status
    answer: Any
    error: RecordError | None
    http_status: int | None
    request_id: str | None


class Sharing:
    """Hands out what came of originals. Used by the event loop.

    ``waiting`` records wait for it; ``settled`` got an answer or a rejection without a request.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.settled = 0

    @property
    def is_full(self) -> bool:
        """Whether no more duplicates should be read."""
        return self.waiting >= MOST_WAITING

    def join(self, duplicate: Duplicate) -> list[Outcome]:
        """Give a duplicate what came of its original; nothing, and it waits, when that has not ended."""
        original = duplicate.original
        if original.end is None:
            original.waiting.append(duplicate.record)
            self.waiting += 1
            return []
        return [self._outcome(duplicate.record, original.end)]

    def ended(self, claim: Claim | None, outcomes: Sequence[Outcome], size: int = 0) -> list[Outcome]:
        """Take what came of a request, and give the outcomes of those that wait for it.

        They get it whatever it is, as if they were in the same pack. What comes later gets answers, and refusals of
        what the request holds.

        :param size: bytes that one answer takes in memory.
        """
        originals = claim.originals.close(claim.keys) if claim else ()
        if claim is None or not any(originals):
            return []
        shared: list[Outcome] = []
        for key, original, outcome in zip(claim.keys, originals, outcomes, strict=True):
            if original is None:
                continue
            original.end = _without_record(outcome)
            shared += [self._outcome(record, original.end) for record in original.waiting]
            self.waiting -= len(original.waiting)
            original.waiting.clear()
            if _holds_again(outcome):
                claim.originals.keep(key, size)
            else:
                claim.originals.forget(key)
        return shared

    def _outcome(self, record: Record, end: Ending) -> Outcome:
        self.settled += end.status is not Status.PENDING
        return Outcome(record=record, **end._asdict())


def size_of(endpoint: EndpointTemplate, request: RenderedRequest, conclusion: Conclusion) -> int:
    """Give about how many bytes the answer for one record takes in memory."""
    if conclusion.response is None:
        return 0
    each = len(conclusion.response.content) // len(request.records)
    return (each if endpoint.vector_field else each * OBJECTS) + _size_of_earlier(request)


def _size_of_earlier(request: RenderedRequest) -> int:
    """Give the bytes of what earlier requests for the same record have brought."""
    portions = request.portions
    return sum(len(str(value)) for item in portions.items for value in item.values()) if portions else 0


def _without_record(outcome: Outcome) -> Ending:
    return Ending(outcome.status, outcome.answer, outcome.error, outcome.http_status, outcome.request_id)


def _holds_again(outcome: Outcome) -> bool:
    """Tell whether the same request would end the same way."""
    is_refused = outcome.status is Status.REJECTED and outcome.http_status in BLAMES_CONTENT
    return outcome.status is Status.DELIVERED or is_refused
