"""Billing: what each answer cost, written on its outcome and told to the budget. No clock, no network, no log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.budget import NOTHING, Amount, Budget
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
        self._parts: dict[int, Amount] = {}

    def spent_before(self, usage: Mapping[str, Any], cost: float) -> None:
        """Tell what earlier tries used."""
        if self._budget:
            self._budget.spent_before(usage, cost)

    def billed(
        self, request: RenderedRequest, conclusion: Conclusion, outcomes: list[Outcome], *, is_part: bool = False
    ) -> list[Outcome]:
        """Give the outcomes of one request, the first of them with its cost.

        :param is_part: others follow for the same record; the last one's outcome bears the sum of all.
        """
        if conclusion.verdict is not Verdict.DELIVERED or not outcomes:
            return outcomes
        first, *others = outcomes
        if self._prices and first.usage:
            answer: Mapping[str, Any] = first.answer if isinstance(first.answer, Mapping) else {}
            model = request.model or _text(answer.get("model"))
            first = replace(first, cost=self._prices.cost(model, first.usage, _text(answer.get("service_tier"))))
        if self._budget:
            position = request.records[0].position
            before = self._parts.pop(position, NOTHING)
            charged = self._budget.answered(request, first.usage, first.cost, before)
            if is_part:
                self._parts[position] = Amount(before.tokens + charged.tokens, before.cost + charged.cost)
        return [first, *others]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
