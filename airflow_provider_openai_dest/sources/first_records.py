"""FirstRecords: the first so many records of a source, as a source of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from airflow_provider_openai_dest.sources.record import Record, Source


class FirstRecords:
    """Gives the first records of a source and reads no more.

    :param number: how many; fewer where the source has fewer.
    """

    def __init__(self, source: Source, number: int) -> None:
        self._source = source
        self._number = number

    def __iter__(self) -> Iterator[Record]:
        return islice(iter(self._source), self._number)

    def fingerprint(self) -> str:
        """Tell where the records come from, and how many."""
        return f"first {self._number} of {self._source.fingerprint()}"
