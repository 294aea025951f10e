"""One limit: the mirror of the server's bucket, and the pace by which all who share it get the same."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.limits.allowance import Allowance
from airflow_provider_openai_dest.limits.limit_headers import Told
from airflow_provider_openai_dest.limits.rate_limit import ROUNDING_SECONDS


def told(left: float, rate: float = 10.0, capacity: float = 100.0) -> Told:
    """Give what a server tells."""
    return Told(rate, capacity, left)


def known(left: float, *, rate: float = 10.0, capacity: float = 100.0) -> Allowance:
    """Give an allowance that an answer told of at 0 s, alone on its account."""
    allowance = Allowance(None)
    allowance.observe(allowance.take(1.0, 0.0), told(left, rate, capacity), 0.0, 0.0)
    allowance._others = 0.0
    return allowance


def sent_in(allowance: Allowance, start: float, seconds: float, amount: float = 1.0) -> int:
    """Send as fast as it may be, and give how often."""
    now, sent = start, 0
    while now < start + seconds:
        if (wait := allowance.wait_for(amount, now)) > ROUNDING_SECONDS:
            now += wait
        else:
            allowance.take(amount, now)
            sent += 1
    return sent


def test_what_nobody_limits_is_not_waited_for() -> None:
    """Neither given nor told: there is no limit."""
    allowance = Allowance(None)
    allowance.take(10**9, 0.0)
    assert 0.0 == allowance.wait_for(10**9, 0.0)
    assert allowance.share(0.0) is None


def test_alone_one_takes_what_the_server_has() -> None:
    """What is left goes within some seconds, and then the refill."""
    assert 50 + 200 == pytest.approx(sent_in(known(50), 0.0, 20.0), abs=2)


def test_others_leave_less() -> None:
    """What answers tell beyond our own taking is foreseen: nothing goes that is not there."""
    allowance = known(50)
    server, now = 50.0, 0.0
    for _ in range(600):
        now += 0.05
        server = min(100.0, server + 0.5 - 0.25)  # somebody takes half of the refill
        if not allowance.wait_for(1.0, now):
            server -= 1.0
            allowance.observe(allowance.take(1.0, now), told(int(server)), now, now)
    assert server == pytest.approx(12, abs=5)  # half of what the pace calls low
    assert allowance._level == pytest.approx(server, abs=2)


def test_the_pace_falls_with_the_level() -> None:
    """With others, half of the low level means half of the refill for each."""
    allowance = known(12)
    allowance._others = 3.0
    allowance.wait_for(1.0, 0.001)
    assert allowance._pace == pytest.approx(10.0 * (12 - 1) / (24 - 1), rel=0.01)


def test_others_who_left_are_forgotten() -> None:
    """A full bucket tells nothing of others, so they count less with time."""
    allowance = known(100)
    allowance._others = 8.0
    allowance.wait_for(1.0, 5.0)
    assert allowance._others == pytest.approx(4.0)


def test_an_old_answer_says_nothing_new() -> None:
    """An answer to a request that was sent before the one that is known best is passed over."""
    allowance = known(50)
    old, new = allowance.take(1.0, 1.0), allowance.take(1.0, 2.0)
    allowance.observe(new, told(20), 2.0, 2.1)
    level = allowance._level
    allowance.observe(old, told(49), 1.0, 2.1)
    assert level == allowance._level


def test_a_rounded_number_is_no_surprise() -> None:
    """What is left is told in whole numbers."""
    allowance = known(50)
    mark = allowance.take(1.0, 0.05)  # 49.5 is left
    allowance.observe(mark, told(49), 0.05, 0.1)
    assert [0.0, pytest.approx(50.0)] == [allowance._others, allowance._level]


def test_a_refusal_is_believed() -> None:
    """What is less than was asked for is all that is left."""
    allowance = known(50)
    allowance.refuse(told(0), 1.0, 0.0)
    assert allowance.wait_for(1.0, 0.0) > 0


def test_a_refusal_for_another_limit_says_nothing_of_this_one() -> None:
    """There was enough."""
    allowance = known(50)
    allowance.refuse(told(40), 1.0, 0.0)
    assert 0.0 == allowance.wait_for(1.0, 0.0)


def test_an_amount_above_the_capacity_waits_for_a_full_bucket() -> None:
    """It goes then, and the next ones pay for it."""
    allowance = known(100, capacity=100.0)
    assert 0.0 == allowance.wait_for(500.0, 0.0)
    allowance.take(500.0, 0.0)
    assert allowance.wait_for(1.0, 0.0) >= 40


def test_a_wrong_idea_of_others_stops_nobody() -> None:
    """However many are believed to be there, a request goes in bounded time."""
    allowance = known(0)
    allowance._others = 10**6
    assert sent_in(allowance, 0.0, 60.0) >= 3


def test_a_given_limit_starts_blind() -> None:
    """Before an answer has come the given pace holds, but no second's worth goes at once: others may be there."""
    assert 50 == pytest.approx(sent_in(Allowance(50.0), 0.0, 1.0), abs=1)
    allowance = Allowance(50.0)
    allowance.take(1.0, 0.0)
    assert allowance.wait_for(1.0, 0.0) == pytest.approx(0.02)


def test_a_given_limit_that_is_higher_than_the_servers_is_left() -> None:
    """A stock that the server has may be used."""
    allowance = Allowance(10.0)
    allowance.observe(allowance.take(1.0, 0.0), told(90), 0.0, 0.0)
    assert sent_in(allowance, 0.0, 10.0) >= 150


def test_a_minutes_limit_holds_beside_a_days() -> None:
    """When the headers tell of the day only, the given limit a minute keeps its pace."""
    allowance = Allowance(10.0)
    a_day = Told(0.1, 10_000, 9_000, is_long=True)
    allowance.observe(allowance.take(1.0, 0.0), a_day, 0.0, 0.0)
    assert 100 == pytest.approx(sent_in(allowance, 0.0, 10.0), abs=10)


def test_the_share_in_use_is_told() -> None:
    """Half of the refill taken is a half."""
    allowance, now = known(50), 0.0
    while now < 20.0:
        allowance.take(1.0, now)
        now += 0.2
    assert allowance.share(now) == pytest.approx(0.5, abs=0.05)
