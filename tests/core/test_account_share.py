"""The governor on simulated accounts: how much of the allowance it gets, what is refused, and how others fare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_openai_dest.limits.rate_limit import Limits
from tests.core.account_simulation import S1, S2, S3, SCENARIOS, Account, Process, Scenario, achieved

SECONDS = 40.0
"""How long those run that share an account."""


def limits_of(scenario: Scenario) -> Limits:
    """Give the account's own limits as the user's."""
    return Limits(requests_per_minute=int(scenario.requests), tokens_per_minute=int(scenario.tokens))


def refused(account: Account, begin: float = 0.0) -> float:
    """Give the share of all calls from then on that was refused."""
    refusals = sum(when >= begin for process in account.processes for when in process.refused)
    answers = sum(when >= begin for process in account.processes for when, _ in process.done)
    return refusals / (refusals + answers)


def pace(process: Process, begin: float, seconds: float) -> float:
    """Give how many requests a second were sent in a time."""
    return sum(begin <= when < begin + seconds for when, _ in process.sent) / seconds


def least_part(account: Account, begin: float, end: float) -> float:
    """Give the least that one of the processes got in a time, as a part of its fair share; in tokens."""
    got = [sum(tokens for when, tokens in process.done if begin <= when <= end) for process in account.processes]
    return min(got) * len(got) / sum(got)


@pytest.mark.parametrize("charges_refusals", [False, True])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_known_allowance_is_used_to_the_full(name: str, *, charges_refusals: bool) -> None:
    """With the limits given, 98 % of what the account allows is sent, and nearly nothing is refused."""
    account = Account(replace(SCENARIOS[name], charges_refusals=charges_refusals))
    process = account.add(limits_of(account.scenario), records=1000)
    account.run()
    assert len(process.done) == 1000
    assert achieved(account, 0.0, process.ended) >= 0.98
    assert refused(account) <= 0.002


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_unknown_allowance_is_learnt_and_used(name: str) -> None:
    """With nothing given, the headers alone lead to 97.5 % of what the account allows."""
    account = Account(SCENARIOS[name])
    process = account.add(records=1000)
    account.run()
    assert len(process.done) == 1000
    assert achieved(account, 0.0, process.ended) >= 0.975
    assert refused(account) <= 0.002


SHARINGS = {
    "two at once": [(0, SECONDS), (0, SECONDS)],
    "four at once": [(0, SECONDS)] * 4,
    "one after the other": [(0, SECONDS), (0.7, SECONDS), (1.5, SECONDS), (3.1, SECONDS)],
    "one comes late": [(0, SECONDS), (10, SECONDS)],
    "one leaves": [(0, SECONDS), (0, SECONDS), (0, 20)],
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("sharing", SHARINGS)
def test_processes_share_an_account(name: str, sharing: str) -> None:
    """Who shares an account gets a fair part of it, all of it is used, and little is refused."""
    account = Account(SCENARIOS[name])
    for number, (start, until) in enumerate(SHARINGS[sharing]):
        account.add(None if number % 2 else limits_of(account.scenario), start=start, until=until)
    account.run()
    begin, end = max(start for start, _ in SHARINGS[sharing]), min(until for _, until in SHARINGS[sharing])
    assert achieved(account, begin, end, capacity=begin == 0) >= 0.95
    assert achieved(account, 0.0, max(process.ended for process in account.processes)) >= 0.95
    assert refused(account) <= 0.01
    assert least_part(account, begin, end) >= 0.5


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_foreign_user_leaves_is_used(name: str) -> None:
    """Somebody who takes half of the account at a steady rate gets it, and we the other half."""
    account = Account(SCENARIOS[name])
    process = account.add(until=SECONDS)
    binding = account.buckets["tokens" if name == "S3" else "requests"]
    each = 60 if name == "S3" else 1
    account.at(0.0, account.foreign, binding.rate / 2 / each, 60, SECONDS)
    account.run(SECONDS)
    got = sum(tokens if name == "S3" else 1 for _, tokens in process.done)
    assert got / (binding.capacity + binding.rate / 2 * SECONDS) >= 0.95
    assert refused(account) <= 0.01


@pytest.mark.parametrize("tells_milliseconds", [True, False])
@pytest.mark.parametrize("scenario", [S1, S3])
def test_refusals_alone_find_the_pace(scenario: Scenario, *, tells_milliseconds: bool) -> None:
    """A server that only refuses, and says when to come again, is used to 95 %, and soon refuses little."""
    account = Account(replace(scenario, tells_limits=False, tells_milliseconds=tells_milliseconds))
    process = account.add(until=60.0)
    account.run()
    assert achieved(account, 0.0, process.ended) >= 0.95
    assert refused(account, 15.0) <= 0.05


@pytest.mark.parametrize("tells_limits", [True, False])
def test_a_plea_to_slow_down_is_heard_and_forgotten(*, tells_limits: bool) -> None:
    """The pace falls while a server asks to slow down, and is back at 90 % within 10 s after that."""
    account = Account(replace(S1, tells_limits=tells_limits))
    account.failing = (15.0, 18.0)
    process = account.add(until=SECONDS)
    account.run()
    before = pace(process, 10.0, 5.0)
    assert pace(process, 17.0, 1.0) <= 0.3 * before
    assert pace(process, 28.0, 2.0) >= 0.9 * before


@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("scenario", [S1, S2])
def test_a_limit_that_changes_is_followed(scenario: Scenario, factor: float) -> None:
    """When the headers tell another limit, it is used to the full after three seconds, and hardly passed before."""
    account = Account(scenario)
    account.add(until=SECONDS)
    account.at(12.0, account.change, factor)
    account.run()
    assert achieved(account, 15.0, SECONDS, capacity=False) >= 0.95
    assert refused(account) <= 0.01


def test_what_the_user_gave_is_never_exceeded() -> None:
    """A given limit below the account's holds over any minute, but for one second's worth."""
    account = Account(replace(S1, burst_seconds=60))
    process = account.add(Limits(requests_per_minute=600), until=100.0)
    account.run()
    sent = [when for when, _ in process.sent]
    assert max(sum(begin <= when < begin + 60.0 for when in sent) for begin in sent) <= 610
    assert len(sent) >= 0.98 * 1000


def test_the_account_wins_over_what_the_user_gave() -> None:
    """A given limit above the account's does no harm."""
    account = Account(S1)
    process = account.add(Limits(requests_per_minute=30_000), records=1000)
    account.run()
    assert achieved(account, 0.0, process.ended) >= 0.97
    assert refused(account) <= 0.05


def test_a_count_of_tokens_by_another_rule_is_learnt() -> None:
    """An estimate that is wrong by a constant factor costs nothing after a while."""
    account = Account(S3)
    process = account.add(records=1000, estimates=4.0)
    account.run()
    assert achieved(account, 0.0, process.ended) >= 0.95
