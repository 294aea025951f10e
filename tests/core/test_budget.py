"""What may be spent: what is reserved, what is given back, and when it is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.budget import Amount, Budget, used_in_all
from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.prices import PriceList
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from tests.core.delivery_parts import request

PRICES = PriceList("https://api.openai.com/v1")


def used(tokens: int) -> dict[str, int]:
    """Give a usage object."""
    return {"total_tokens": tokens}


def of_tokens(limit: int) -> Budget:
    """Give a budget of so many tokens."""
    return Budget(BudgetLimits(max_tokens_total=limit))


def bounded(tokens: int, output: int = 0) -> RenderedRequest:
    """Give a request whose answer the body bounds."""
    return request(tokens=tokens, output_tokens=output)


def test_what_is_reserved_keeps_others_back() -> None:
    """Until the answer says what was used, there is room for as much less."""
    budget, first, second = of_tokens(100), bounded(40, 20), bounded(41)
    assert budget.may_send(first)
    budget.take(first)
    assert not budget.may_send(second)
    assert "" == budget.reached
    budget.answered(first, used(50), None)
    assert budget.may_send(second)


def test_it_is_reached_when_nothing_on_the_wire_can_give_anything_back() -> None:
    """The reason says what is spent, what is left, and what the next one needs."""
    budget, first = of_tokens(100), bounded(40)
    budget.take(first)
    budget.answered(first, used(60), None)
    assert not budget.may_send(bounded(41))
    assert "max_tokens_total=100 is reached: 60 tokens are spent, 40 are left, and the next request may use 41" == (
        budget.reached
    )


@pytest.mark.parametrize(("ends", "spent"), [("lost", 40), ("release", 0)])
def test_a_lost_answer_is_taken_as_billed_and_a_refusal_is_not(ends: str, spent: int) -> None:
    """Nobody can know what was billed of an answer that was lost."""
    budget, one = of_tokens(100), bounded(40)
    budget.take(one)
    getattr(budget, ends)(one)
    budget.release(one)
    assert spent == budget.spent.tokens


def test_an_answer_without_usage_used_what_was_reserved() -> None:
    """Rather too much than nothing."""
    budget, one = of_tokens(100), bounded(40)
    budget.take(one)
    budget.answered(one, None, None)
    assert Amount(40, 0) == budget.spent


def test_unbounded_answers_are_reserved_as_those_before() -> None:
    """The mean of what the others used, where that is more than the estimate."""
    budget = of_tokens(200)
    for _ in range(2):
        one = request(tokens=10)
        budget.take(one)
        budget.answered(one, used(70), None)
    assert not budget.may_send(request(tokens=10))
    assert "the next request may use 70" in budget.reached


def test_what_earlier_tries_spent_counts() -> None:
    """In tokens and in dollars."""
    budget = Budget(BudgetLimits(max_tokens_total=100, max_cost=1.0), PRICES)
    budget.spent_before({"input_tokens": 60, "output_tokens": 20}, 0.25)
    assert Amount(80, 0.25) == budget.spent


def test_dollars_are_reserved_by_the_price_of_the_model() -> None:
    """0.1 dollars a million tokens of input, and 0.5 of output, for gpt-6-luna."""
    budget = Budget(BudgetLimits(max_cost=0.0001), PRICES)
    assert not budget.may_send(request(tokens=500, output_tokens=101, model="gpt-6-luna"))
    assert budget.reached.startswith("max_cost=0.0001 is reached: $0.00 are spent, $0.0001 are left")
    assert budget.may_send(request(tokens=500, output_tokens=100, model="gpt-6-luna"))


def test_a_request_without_a_price_is_not_sent() -> None:
    """Where dollars are limited, each must have one."""
    budget = Budget(BudgetLimits(max_cost=1.0), PRICES)
    assert not budget.may_send(request(model="somebody-elses-model"))
    assert "'somebody-elses-model' is not known" in budget.reached


def test_requests_are_counted_when_they_leave() -> None:
    """Whatever comes of them."""
    budget = Budget(BudgetLimits(max_requests=1))
    one = request()
    assert budget.may_send(one)
    budget.take(one)
    budget.release(one)
    assert not budget.may_send(one)
    assert "max_requests=1 is reached" == budget.reached


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"total_tokens": 7, "prompt_tokens": 5}, 7),
        ({"input_tokens": 5, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}, 8),
        ({"total_tokens": "many"}, 0),
        ({"type": "duration", "seconds": 3}, 0),
    ],
)
def test_usage_is_read_in_each_spelling(usage: dict[str, object], tokens: int) -> None:
    """The total where it stands there, else the sum of its parts."""
    assert tokens == used_in_all(usage)


amounts = st.tuples(st.integers(0, 50), st.none() | st.integers(0, 50), st.integers(0, 200))


@given(
    limit=st.integers(1, 500),
    asked=st.lists(amounts, max_size=40),
    order=st.randoms(use_true_random=False),
    most=st.integers(1, 8),
)
def test_no_more_is_spent_than_the_limit_and_what_was_not_foreseen_on_the_wire(
    limit: int, asked: list[tuple[int, int | None, int]], order: object, most: int
) -> None:
    """Whatever the answers use, in whatever order they come: beyond the limit is only what no estimate could tell."""
    budget = of_tokens(limit)
    waiting = [(request(tokens=tokens, output_tokens=output), actual) for tokens, output, actual in asked]
    on_wire: list[tuple[RenderedRequest, int]] = []
    beyond = 0.0
    while True:
        while waiting and len(on_wire) < most and budget.may_send(waiting[0][0]):
            before = budget.spent.tokens
            one, actual = waiting.pop(0)
            budget.take(one)
            on_wire.append((one, actual))
            held = {id(each): budget._reserved[id(each)].tokens for each, _ in on_wire}
            assert before + sum(held.values()) <= limit
            beyond = sum(max(0.0, used_up - held[id(each)]) for each, used_up in on_wire)
        if not on_wire:
            break
        one, actual = on_wire.pop(order.randrange(len(on_wire)))  # type: ignore[attr-defined]
        budget.answered(one, used(actual), None)
    assert budget.spent.tokens <= limit + beyond
    assert bool(waiting) == bool(budget.reached)
