"""A rate limit for each model."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.limits.model_limits import MOST_MODELS, ModelLimits
from airflow_provider_openai_dest.limits.rate_limit import Limits

ONE_A_MINUTE = Limits(requests_per_minute=1)


def test_a_model_keeps_its_limit() -> None:
    """What was learnt of it counts for the next request."""
    limits = ModelLimits(ONE_A_MINUTE)
    assert limits.of("a") is limits.of("a")


def test_one_model_does_not_wait_for_another() -> None:
    """The account's limits are counted for each."""
    limits = ModelLimits(ONE_A_MINUTE)
    for _ in range(100):
        limits.of("a").take(0, 0.0)
    assert (True, 0.0) == (limits.of("a").wait(0, 0.0) > 0, limits.of("b").wait(0, 0.0))


def test_a_server_without_limits_never_makes_wait() -> None:
    """As a webhook's receiver."""
    limits = ModelLimits(None)
    for _ in range(1000):
        limits.of("").take(10**6, 0.0)
    assert limits.of("").wait(10**6, 0.0) == 0.0


def test_names_of_models_from_records_do_not_fill_the_memory() -> None:
    """Beyond so many they share one limit; the first ones keep theirs."""
    limits = ModelLimits(ONE_A_MINUTE)
    first = limits.of("model 0")
    different = {id(limits.of(f"model {number}")) for number in range(10 * MOST_MODELS)}
    assert MOST_MODELS + 1 == len(different)
    assert limits.of("model 500") is limits.of("model 600")
    assert first is limits.of("model 0")


def test_the_share_is_that_of_the_tightest_limit() -> None:
    """Of any model: 100 requests a second are allowed each, and 10, 50 and 25 are sent."""
    limits = ModelLimits(Limits(requests_per_minute=6000))
    for model, requests in (("a", 20), ("b", 100), ("c", 50)):
        for _ in range(requests):
            limits.of(model).take(0, 0.0)
    use = limits.use(0.0)
    assert use is not None
    assert ("b", "requests", 6000) == (use.model, use.name, use.a_minute)
    assert use.share == pytest.approx(0.5)


def test_without_a_known_limit_there_is_no_share() -> None:
    """Neither before the first request, nor while nothing was told."""
    limits = ModelLimits(None)
    before = limits.use(0.0)
    limits.of("a").take(0, 0.0)
    assert (None, None) == (before, limits.use(0.0))
