"""Model limits: a rate limit for each model, since the account's limits are counted so."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from airflow_provider_openai_dest.limits.rate_limit import Limits, RateLimit, Use

MOST_MODELS = 100
"""Models that have a limit of their own: the names may come from records. The others share one."""


LONGEST_NAME = 60
"""Characters of a model's name in a log line."""


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

    def use(self, now: float) -> Use | None:
        """Give how much of the tightest limit is in use; None when none is known."""
        uses = [
            replace(use, model=model[:LONGEST_NAME]) if len(self._by_model) > 1 else use
            for model, limit in self._by_model.items()
            if (use := limit.use(now)) is not None
        ]
        return max(uses, default=None, key=attrgetter("share"))
