"""The account's limits for one model. The time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.limits.rate_limit import PROBE_SECONDS, PROBES, Limits, RateLimit, Ticket
from tests.core.account_simulation import Account, Scenario

NONE: Mapping[str, str] = {}


def headers(name: str = "requests", *, limit: int, remaining: int, reset: str = "") -> dict[str, str]:
    """Give the headers of one limit."""
    told = {"limit": str(limit), "remaining": str(remaining), "reset": reset}
    return {f"x-ratelimit-{what}-{name}": text for what, text in told.items() if text}


def sent_in(limit: RateLimit, start: float, seconds: float, tokens: int = 0, images: int = 0) -> int:
    """Send as fast as the limit lets one, for so long, and give how many went; 2,000 at most."""
    now, sent = start, 0
    while now < start + seconds and sent < 2000:
        if wait := limit.wait(tokens, now, images):
            now += wait
        else:
            limit.take(tokens, now, images)
            sent += 1
    return sent


def told(*parts: dict[str, str], tokens: int = 10) -> RateLimit:
    """Give a limit that one answer told of, at 0 s."""
    limit = RateLimit()
    limit.observe(limit.take(tokens, 0.0), {name: text for part in parts for name, text in part.items()}, tokens, 0.0)
    return limit


def test_some_probes_go_before_the_first_answer() -> None:
    """Until an answer has told the limits, the others wait."""
    limit = RateLimit()
    for _ in range(PROBES):
        assert 0.0 == limit.wait(10, 0.0)
        limit.take(10, 0.0)
    assert [PROBE_SECONDS, PROBE_SECONDS] == [limit.wait(10, now) for now in (0.0, 5.0)]


@pytest.mark.parametrize("end", ["an answer without headers", "no answer", "a refusal", "settled"])
def test_any_end_of_a_probe_lets_the_others_go(end: str) -> None:
    """A probe that failed holds nobody up."""
    limit = RateLimit()
    ticket = [limit.take(0, 0.0) for _ in range(PROBES)][-1]
    match end:
        case "an answer without headers":
            limit.observe(ticket, NONE, None, 1.0)
        case "no answer":
            limit.forget(ticket, 1.0)
        case "a refusal":
            limit.pause(ticket, NONE, 0.0, 1.0)
        case "settled":
            limit.settle()
    assert sent_in(limit, 3.0, 10.0) >= 1


def test_given_limits_need_no_probe() -> None:
    """They keep the pace from the start."""
    assert 100 == pytest.approx(sent_in(RateLimit(Limits(requests_per_minute=600)), 100.0, 10.0), abs=1)
    assert 10 == pytest.approx(sent_in(RateLimit(Limits(tokens_per_minute=6000)), 0.0, 10.0, tokens=100), abs=2)
    assert 5 == pytest.approx(sent_in(RateLimit(Limits(images_per_minute=30)), 0.0, 10.0, images=1), abs=1)


def test_a_request_without_images_waits_for_no_images() -> None:
    """Only what is asked for is limited."""
    limit = RateLimit(Limits(images_per_minute=1))
    limit.take(0, 0.0, images=5)
    assert 0.0 == limit.wait(10, 0.0)
    assert limit.wait(10, 0.0, images=1) > 60


def test_a_days_requests_are_counted() -> None:
    """A day's limit that is used up says when to come again."""
    limit = RateLimit(Limits(requests_per_day=1440))
    limit.settle()
    assert 1440 == sent_in(limit, 0.0, 1.0)
    assert limit.wait(0, 0.0) == pytest.approx(60.0, abs=1)


def test_the_headers_of_a_days_limit_are_told_from_a_minutes() -> None:
    """A reset of hours is a day's: the next request waits for it."""
    limit = told(headers(limit=10_000, remaining=0, reset="24h0m0s"))
    assert 8.64 <= limit.wait(0, 0.0) <= 2 * 8.64


def test_an_api_that_tells_of_tokens_only_limits_tokens_only() -> None:
    """What no header speaks of is not limited."""
    limit = told(headers("tokens", limit=6000, remaining=100, reset="59s"))
    assert 0.0 == limit.wait(0, 0.0)
    assert limit.wait(200, 0.0) > 0


def test_unused_tokens_are_given_back() -> None:
    """What was used counts, not what was estimated."""
    limit = told(headers("tokens", limit=6000, remaining=1000, reset="50s"))
    for ticket in [limit.take(300, 0.0) for _ in range(3)]:
        limit.observe(ticket, NONE, 30, 0.1)
    assert limit._tokens._level == pytest.approx(1000 - 3 * 30, abs=10)


def test_a_server_that_counts_otherwise_is_learnt() -> None:
    """When each estimated token is billed as four, four are reserved."""
    limit = RateLimit(Limits(tokens_per_minute=60_000))
    now, sent = 0.0, 0
    while now < 20.0:
        if wait := limit.wait(50, now):
            now += wait
        else:
            limit.observe(limit.take(50, now), NONE, 200, now)
            sent += 1
    assert 20.0 * 1000 / 200 == pytest.approx(sent, rel=0.1)


def test_an_absurd_count_of_tokens_is_not_believed() -> None:
    """A number comes from a server, and may be nonsense."""
    limit = RateLimit(Limits(tokens_per_minute=60_000))
    limit.observe(limit.take(10, 0.0), NONE, 10**15, 0.0)
    assert limit.wait(10, 0.0) < 2


