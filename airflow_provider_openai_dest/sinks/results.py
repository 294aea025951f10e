"""Results and quarantine: the rows of what was delivered and of what was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from airflow_provider_openai_dest.answers.nesting import is_surely_flat, is_too_deep
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import digest
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sinks.folder import RowLog

MAX_REPR = 2000


class Marks(Protocol):
    """What is told of rows that are durable, so that a resume need not read them again."""

    def add(self, outcomes: Sequence[tuple[Outcome, str | None]], end: int) -> None:
        """Take outcomes, with the digests in their rows, which are durable up to ``end`` in the log."""

    def close(self) -> None:
        """Write what is held."""


class ResultsSink:
    """One row for every settled record, delivered or rejected.

    :param keep_records: False leaves the record's own data out of the rows.
    :param marks: is told of what is durable.
    """

    def __init__(self, log: RowLog, *, keep_records: bool = True, marks: Marks | None = None) -> None:
        self._log = log
        self._keep_records = keep_records
        self._marks = marks
        self._unmarked: list[tuple[Outcome, str | None]] = []

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes' rows."""
        for outcome in outcomes:
            row = with_record(outcome.as_row(), outcome, keep=self._keep_records)
            self._log.append([row])
            if self._marks:
                self._unmarked.append((outcome, row.get("record_digest")))

    def flush(self) -> None:
        """Write them."""
        self._log.flush()
        if self._marks:
            unmarked, self._unmarked = self._unmarked, []
            self._marks.add(unmarked, self._log.position)

    def close(self) -> None:
        """Close the file."""
        self._log.close()
        if self._marks:
            self._marks.close()


class QuarantineSink:
    """The rejected records with the reason; the file is itself a source that sends just these again.

    :param keep_records: False keeps key and position only, where the data must not be stored.
    """

    def __init__(self, log: RowLog, *, keep_records: bool = True) -> None:
        self._log = log
        self._keep_records = keep_records

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take those that were rejected."""
        self._log.append(self._row(outcome) for outcome in outcomes if outcome.status is Status.REJECTED)

    def flush(self) -> None:
        """Write them."""
        self._log.flush()

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _row(self, outcome: Outcome) -> dict[str, Any]:
        row = outcome.as_row()
        for name in ("answer", "usage", "cost"):
            row.pop(name, None)
        if outcome.body is not None:
            row["body"] = outcome.body
        return with_record(row, outcome, keep=self._keep_records)


def with_record(row: dict[str, Any], outcome: Outcome, *, keep: bool) -> dict[str, Any]:
    """Add the record's data to a row, and its digest, by which a later try sees whether it is still the same.

    Data that can't be written and read back exactly stands as a text for people.
    """
    data = outcome.record.data
    try:
        encoded = encode_json(data)
    except RecordError:
        return row | {"record": None, "record_repr": described(data)} if keep else row
    row["record_digest"] = digest(encoded)
    if not keep:
        return row
    if not is_surely_flat(encoded) and is_too_deep(data):
        return row | {"record": None, "record_repr": described(data)}
    row["record"] = msgspec.Raw(encoded)
    return row


def described(data: Any) -> str:
    """Give a text for people of data that is no JSON, at most :data:`MAX_REPR` characters."""
    try:
        return repr(data)[:MAX_REPR]
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists a thousand deep
        return f"a {type(data).__name__} that can't be shown"
