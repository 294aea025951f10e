"""How many requests may be on the wire at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.limits.window import START, Window


def answer_full(window: Window, times: int) -> None:
    """Answer so many requests while the window is in use."""
    for _ in range(times):
        window.answered(window.size)


def sizes_of(window: Window, times: int) -> list[int]:
    """Give the size after each of so many windows of answers."""
    sizes = []
    for _ in range(times):
        answer_full(window, window.size + 1)
        sizes.append(window.size)
    return sizes


@pytest.mark.parametrize(("most", "size"), [(1, 1), (START - 1, START - 1), (START, START), (1000, START)])
def test_a_server_is_not_flooded_before_it_has_answered(most: int, size: int) -> None:
    """The user's bound counts where it is lower."""
    assert size == Window(most=most).size


def test_each_answer_lets_one_more_go() -> None:
    """As long as nothing has failed, so that the user's bound is reached soon; and never more."""
    window = Window(most=START + 3)
    sizes = []
    for _ in range(5):
        answer_full(window, 1)
        sizes.append(window.size)
    assert [START + 1, START + 2, START + 3, START + 3, START + 3] == sizes


def test_a_window_that_is_not_in_use_does_not_grow() -> None:
    """Nobody knows whether the server would bear more."""
    window = Window(most=1000)
    for _ in range(500):
        window.answered(START - 1)
    assert START == window.size


def test_a_failure_halves_it() -> None:
    """The server bears less than it got."""
    window = Window(most=START)
    window.failed(sent_at=0.0, now=1.0)
    assert START // 2 == window.size


def test_a_rate_limit_makes_it_a_little_smaller() -> None:
    """The pace is the rate limit's own business."""
    window = Window(most=50)
    window.limited(sent_at=0.0, now=1.0)
    assert window.size == 45


def test_requests_that_fail_together_shrink_it_once() -> None:
    """They met the same moment of the server; what was sent after it is another matter."""
    window = Window(most=40)
    for now in (5.0, 5.1, 5.2):
        window.failed(sent_at=4.0, now=now)
    window.limited(sent_at=5.0, now=5.3)
    together = window.size
    window.failed(sent_at=5.01, now=6.0)
    assert (20, 10) == (together, window.size)


def test_it_comes_back_fast_to_half_of_what_had_worked() -> None:
    """One more for each answer, and from there one for each window of answers."""
    window = Window(most=40)
    answer_full(window, 1)
    window.failed(sent_at=0.0, now=1.0)
    window.failed(sent_at=2.0, now=3.0)
    low = window.size
    answer_full(window, 10)
    assert (10, 20) == (low, window.size)
    assert [21, 22, 23] == sizes_of(window, 3)


def test_it_grows_slowly_after_a_failure() -> None:
    """An answer may come from what the server still bears."""
    window = Window(most=40)
    window.failed(sent_at=0.0, now=1.0)
    answer_full(window, 10)
    assert window.size == 20


events = st.one_of(
    st.tuples(st.just("answered"), st.integers(0, 3000)),
    st.tuples(st.sampled_from(["limited", "failed"]), st.floats(0, 10)),
)


@given(st.integers(1, 2000), st.lists(events, max_size=100))
def test_it_stays_between_one_and_the_users_bound(most: int, happened: list[tuple[str, float]]) -> None:
    """Whatever happens, and in whatever order."""
    window, now = Window(most=most), 0.0
    for what, value in happened:
        now += 1.0
        if what == "answered":
            window.answered(int(value))
        else:
            getattr(window, what)(now - value, now)
        assert 1 <= window.size <= most
