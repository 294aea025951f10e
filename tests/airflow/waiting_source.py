"""A source that runs into the account's limit once, as a server that asks for a long wait would make a delivery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_provider_openai_dest import Record
from airflow_provider_openai_dest.exceptions import LongWaitError

QUESTIONS = [{"q": f"question {name}"} for name in "abcdef"]


class WaitingSource:
    """Six questions, with a long wait after the third one, the first time that they are read.

    :param mark: file that says that there was a wait.
    :param seconds: how long.
    """

    def __init__(self, mark: Path, seconds: float) -> None:
        self._mark = mark
        self._seconds = seconds

    def __iter__(self) -> Iterator[Record]:
        for position, data in enumerate(QUESTIONS):
            if position == 3 and not self._mark.exists():
                self._mark.touch()
                raise LongWaitError("3 of 6 records are pending", self._seconds)
            yield Record(key=str(position), position=position, data=data)

    def fingerprint(self) -> str:
        """Name the records."""
        return "six questions"
