"""Model limits: a rate limit for each model, since the account's limits are counted so."""

from __future__ import annotations

from airflow_provider_openai_dest.delivery.rate_limit import Limits, RateLimit

MOST_MODELS = 100
"""Models that have a limit of their own: the names may come from records. The others share one."""


class ModelLimits:
    """Gives each model its rate limit.

    :param limits: what the user says of each model's limits; None for a server that is only slowed down by refusals.
    """

    def __init__(self, limits: Limits | None) -> None:
        self._limits = limits
        self._by_model: dict[str, RateLimit] = {}

    def of(self, model: str) -> RateLimit:
        """Give the limit of one model."""
        limit = self._by_model.get(model)
        if limit is None:
            name = model if len(self._by_model) < MOST_MODELS else ""
            new = RateLimit.unlimited() if self._limits is None else RateLimit(self._limits)
            limit = self._by_model.setdefault(name, new)
        return limit

    def share(self, now: float) -> float | None:
        """Give how much of the tightest limit is in use, 0.0 to 1.0; None when none is known."""
        shares = [share for limit in self._by_model.values() if (share := limit.share(now)) is not None]
        return max(shares, default=None)
