"""Tolerance: how many rejected records a task may have and still succeed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_openai_dest.exceptions import ConfigurationError, TooManyRejectedError


class Report(Protocol):
    """What is looked at of a manifest."""

    input: int
    rejected: int
    quarantine: str | None

    @property
    def rejections(self) -> Sequence[Mapping[str, Any]]:
        """Give the kinds of rejection."""

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """With neither given, one rejected record is too many.

    :param max_error_rate: share of the input that may be rejected, from 0.0 to 1.0.
    :param max_errors: number of records that may be rejected.
    """

    max_error_rate: float | None = None
    max_errors: int | None = None

    def __post_init__(self) -> None:
        rate, errors = self.max_error_rate, self.max_errors
        if rate is not None and not 0 <= rate <= 1:
            raise ConfigurationError(f"max_error_rate={rate!r} must be between 0.0 and 1.0")
        if errors is not None and errors < 0:
            raise ConfigurationError(f"max_errors={errors!r} must not be negative")

    def check(self, manifest: Report) -> None:
        """Raise TooManyRejectedError, with the first kinds of rejection, when more were rejected."""
        if not self._is_exceeded(manifest.rejected, manifest.input):
            return
        rejected = [kind for kind in manifest.rejections if kind["status"] == "rejected"]
        kinds = ", ".join(
            f"{kind['count']} x {kind['code']} (first: record {kind['first_key']!r}: {kind['first_message']})"
            for kind in rejected[:3]
        )
        others = ", the others were sent and saved" if manifest.rejected < manifest.input else ""
        raise TooManyRejectedError(
            f"{manifest.rejected} of {manifest.input} records were rejected: {kinds}; "
            f"they are in {manifest.quarantine or 'the outcomes'}{others}. Mend the cause and clear the task, or send "
            f"them again with source=quarantine_of(...){_unknown_fate(rejected)}",
            manifest.as_dict(),
        )

    def _is_exceeded(self, rejected: int, records: int) -> bool:
        if self.max_error_rate is None and self.max_errors is None:
            return rejected > 0
        above_rate = self.max_error_rate is not None and rejected > 0 and rejected / records > self.max_error_rate
        return above_rate or (self.max_errors is not None and rejected > self.max_errors)


def _unknown_fate(rejected: Sequence[Mapping[str, Any]]) -> str:
    """Say which of the two sends what a try may have sent that died; empty where there is nothing of it."""
    number = sum(kind["count"] for kind in rejected if kind["code"] == "unknown_fate")
    return f"; the {number} that may have been sent already (unknown_fate) go only with quarantine_of" if number else ""
