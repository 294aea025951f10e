"""What an answer cost, on its outcome and in the budget."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.budget import Budget
from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.prices import PriceList
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from tests.core.delivery_parts import conclusion, outcome, rejected, request

PRICES = PriceList("https://api.openai.com/v1")
USAGE = {"input_tokens": 1000, "output_tokens": 100}


def billed(asked: RenderedRequest, *outcomes: Outcome, budget: Budget | None = None, **ended: Any) -> list[Outcome]:
    """Bill the outcomes of a request that was answered."""
    return Billing(PRICES, budget).billed(asked, conclusion(**ended), list(outcomes))


@pytest.mark.parametrize(
    ("model", "answer", "cost"),
    [
        ("gpt-6-luna", {}, 0.00015),
        ("gpt-6-luna", {"service_tier": "flex"}, 0.000075),
        ("gpt-6-luna", {"service_tier": "default"}, 0.00015),
        ("gpt-6-luna", {"service_tier": 7}, 0.00015),
        ("", {"model": "gpt-6-luna-2026-08-01"}, 0.00015),
        ("", {"model": ["gpt-6-luna"]}, None),
        ("", "a text", None),
        ("somebody-elses-model", {}, None),
    ],
)
def test_an_answer_has_a_cost(model: str, answer: Any, cost: float | None) -> None:
    """By the model that was asked, else the one that answered, and by the tier that the answer names."""
    (one,) = billed(request(model=model), outcome(usage=USAGE, answer=answer))
    assert cost == one.cost


def test_a_packed_request_is_billed_once() -> None:
    """Where its usage stands."""
    outcomes = billed(request("a", "b", model="gpt-6-luna"), outcome("a", usage=USAGE), outcome("b"))
    assert [0.00015, None] == [one.cost for one in outcomes]


def test_an_answer_that_was_refused_has_no_cost() -> None:
    """And takes nothing from the budget."""
    budget = Budget(BudgetLimits(max_requests=9))
    refused = outcome(usage=USAGE)
    assert [refused] == Billing(PRICES, budget).billed(request(model="gpt-6-luna"), rejected(), [refused])
    assert (0, 0) == budget.spent


def test_the_budget_is_told() -> None:
    """Tokens and dollars, in the place of what was reserved."""
    budget, asked = Budget(BudgetLimits(max_cost=1), PRICES), request(tokens=9, model="gpt-6-luna")
    budget.take(asked)
    billed(asked, outcome(usage=USAGE), budget=budget)
    assert (1100, 0.00015) == budget.spent


def test_without_prices_nothing_has_a_cost() -> None:
    """The budget is told of tokens all the same."""
    budget, asked = Budget(BudgetLimits(max_tokens_total=9999)), request(tokens=9)
    budget.take(asked)
    (one,) = Billing(None, budget).billed(asked, conclusion(), [outcome(usage=USAGE)])
    assert (None, 1100) == (one.cost, budget.spent.tokens)


def test_several_requests_for_a_record_are_told_once_each() -> None:
    """The last one's outcome bears the sum of all."""
    budget = Budget(BudgetLimits(max_tokens_total=9999))
    billing, spent = Billing(None, budget), []
    for tokens, is_part in ((100, True), (250, True), (400, False)):
        asked = request(tokens=9)
        budget.take(asked)
        billing.billed(asked, conclusion(), [outcome(usage={"total_tokens": tokens})], is_part=is_part)
        spent.append(budget.spent.tokens)
    assert [100, 250, 400] == spent
