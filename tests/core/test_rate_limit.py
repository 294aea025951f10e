"""The mirror of the account's limits. The time is an argument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.rate_limit import PROBE_SECONDS, RateLimit


def headers(name: str = "requests", *, limit: int, remaining: int) -> dict[str, str]:
    """Give the headers of one limit."""
    return {f"x-ratelimit-limit-{name}": str(limit), f"x-ratelimit-remaining-{name}": str(remaining)}


def sent_in(limit: RateLimit, start: float, seconds: float, tokens: int = 0) -> int:
    """Send as fast as the limit lets one, for so long, and give how many went."""
    now, sent = start, 0
    while now <= start + seconds:
        wait = limit.wait(tokens, now)
        sent += not wait
        now += wait
    return sent


def test_the_first_request_goes_alone() -> None:
    """Until an answer has told the limits, the others wait for the probe."""
    limit = RateLimit()
    assert [0.0, PROBE_SECONDS, PROBE_SECONDS] == [limit.wait(10, now) for now in (0.0, 0.0, 5.0)]


def test_the_probe_tells_how_many_may_go() -> None:
    """What remains goes at once, then the limit a minute sets the pace."""
    limit = RateLimit()
    limit.wait(0, 0.0)
    limit.observe(headers(limit=600, remaining=50), 0.0)
    assert [0.0] * 50 == [limit.wait(0, 0.0) for _ in range(50)]
    assert limit.wait(0, 0.0) == pytest.approx(0.1)


@pytest.mark.parametrize("end", ["an answer without headers", "no answer", "a refusal"])
def test_any_end_of_the_probe_lets_the_others_go(end: str) -> None:
    """A probe that failed holds nobody up."""
    limit = RateLimit()
    limit.wait(0, 0.0)
    match end:
        case "an answer without headers":
            limit.observe({}, 1.0)
        case "no answer":
            limit.settle()
        case "a refusal":
            limit.pause(0.0, 1.0)
    assert [0.0] * 20 == [limit.wait(0, 1.0) for _ in range(20)]


def test_given_limits_need_no_probe() -> None:
    """One second of the limit goes at once, then its pace."""
    limit = RateLimit(requests_per_minute=600)
    assert [0.0] * 10 == [limit.wait(0, 100.0) for _ in range(10)]
    assert limit.wait(0, 100.0) == pytest.approx(0.1)


def test_tokens_are_reserved_before_sending() -> None:
    """A request waits until its tokens are there."""
    limit = RateLimit(tokens_per_minute=6000)
    assert [0.0, 0.3] == [limit.wait(80, 0.0), pytest.approx(limit.wait(50, 0.0))]


def test_a_request_above_the_capacity_waits_for_a_full_bucket() -> None:
    """It goes, and the next ones pay for it."""
    limit = RateLimit(tokens_per_minute=6000)
    assert limit.wait(500, 0.0) == 0.0
    assert limit.wait(1, 0.0) == pytest.approx(4.01)


def test_an_api_that_tells_of_tokens_only_limits_tokens_only() -> None:
    """What no header speaks of is not limited."""
    limit = RateLimit()
    limit.wait(10, 0.0)
    limit.observe(headers("tokens", limit=6000, remaining=100), 0.0)
    assert [0.0] * 100 == [limit.wait(0, 0.0) for _ in range(100)]
    assert limit.wait(200, 0.0) == 0.0
    assert limit.wait(10, 0.0) > 0


def test_the_smaller_of_given_and_told_limit_holds() -> None:
    """A given limit leaves room for others; a told one can't be passed."""
    for given_limit, told in ((600, 6000), (6000, 600)):
        limit = RateLimit(requests_per_minute=given_limit)
        limit.wait(0, 0.0)
        limit.observe(headers(limit=told, remaining=told), 0.0)
        assert sent_in(limit, 10.0, 60.0) == pytest.approx(600 + 10, abs=2)


def test_a_limit_that_is_lowered_holds_at_once() -> None:
    """Pace and burst follow the new limit."""
    limit = RateLimit(requests_per_minute=6000)
    limit.wait(0, 0.0)
    limit.observe(headers(limit=60, remaining=60), 0.0)
    assert sent_in(limit, 100.0, 60.0) == pytest.approx(61, abs=1)


