"""Prospects: whether to go on, told from how the requests so far have ended. No clock, no log."""

from __future__ import annotations

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.verdict import VerdictTable
from airflow_provider_openai_dest.exceptions import RecordError

ALIKE_RECORDS = 10
"""So many first records refused alike, and it is the model, the project or the URL that is refused."""


class Prospects:
    """Watches the ends of requests, in the order in which they come.

    :param table: its ``stops_alike`` says which refusals may be everybody's.
    """

    def __init__(self, table: VerdictTable) -> None:
        self._stops_alike = table.stops_alike
        self._first: RecordError | None = None
        self._alike = 0
        self._are_alike = True

    def refusal_of_all(self, conclusion: Conclusion, records: int) -> RecordError | None:
        """Give the refusal that all records so far have got, once they are enough to expect it of the rest."""
        error = None if conclusion.is_open else conclusion.error
        if self._first is None:
            self._first = error
        self._are_alike = self._are_alike and error is not None and self._is_same(error)
        self._alike += records
        if error is None or not self._are_alike or self._alike < ALIKE_RECORDS:
            return None
        message = f"the first {self._alike} records were all refused alike: {error.message}"
        return RecordError(error.code, message, param=error.param, status=error.status)

    def _is_same(self, error: RecordError) -> bool:
        return error.status in self._stops_alike and self._first is not None and error.as_row() == self._first.as_row()
