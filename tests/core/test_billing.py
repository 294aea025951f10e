"""What an answer cost, on its outcome and in the budget."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.budget import Budget
from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.prices import PriceList
from airflow_provider_openai_dest.rendering.portions import Portions
from airflow_provider_openai_dest.rendering.request import Member, Pack, RenderedRequest
from tests.core.delivery_parts import conclusion, outcome, record, rejected, request

PRICES = PriceList("https://api.openai.com/v1")
USAGE = {"input_tokens": 1000, "output_tokens": 100}


def in_portions(portions: Portions) -> RenderedRequest:
    """Give a request for a record of which others went before."""
    member = Member(record=record(), values=[], tokens=9, portions=portions)
    return request(tokens=9, pack=Pack(rest={}, members=(member,)))


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
    for before, tokens in ((0, 100), (100, 250), (250, 400)):
        asked = in_portions(Portions(usage={"total_tokens": before} if before else None))
        budget.take(asked)
        billing.billed(asked, conclusion(), [outcome(usage={"total_tokens": tokens})])
        spent.append(budget.spent.tokens)
    assert [100, 250, 400] == spent


def test_an_answer_that_does_not_say_what_it_used_is_told_as_such() -> None:
    """Also behind others of the same record that did: it has used what was reserved."""
    budget = Budget(BudgetLimits(max_tokens_total=9999))
    asked = in_portions(Portions(usage={"total_tokens": 100}))
    budget.take(asked)
    Billing(None, budget).billed(asked, conclusion(), [outcome(usage={"total_tokens": 100})])
    assert (9, 9) == (budget.spent.tokens, budget.untold.tokens)


def test_what_was_paid_before_a_refusal_has_its_cost() -> None:
    """It stands on the rejected record, and the budget, which knew of it, is told nothing."""
    budget = Budget(BudgetLimits(max_requests=9))
    asked = in_portions(Portions(usage=USAGE, cost=0.25))
    (one,) = Billing(PRICES, budget).billed(asked, rejected(), [outcome(usage=USAGE)])
    assert (0.25, (0, 0)) == (one.cost, budget.spent)
