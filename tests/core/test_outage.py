"""A server that fails again and again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.limits.outage import LONGEST_PROBE_SECONDS, MOST_FAILURES, NEVER_UP_SHARE, Outage


def fail(outage: Outage, times: int, now: float = 0.0, asked: float | None = None, random: float = 1.0) -> Outage:
    """Fail requests that were sent a moment ago."""
    for _ in range(times):
        outage.failed(now - 0.001, now, asked, random)
    return outage


def probe(outage: Outage, now: float, random: float = 1.0) -> float:
    """Fail a probe as soon as it may go; gives when that was."""
    at = now + outage.wait(now)
    outage.failed(at, at, None, random)
    return at


def test_a_few_failures_are_no_outage() -> None:
    """The last of so many makes it one."""
    assert [False, True] == [fail(Outage(), number).is_on for number in (MOST_FAILURES - 1, MOST_FAILURES)]


def test_there_is_no_wait_without_an_outage() -> None:
    """What fails has its own pause."""
    assert fail(Outage(), MOST_FAILURES - 1).wait(0.0) == 0.0


def test_an_answer_ends_it_at_once() -> None:
    """And the next failures are counted anew."""
    outage = fail(Outage(), 50)
    outage.answered()
    over = outage.is_on, outage.wait(0.0)
    fail(outage, MOST_FAILURES - 1, now=100.0)
    assert ((False, 0.0), False) == (over, outage.is_on)


def test_an_answer_between_failures_begins_the_count_anew() -> None:
    """A server that answers one request may answer the next."""
    outage = fail(Outage(), MOST_FAILURES - 1)
    outage.answered()
    assert not fail(outage, MOST_FAILURES - 1).is_on


def test_the_pauses_between_probes_double_up_to_the_longest() -> None:
    """So that the end of the outage is noticed soon, however long it was."""
    outage, now = fail(Outage(), MOST_FAILURES), 0.0
    pauses = []
    for _ in range(6):
        pauses.append(outage.wait(now))
        now = probe(outage, now)
    assert [0.5, 1, 2, 4, 4, 4] == pytest.approx(pauses)


def test_the_first_pause_is_the_policys() -> None:
    """As that of every other retry."""
    assert fail(Outage(first_pause=0.01), MOST_FAILURES).wait(0.0) == 0.01


@pytest.mark.parametrize(("random", "pause"), [(0.0, 0.375), (0.5, 0.4375), (1.0, 0.5)])
def test_a_pause_has_jitter_of_a_quarter(random: float, pause: float) -> None:
    """So that many tasks do not probe at the same moment."""
    assert pause == pytest.approx(fail(Outage(), MOST_FAILURES, random=random).wait(0.0))


@pytest.mark.parametrize(("asked", "pause"), [(17.0, 17.0), (0.1, 0.5), (0.0, 0.5)])
def test_the_servers_own_pause_counts_when_it_is_longer(asked: float, pause: float) -> None:
    """It is obeyed to the letter, and nobody comes sooner than that."""
    assert pause == fail(Outage(), MOST_FAILURES, asked=asked).wait(0.0)


def test_requests_that_were_on_the_wire_say_nothing_new() -> None:
    """All of them failed for the same reason; the pause is no longer for it."""
    outage = fail(Outage(), MOST_FAILURES, now=10.0)
    for number in range(100):
        outage.failed(9.0, 10.0 + number / 1000, None, 1.0)
    assert 0.5 == outage.wait(10.0)


@pytest.mark.parametrize(("was_up", "seconds"), [(True, 600.0), (False, 600.0 * NEVER_UP_SHARE)])
def test_it_is_given_up_after_its_time(was_up: bool, seconds: float) -> None:  # noqa: FBT001
    """Sooner where no answer ever came: the address may be wrong."""
    outage = Outage(give_up_after=600.0)
    if was_up:
        outage.answered()
    fail(outage, MOST_FAILURES, now=5.0)
    assert [False, True] == [outage.is_over_long(5.0 + seconds + late) for late in (-0.01, 0.01)]


def test_failures_without_an_outage_are_never_over_long() -> None:
    """A last request may fail for hours, with long pauses."""
    assert not fail(Outage(), MOST_FAILURES - 1).is_over_long(10_000.0)


def test_the_time_of_an_outage_begins_with_its_first_failure() -> None:
    """And anew after each answer."""
    outage = fail(Outage(give_up_after=150.0), MOST_FAILURES, now=0.0)
    outage.answered()
    fail(outage, MOST_FAILURES - 1, now=1000.0)
    fail(outage, 1, now=1100.0)
    assert [False, True] == [outage.is_over_long(1000.0 + seconds) for seconds in (149, 151)]


@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0, 5), st.floats(0, 20), st.none() | st.floats(0, 600), st.floats(0, 1))
    )
)
def test_the_next_probe_is_never_far(script: list[tuple[bool, float, float, float | None, float]]) -> None:
    """Whatever happens: no longer than the longest pause, or than the server asked for."""
    outage, now, longest = Outage(), 0.0, LONGEST_PROBE_SECONDS
    for is_answer, later, took, asked, random in script:
        now += later
        if is_answer:
            outage.answered()
        else:
            outage.failed(now - took, now, asked, random)
        longest = max(longest, asked or 0.0)
        assert 0.0 <= outage.wait(now) <= longest + 1e-6
        assert outage.is_on or outage.wait(now) == 0.0
