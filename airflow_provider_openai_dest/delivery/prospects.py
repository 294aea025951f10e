"""Prospects: whether to go on, told from how the requests so far have ended. No clock, no log."""

from __future__ import annotations

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.verdict import FIRST_SERVER_ERROR, VerdictTable
from airflow_provider_openai_dest.exceptions import RecordError


class Prospects:
    """Watches the ends of requests, in the order in which they come.

    :param table: says how many refusals alike, and of which status, may be everybody's.
    """

    def __init__(self, table: VerdictTable) -> None:
        self._table = table
        self._first: RecordError | None = None
        self._alike = 0
        self._are_alike = True

    def refusal_of_all(self, conclusion: Conclusion, records: int) -> RecordError | None:
        """Give the refusal that all records so far have got, once they are enough to expect it of the rest.

        A refused pack that may pass in halves tells nothing yet: one record of it may be at fault.
        """
        if records > 1 and conclusion.may_pass_halved:
            return None
        error = None if conclusion.is_open else conclusion.error
        if self._first is None:
            self._first = error
        self._are_alike = self._are_alike and error is not None and self._is_same(error)
        self._alike += records
        enough = self._enough(error) if error is not None and self._are_alike else None
        if error is None or enough is None or self._alike < enough:
            return None
        message = f"the first {self._alike} records were all refused alike: {error.message}"
        return RecordError(error.code, message, param=error.param, status=error.status)

    def _is_same(self, error: RecordError) -> bool:
        return self._enough(error) is not None and self._first is not None and error.as_row() == self._first.as_row()

    def _enough(self, error: RecordError) -> int | None:
        """Give how many refusals like this one are enough; None when no number is."""
        if error.status is None or error.status >= FIRST_SERVER_ERROR:
            return None
        enough = self._table.stops_alike
        return enough.get(error.code, enough.get(error.status, self._table.stops_alike_otherwise))
