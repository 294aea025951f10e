"""Billing: what each answer cost, written on its outcome and told to the budget. No clock, no network, no log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.budget import NOTHING, Amount, Budget, used_in_all
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.prices import PriceList
from airflow_provider_openai_dest.rendering.request import RenderedRequest


class Billing:
    """Puts a cost on what was answered.

    :param prices: what tokens cost; None where nobody knows.
    :param budget: is told what was spent; None where there is no limit.
    """

    def __init__(self, prices: PriceList | None = None, budget: Budget | None = None) -> None:
        self._prices = prices
        self._budget = budget

    def spent_before(self, usage: Mapping[str, Any], cost: float) -> None:
        """Tell what earlier tries used."""
        if self._budget:
            self._budget.spent_before(usage, cost)

    def spent_untold(self, amount: Amount) -> None:
        """Tell what earlier tries spent that no outcome tells."""
        if self._budget:
            self._budget.spent_untold(amount)

    def untold(self) -> Amount:
        """Give what this try has spent so far that no outcome tells; from any thread."""
        return self._budget.untold if self._budget else NOTHING

    def billed(self, request: RenderedRequest, conclusion: Conclusion, outcomes: list[Outcome]) -> list[Outcome]:
        """Give the outcomes of one request, the first of them with its cost.

        Where several requests make one record's answer, it is that of all so far, and the budget is told of the last.
        """
        if not outcomes:
            return outcomes
        first, *others = outcomes
        earlier = request.portions
        if conclusion.verdict is not Verdict.DELIVERED:
            return [replace(first, cost=earlier.cost), *others] if earlier and earlier.usage else outcomes
        if self._prices and first.usage:
            answer: Mapping[str, Any] = first.answer if isinstance(first.answer, Mapping) else {}
            model = request.model or _text(answer.get("model"))
            first = replace(first, cost=self._prices.cost(model, first.usage, _text(answer.get("service_tier"))))
        if self._budget:
            before = Amount(used_in_all(earlier.usage), earlier.cost or 0.0) if earlier and earlier.usage else NOTHING
            self._budget.answered(request, first.usage, first.cost, before)
        return [first, *others]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
