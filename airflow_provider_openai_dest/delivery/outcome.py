"""Outcome: what became of one record."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.record import Record


class Status(StrEnum):
    """The three ends of a record; every input record has exactly one of them."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    PENDING = "pending"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one record.

    ``answer`` is the API's answer for this record alone. ``usage`` is the API's usage object; that of a
    packed request stands on its first record, so that a sum over all rows is what was billed. ``cost`` is what it cost
    in US dollars, beside the usage; None where the price is not known.
    ``maybe_billed`` is true when an answer was lost after the request had left. ``record_digest`` is known only
    of what was read back from a row: the record itself may not have been kept. ``body`` is what was sent of a rejected
    record, where somebody asked for it.
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
    record_digest: str | None = None
    body: str | None = None
    cost: float | None = None

    def as_row(self) -> dict[str, Any]:
        """Give the row of the result files without the record's own data: one flat JSON object."""
        row = {
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
        if self.cost is not None:
            row["cost"] = self.cost
        return row

    @classmethod
    def from_row(cls, row: Any) -> Outcome:
        """Read back a row of the result files; its ``record``, when there is one, is the record's own data.

        Raises RecordError when it is no such row.
        """
        try:
            read = msgspec.convert(row, _Row)
        except msgspec.ValidationError as error:
            raise RecordError("broken_row", f"this is no row of the results: {error}") from None
        return cls(
            record=Record(key=read.key, position=read.position, data=read.record),
            status=Status(read.status),
            answer=read.answer,
            error=RecordError.from_row(read.error) if read.error else None,
            http_status=read.http_status,
            request_id=read.request_id,
            attempts=read.attempts,
            usage=read.usage,
            maybe_billed=read.maybe_billed,
            record_digest=read.record_digest,
            cost=read.cost,
        )


class _Error(TypedDict):
    code: str
    message: str
    param: NotRequired[str | None]
    status: NotRequired[int | None]


class _Row(msgspec.Struct):
    """The fields of a row that are read back, with their types: a file may have been damaged, or be another one."""

    key: str
    position: int
    status: Literal["delivered", "rejected"]
    record: Any = None
    answer: Any = None
    error: _Error | None = None
    http_status: int | None = None
    request_id: str | None = None
    attempts: int = 0
    usage: dict[str, Any] | None = None
    maybe_billed: bool = False
    cost: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    record_digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,32}$")] | None = None
