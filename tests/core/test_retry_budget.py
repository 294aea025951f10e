"""How many requests may be sent again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.retry_budget import CAPACITY, SHARE, RetryBudget


def retries_of(budget: RetryBudget) -> int:
    """Send retries as long as there is credit; give how many."""
    number = 0
    while budget.has_credit:
        budget.spend()
        number += 1
    return number


def earned(budget: RetryBudget, answers: int, *, is_rest: bool = False) -> RetryBudget:
    """Count so many answers."""
    for _ in range(answers):
        budget.earn(is_rest=is_rest)
    return budget


def empty() -> RetryBudget:
    """Give a budget that is used up."""
    budget = RetryBudget()
    retries_of(budget)
    return budget


def test_a_few_retries_may_follow_each_other() -> None:
    """Without an answer between them, and then no more."""
    assert CAPACITY == retries_of(RetryBudget())


def test_ten_answers_let_one_retry_go() -> None:
    """Nine do not."""
    assert (0, 1) == (retries_of(earned(empty(), 9)), retries_of(earned(empty(), 10)))


def test_a_full_budget_earns_nothing() -> None:
    """A good hour is no licence for a storm."""
    assert CAPACITY == retries_of(earned(RetryBudget(), 1000))


def test_a_retry_without_credit_makes_no_debt() -> None:
    """It had to be sent, since there was nothing else to do."""
    budget = empty()
    for _ in range(100):
        budget.spend()
    assert retries_of(earned(budget, 11)) == 1


def test_each_answer_lets_one_retry_go_when_only_retries_are_left() -> None:
    """Nothing else would be held up by them."""
    assert retries_of(earned(empty(), 3, is_rest=True)) == 3


@given(st.lists(st.booleans(), max_size=300))
def test_a_storm_gets_no_more_than_a_tenth_of_what_was_answered(script: list[bool]) -> None:
    """Beyond the few at its beginning, whatever the order of answers and of retries that would go."""
    budget, answers, retries = RetryBudget(), 0, 0
    for is_answer in script:
        if is_answer:
            budget.earn(is_rest=False)
            answers += 1
        elif budget.has_credit:
            budget.spend()
            retries += 1
    assert retries <= CAPACITY + SHARE * answers + 1e-6
