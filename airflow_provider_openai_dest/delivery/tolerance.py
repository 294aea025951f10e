"""Tolerance: how many rejected records a task may have and still succeed."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_openai_dest.exceptions import ConfigurationError, TooManyRejectedError
from airflow_provider_openai_dest.manifest import Manifest


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

    def check(self, manifest: Manifest) -> None:
        """Raise TooManyRejectedError, with the first kinds of rejection, when more were rejected."""
        if manifest.rejected > self._allowed(manifest.input):
            kinds = ", ".join(
                f"{kind['count']} x {kind['code']} (first: record {kind['first_key']!r}: {kind['first_message']})"
                for kind in manifest.rejections[:3]
                if kind["status"] == "rejected"
            )
            raise TooManyRejectedError(
                f"{manifest.rejected} of {manifest.input} records were rejected: {kinds}; "
                f"they are in {manifest.quarantine or 'the outcomes'}, the others were sent and saved",
                manifest.as_dict(),
            )

    def _allowed(self, records: int) -> float:
        allowed = [
            bound
            for bound in (
                None if self.max_error_rate is None else self.max_error_rate * records,
                self.max_errors,
            )
            if bound is not None
        ]
        return min(allowed, default=0)