def test_a_limit_that_is_raised_holds_at_once() -> None:
    """A limit that was low when the run began does not stay so."""
    limit = RateLimit()
    limit.wait(0, 0.0)
    limit.observe(headers(limit=60, remaining=1), 0.0)
    limit.observe(headers(limit=6000, remaining=6000), 1.0)
    assert sent_in(limit, 100.0, 60.0) == pytest.approx(6000 + 100, abs=2)


def test_an_answer_never_raises_the_level() -> None:
    """What remained when an answer was made is less by what was sent since."""
    limit = RateLimit(requests_per_minute=60)
    limit.wait(0, 0.0)
    limit.observe(headers(limit=60, remaining=59), 0.0)
    assert limit.wait(0, 0.0) == pytest.approx(1.0)


def test_what_others_take_of_the_account_is_not_there() -> None:
    """The server's own count is believed when it is lower."""
    limit = RateLimit(requests_per_minute=600)
    limit.observe(headers(limit=600, remaining=0), 0.0)
    assert limit.wait(0, 0.0) == pytest.approx(0.1)


def test_unused_tokens_are_given_back() -> None:
    """The estimate is corrected by what the answer says was used."""
    limit = RateLimit(tokens_per_minute=6000)
    limit.wait(100, 0.0)
    limit.correct(100, 40)
    assert limit.wait(60, 0.0) == 0.0


def test_an_answer_that_claims_any_number_of_tokens_costs_a_minute_at_most() -> None:
    """A number comes from a server, and may be nonsense."""
    limit = RateLimit(tokens_per_minute=6000)
    limit.wait(0, 0.0)
    limit.correct(0, 10**12)
    assert limit.wait(100, 0.0) <= 61


def test_a_pause_is_everybodys() -> None:
    """Nobody goes before its end; then all go at the limit's pace, from an empty bucket."""
    limit = RateLimit(requests_per_minute=600)
    limit.pause(20.0, 0.0)
    assert limit.wait(0, 5.0) == pytest.approx(15.0)
    assert sent_in(limit, 20.0, 10.0) == pytest.approx(110, abs=2)


def test_a_refusal_empties_the_bucket() -> None:
    """The server had nothing left, whatever the mirror says."""
    limit = RateLimit(requests_per_minute=600)
    limit.pause(0.05, 0.0)
    assert limit.wait(0, 0.05) == pytest.approx(0.05)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """The last word is the longest."""
    limit = RateLimit()
    limit.pause(20.0, 0.0)
    limit.pause(1.0, 0.0)
    assert limit.wait(0, 5.0) == pytest.approx(15.0)


def test_a_server_without_limits_obeys_pauses_only() -> None:
    """A webhook has no headers."""
    limit = RateLimit.unlimited()
    assert [0.0] * 1000 == [limit.wait(1000, 0.0) for _ in range(1000)]
    limit.pause(3.0, 0.0)
    assert limit.wait(0, 0.0) == pytest.approx(3.0)


@pytest.mark.parametrize("text", ["", "many", "-1", "0", "²", "٣", "1e3", "9" * 5000, "1.5"])
def test_headers_that_are_no_numbers_are_not_said(text: str) -> None:
    """No header breaks the mirror."""
    limit = RateLimit()
    limit.wait(0, 0.0)
    limit.observe({"x-ratelimit-limit-requests": text, "x-ratelimit-remaining-requests": "1"}, 0.0)
    assert [0.0] * 10 == [limit.wait(0, 0.0) for _ in range(10)]


@given(
    st.integers(1, 10_000),
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(0, 500), st.floats(0, 5)), min_size=1, max_size=40),
)
def test_no_more_goes_than_the_limit_allows(
    limit_a_minute: int, remaining: int, sends: list[tuple[int, float]]
) -> None:
    """Over any time, at most what remained and the refill, one request's overdraft aside; and every wait ends."""
    limit = RateLimit()
    limit.wait(0, 0.0)
    limit.observe(headers("tokens", limit=limit_a_minute, remaining=remaining), 0.0)
    now, used = 0.0, 0.0
    for tokens, idle in sends:
        now += idle
        for _ in range(5):
            wait = limit.wait(tokens, now)
            if not wait:
                break
            now += wait
        assert not wait
        allowed = max(1, remaining) + now * limit_a_minute / 60
        assert used <= allowed * (1 + 1e-6) + 1e-3
        used += tokens
