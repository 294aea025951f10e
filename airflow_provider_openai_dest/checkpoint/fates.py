"""Fates: what may have been billed without an outcome, in this try and in those before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.checkpoint.claims import Claimed, Claims
from airflow_provider_openai_dest.checkpoint.portion_log import PortionLog
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.rendering.renderer import Rendered
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.sources.record import Record


class Fates:
    """Claims what is about to be sent, and marks outcomes whose records may have been billed before.

    :param claims: where this try claims; None claims nothing.
    :param claimed: what earlier tries may have sent.
    :param portions: what they have paid of records that take several requests; None when nothing is kept of it.
    """

    def __init__(
        self, claims: Claims | None = None, claimed: Claimed | None = None, portions: PortionLog | None = None
    ) -> None:
        self._claims = claims
        self._portions = portions
        self.claimed = Claimed() if claimed is None else claimed
        self._billed_whole = set[int]()
        self._lost: list[int] = []

    def begun(self, settled: SettledRecords) -> list[tuple[Mapping[str, Any], float]]:
        """Give usage and dollars of what was paid for records that are not settled, before any is rendered.

        Raises TransientError when it can't be read.
        """
        return self._portions.recall(settled) if self._portions else []

    def claiming(self, items: Iterator[Rendered]) -> Iterator[Rendered]:
        """Give the items, each claimed before it may be sent. Raises SinkError."""
        for item in items:
            if self._claims and isinstance(item, RenderedRequest):
                self._claims.claim(max(item.records, key=_position))
            yield item

    def halved(self, records: Sequence[Record]) -> None:
        """Remember a pack whose answer was lost before it was refused: it may have been billed whole."""
        self._billed_whole.update(map(_position, records))

    def marked(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Give the outcomes, those of records that may have been billed before marked so."""
        if not (self.claimed or self._billed_whole):
            return outcomes
        return [replace(one, maybe_billed=True) if self._may_be_billed(one.record) else one for one in outcomes]

    def left(self, pending: Iterable[Outcome]) -> None:
        """Remember whose answers were lost for good."""
        self._lost += [one.record.position for one in pending if one.maybe_billed]

    def end(self) -> None:
        """Say that the try has ended by itself, and which answers it lost. Raises SinkError."""
        if self._claims:
            self._claims.end(self._lost)

    def _may_be_billed(self, record: Record) -> bool:
        return record.position in self.claimed or record.position in self._billed_whole


def _position(record: Record) -> int:
    return record.position
