"""Results and quarantine: the rows of what was delivered and of what was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sinks.folder import RowLog

MAX_REPR = 2000


class ResultsSink:
    """One row for every settled record, delivered or rejected.

    :param keep_records: False leaves the record's own data out of the rows.
    """

    def __init__(self, log: RowLog, *, keep_records: bool = True) -> None:
        self._log = log
        self._keep_records = keep_records

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes' rows."""
        self._log.append(with_record(outcome.as_row(), outcome, keep=self._keep_records) for outcome in outcomes)

    def flush(self) -> None:
        """Write them."""
        self._log.flush()

    def close(self) -> None:
        """Close the file."""
        self._log.close()


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
        del row["answer"], row["usage"]
        return with_record(row, outcome, keep=self._keep_records)


def with_record(row: dict[str, Any], outcome: Outcome, *, keep: bool) -> dict[str, Any]:
    """Add the record's data to a row; data that can't be written exactly stands as a text for people."""
    if not keep:
        return row
    data = outcome.record.data
    try:
        encode_json(data)
        msgspec.json.encode(data)
    except (RecordError, ValueError, TypeError, RecursionError):
        return row | {"record": None, "record_repr": repr(data)[:MAX_REPR]}
    return row | {"record": data}
