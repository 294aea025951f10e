"""Whether what failed may be tried again now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.limits.retry_budget import ENOUGH, MOST, SHARE, RetryBudget


def after(*script: str) -> RetryBudget:
    """Take failures (``f``), answers (``a``) and answers while only retries are left (``r``), in this order."""
    budget = RetryBudget()
    for one in "".join(script):
        if one == "f":
            budget.failed()
        else:
            budget.answered(is_rest=one == "r")
    return budget


def test_a_few_failures_are_tried_again_at_once() -> None:
    """Until half of the tokens are gone."""
    most = int(MOST - ENOUGH)
    assert [True, False] == [after("f" * number).has_enough for number in (most - 1, most)]


def test_a_tenth_of_failures_may_go_on_for_ever() -> None:
    """One more than that soon may not."""
    assert [True, False] == [after(("a" * answers + "f") * 100).has_enough for answers in (10, 9)]


def test_a_good_hour_is_no_licence_for_a_storm() -> None:
    """There are no more tokens than at the beginning."""
    assert not after("a" * 10_000, "f" * int(MOST - ENOUGH)).has_enough


def test_a_long_storm_makes_no_debt() -> None:
    """However many failed: when half of the tokens are back, what failed may be tried again."""
    needed = int(ENOUGH / SHARE)
    assert [False, True] == [after("f" * 10_000, "a" * number).has_enough for number in (needed - 1, needed + 1)]


def test_each_answer_lets_one_go_when_only_retries_are_left() -> None:
    """Nothing else would be held up by them."""
    assert [False, True] == [after("f" * 5, "r" * number).has_enough for number in (0, 1)]


@given(st.lists(st.booleans(), max_size=300))
def test_a_server_in_trouble_gets_a_tenth_more_at_most(script: list[bool]) -> None:
    """Beyond the few at the beginning: each failure tried again at once if it may be, whatever the order."""
    budget, answers, retries = RetryBudget(), 0, 0
    for is_answer in script:
        if is_answer:
            budget.answered(is_rest=False)
            answers += 1
        else:
            budget.failed()
            retries += budget.has_enough
    assert retries <= MOST - ENOUGH + SHARE * answers
