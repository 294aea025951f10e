"""Sink: where outcomes go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from airflow_provider_openai_dest.delivery.outcome import Outcome


class Sink(Protocol):
    """Takes settled outcomes, from one thread, never from the event loop.

    What is flushed is durable. A sink that can't write raises SinkError: nothing of that batch is committed then.
    """

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes; they may be held until the next flush."""

    def flush(self) -> None:
        """Make everything taken durable."""

    def close(self) -> None:
        """Flush and let go."""