def test_a_pause_is_everybodys() -> None:
    """Nobody goes before its end, and a shorter one does not end it."""
    limit = RateLimit(Limits(requests_per_minute=600))
    first, second = limit.take(0, 0.0), limit.take(0, 0.0)
    limit.pause(first, NONE, 20.0, 0.0)
    limit.pause(second, NONE, 1.0, 0.0)
    assert limit.wait(0, 5.0) == pytest.approx(15.0)
    assert sent_in(limit, 20.0, 10.0) > 0


def test_a_refusal_that_a_limit_explains_lowers_no_pace() -> None:
    """Tokens were short, so requests go on with the refill of the tokens."""
    limit = told(headers("tokens", limit=60_000, remaining=500, reset="500ms"))
    limit.pause(limit.take(900, 0.0), headers("tokens", limit=60_000, remaining=300, reset="700ms"), 0.6, 0.0)
    assert sent_in(limit, 0.6, 10.0, tokens=10) >= 500


def test_a_refusal_that_no_limit_explains_lowers_the_pace() -> None:
    """A server that says there is plenty, and refuses, is met by what it accepted so far."""
    plenty = headers(limit=60_000, remaining=59_999, reset="1ms")
    limit = told(plenty)
    tickets = [limit.take(0, now / 10) for now in range(40)]
    limit.pause(tickets[-1], plenty, 0.1, 4.0)
    assert 10 == pytest.approx(sent_in(limit, 4.1, 1.0), abs=3)


def test_a_server_without_limits_obeys_pauses_only() -> None:
    """A webhook has no headers."""
    limit = RateLimit.unlimited()
    tickets = [limit.take(1000, 0.0) for _ in range(1000) if not limit.wait(1000, 0.0)]
    assert 1000 == len(tickets)
    assert limit.use(0.0) is None
    limit.pause(tickets[-1], NONE, 3.0, 0.0)
    assert limit.wait(0, 0.0) == pytest.approx(3.0)


@pytest.mark.parametrize("text", ["", "many", "-1", "0", "²", "٣", "1e3", "9" * 5000, "1.5"])
def test_headers_that_are_no_numbers_are_not_said(text: str) -> None:
    """No header breaks the mirror."""
    limit = told({"x-ratelimit-limit-requests": text, "x-ratelimit-remaining-requests": "1"})
    assert [0.0] * 10 == [limit.wait(0, 0.0) for _ in range(10)]


TEXTS = st.sampled_from(
    ["0", "1", "50", "3000", "150000", "9" * 30, "-5", "", "x", "12ms", "1.5s", "6m0s", "23h59m", "9" * 28 + "h", "0s"]
)
GARBAGE = st.dictionaries(
    st.sampled_from(
        [f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset") for name in ("requests", "tokens")]
    ),
    TEXTS,
)
CALLS = st.tuples(
    st.sampled_from(["take", "take", "observe", "pause", "slow_down", "forget"]),
    st.floats(0, 100),
    GARBAGE,
    st.one_of(st.none(), st.integers(-5, 10**12)),
)


@given(
    st.builds(
        Limits,
        requests_per_minute=st.one_of(st.none(), st.integers(1, 10**9)),
        tokens_per_minute=st.one_of(st.none(), st.integers(1, 10**9)),
        requests_per_day=st.one_of(st.none(), st.integers(1, 10**9)),
    ),
    st.lists(CALLS, max_size=30),
    st.integers(0, 10**7),
)
def test_no_answer_breaks_it(
    limits: Limits, calls: list[tuple[str, float, dict[str, str], int | None]], n: int
) -> None:
    """Whatever a server says, nothing is raised, and each wait is a finite time."""
    limit, now, tickets = RateLimit(limits), 0.0, list[Ticket]()
    for call, seconds, said, used in calls:
        now += seconds
        assert 0.0 <= limit.wait(n, now, images=n % 3) < inf
        ticket = tickets.pop() if tickets and call != "take" else limit.take(n, now, images=n % 3)
        match call:
            case "take":
                tickets.append(ticket)
            case "observe":
                limit.observe(ticket, said, used, now)
            case "pause":
                limit.pause(ticket, said, seconds, now)
            case "slow_down":
                limit.slow_down(now)
            case "forget":
                limit.forget(ticket, now)
        use = limit.use(now)
        assert use is None or 0.0 <= use.share <= 1.0


@given(
    st.builds(
        Scenario,
        requests=st.integers(30, 10_000),
        tokens=st.integers(30_000, 1_000_000),
        burst_seconds=st.sampled_from([1.0, 60.0]),
        tells_limits=st.booleans(),
        tells_milliseconds=st.booleans(),
        charges_refusals=st.booleans(),
        tells_at_answer=st.booleans(),
    ),
    st.lists(st.booleans(), min_size=1, max_size=3),
    st.integers(0, 1000),
)
def test_everything_is_sent_in_the_end(scenario: Scenario, given_to: list[bool], seed: int) -> None:
    """Whatever the account, and whoever shares it, all records get through in bounded time."""
    account = Account(scenario, seed)
    limits = Limits(requests_per_minute=int(scenario.requests), tokens_per_minute=int(scenario.tokens))
    for is_given in given_to:
        account.add(limits if is_given else None, records=20)
    account.run(1000.0)
    assert [20] * len(given_to) == [len(process.done) for process in account.processes]
    least = 20 * len(given_to) * 60 / min(scenario.requests, scenario.tokens / 30)
    assert account.now <= 60 + 10 * least
