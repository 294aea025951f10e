"""Outcome: what became of one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.record import Record


class Status(StrEnum):
    """The three ends of a record; every input record has exactly one of them."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one record.

    ``answer`` is the API's answer for this record alone. ``usage`` is the API's usage object; that of a
    packed request stands on its first record, so that a sum over all rows is what was billed.
    ``maybe_billed`` is true when an answer was lost after the request had left.
    """

    record: Record
    status: Status
    answer: Any = None
    error: RecordError | None = None
    http_status: int | None = None
    request_id: str | None = None
    attempts: int = 0
    usage: Mapping[str, Any] | None = None
    maybe_billed: bool = False

    def as_row(self) -> dict[str, Any]:
        """Give the row of the result files without the record's own data: one flat JSON object."""
        return {
            "key": self.record.key,
            "position": self.record.position,
            "status": self.status.value,
            "answer": self.answer,
            "error": self.error.as_row() if self.error else None,
            "http_status": self.http_status,
            "request_id": self.request_id,
            "attempts": self.attempts,
            "usage": self.usage,
            "maybe_billed": self.maybe_billed,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Outcome:
        """Read back a row of the result files; its ``record``, when there is one, is the record's own data."""
        error = row.get("error")
        return cls(
            record=Record(key=row["key"], position=row["position"], data=row.get("record")),
            status=Status(row["status"]),
            answer=row.get("answer"),
            error=RecordError.from_row(error) if error else None,
            http_status=row.get("http_status"),
            request_id=row.get("request_id"),
            attempts=row.get("attempts", 0),
            usage=row.get("usage"),
            maybe_billed=row.get("maybe_billed", False),
        )
