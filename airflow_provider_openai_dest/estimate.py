"""Estimate: what a delivery would send and cost, told by reading and rendering all of it, and sending nothing.

    Source -> Renderer -> counts

A record that would be rejected before it is sent is found here as well, for the renderer is the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.manifest import LONGEST_TEXT, Tally
from airflow_provider_openai_dest.prices import DECIMALS, PriceList, TokenCounts
from airflow_provider_openai_dest.rendering.duplicates import Claim, Duplicate
from airflow_provider_openai_dest.rendering.input_tokens import input_tokens
from airflow_provider_openai_dest.rendering.renderer import Rendered, Renderer
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.sources.record import Source

Number = TypeVar("Number", int, float)

FIRST_REJECTED = 10
"""Rejected records that are named."""

ANSWER_BYTES = 8192
"""What an answer is taken to need where it is kept for equal requests, as a vector of 1,536 numbers does."""


@dataclass(kw_only=True)
class Estimate:
    """What would be sent: the words of a manifest, so that ``delivered + rejected + pending == input`` holds.

    ``pending`` records would be sent in ``requests`` requests, the ``deduplicated`` ones without one of their own.
    ``input_tokens`` are those of the texts; ``are_counted`` tells that they were counted by the model's vocabulary.
    ``most_tokens`` adds what the bodies let the answers have. ``cost_input`` and ``most_cost`` are what these cost in
    US dollars, without tools, images and sound. Each is None where it can't be known.
    """

    endpoint: str
    estimate_only: bool = True
    input: int = 0
    delivered: int = 0
    rejected: int = 0
    pending: int = 0
    deduplicated: int = 0
    requests: int = 0
    input_tokens: int | None = 0
    are_counted: bool = True
    most_tokens: int | None = 0
    cost_input: float | None = 0.0
    most_cost: float | None = 0.0
    rejections: list[dict[str, Any]] = field(default_factory=list)
    first_rejected: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def estimate(endpoint: EndpointTemplate, renderer: Renderer, source: Source, prices: PriceList | None) -> Estimate:
    """Read and render every record, and add up what sending them would use.

    :param prices: what tokens cost; None where nobody knows.
    """
    started = time.monotonic()
    adding = _Adding(Estimate(endpoint=endpoint.name), prices)
    for item in renderer.render(source):
        adding.add(item)
    found = adding.ended()
    found.seconds = round(time.monotonic() - started, 3)
    return found


class _Adding:
    """Adds up what a renderer gives."""

    def __init__(self, found: Estimate, prices: PriceList | None) -> None:
        self._found = found
        self._prices = prices
        self._tally = Tally(max_inline_bytes=-1)

    def add(self, item: Rendered) -> None:
        if isinstance(item, RenderedRequest):
            self._found.pending += len(item.records)
            self._add_request(item)
            _end(item.claim)
        elif isinstance(item, Duplicate):
            self._found.pending += 1
            self._found.deduplicated += 1
        else:
            self._add_refused(item)
            _end(item.claim)

    def ended(self) -> Estimate:
        found = self._found
        found.rejected = self._tally.rejected
        found.input = found.rejected + found.pending
        found.rejections = self._tally.manifest(found.endpoint).rejections
        found.are_counted = found.are_counted and bool(found.input_tokens)
        return found

    def _add_refused(self, refused: RefusedRecord) -> None:
        self._tally.add(Outcome(record=refused.record, status=Status.REJECTED, error=refused.error))
        if len(self._found.first_rejected) < FIRST_REJECTED:
            what = {"code": refused.error.code, "message": refused.error.message[:LONGEST_TEXT]}
            place = {"key": refused.record.key[:LONGEST_TEXT], "position": refused.record.position}
            self._found.first_rejected.append(place | what)

    def _add_request(self, request: RenderedRequest) -> None:
        """Count a request and those that follow it for the same record."""
        following: RenderedRequest | None = request
        while following is not None:
            self._found.requests += 1
            self._add_tokens(following)
            following = following.following((), None, None) if following.following else None

    def _add_tokens(self, request: RenderedRequest) -> None:
        found, counted = self._found, input_tokens(request)
        tokens, is_counted = counted or (None, False)
        found.are_counted = found.are_counted and is_counted
        price = self._prices.of(request.model) if self._prices else None
        sent = None if price is None or tokens is None else price.cost(TokenCounts(input=tokens))
        made = request.output_tokens
        if made is None and price is not None and price.is_input_alone:
            made = 0
        most = None
        if price is not None and tokens is not None and made is not None:
            most = price.cost(TokenCounts(input=tokens, output=made))
        found.input_tokens = _sum(found.input_tokens, tokens)
        found.most_tokens = _sum(found.most_tokens, None if tokens is None or made is None else tokens + made)
        found.cost_input = _rounded(_sum(found.cost_input, sent))
        found.most_cost = _rounded(_sum(found.most_cost, most))


def _sum(total: Number | None, more: Number | None) -> Number | None:
    """Add what may be unknown: the sum is unknown then."""
    return None if total is None or more is None else total + more


def _rounded(dollars: float | None) -> float | None:
    return None if dollars is None else round(dollars, DECIMALS)


def _end(claim: Claim | None) -> None:
    """Let equal requests that come later find this one, as if it had been answered."""
    if claim is None:
        return
    for key, original in zip(claim.keys, claim.originals.close(claim.keys), strict=True):
        if original is not None:
            original.end = True
            claim.originals.keep(key, ANSWER_BYTES)
