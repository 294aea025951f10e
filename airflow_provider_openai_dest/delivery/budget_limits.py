"""Budget limits: what a Dag author lets a delivery spend."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_openai_dest.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """What may be spent, at most; None is no limit.

    :param max_cost: US dollars, over all tries of a delivery.
    :param max_tokens_total: tokens, sent and received, over all tries of a delivery.
    :param max_requests: requests of one try, repeated ones included.

    Raises ConfigurationError with the faults of all three.
    """

    max_cost: float | None = None
    max_tokens_total: int | None = None
    max_requests: int | None = None

    def __post_init__(self) -> None:
        faults = [
            f"{name}={value!r} must be {kind} above 0"
            for name, value, kind, types in (
                ("max_cost", self.max_cost, "a number of US dollars", (int, float)),
                ("max_tokens_total", self.max_tokens_total, "a whole number", (int,)),
                ("max_requests", self.max_requests, "a whole number", (int,)),
            )
            if value is not None and not (type(value) in types and 0 < value < float("inf"))
        ]
        if faults:
            raise ConfigurationError(*faults)

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.max_cost, self.max_tokens_total, self.max_requests))
