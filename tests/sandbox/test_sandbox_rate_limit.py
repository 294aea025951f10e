"""The sandbox holds callers to its limits as OpenAI does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from airflow_provider_openai_dest.sandbox.answers import ApiError
from airflow_provider_openai_dest.sandbox.app import create_app
from airflow_provider_openai_dest.sandbox.rate_limit import RateLimit, go_duration
from airflow_provider_openai_dest.sandbox.settings import SandboxSettings
from airflow_provider_openai_dest.sandbox.state import SandboxState

EMBED = {"model": "text-embedding-3-small", "input": "a" * 40, "dimensions": 2}


def limit(requests=None, tokens=None, burst=1.0):
    return RateLimit(requests_per_minute=requests, tokens_per_minute=tokens, burst_seconds=burst)


def refusal_of(limit, *, tokens=1, now=0.0):
    with pytest.raises(ApiError) as caught:
        limit.admit(tokens, now, "a-model")
    return caught.value


def test_a_caller_over_the_limit_gets_429():
    """The request over the limit gets OpenAI's 429, which says when to come again; each answer tells what is left."""
    now = 100.0
    settings = SandboxSettings(requests_per_minute=6, tokens_per_minute=60_000, burst_seconds=20)
    app = create_app(SandboxState(settings, clock=lambda: now))
    with TestClient(app, headers={"authorization": "Bearer key"}) as client:
        first, second = (client.post("/v1/embeddings", json=EMBED) for _ in range(2))
        now += 0.5
        third = client.post("/v1/embeddings", json=EMBED)
        unlimited = client.get("/v1/models")
        stats = client.get("/sandbox/stats").json()
        client.post("/sandbox/reset")
        after_reset = client.post("/v1/embeddings", json=EMBED)

    assert [200, 200, 429, 200] == [answer.status_code for answer in (first, second, third, after_reset)]
    assert ("6", "60000") == tuple(first.headers[f"x-ratelimit-limit-{name}"] for name in ("requests", "tokens"))
    assert ("1", "19990") == tuple(first.headers[f"x-ratelimit-remaining-{name}"] for name in ("requests", "tokens"))
    assert first.headers["x-ratelimit-reset-requests"] == "10s"
    assert third.json()["error"]["type"] == "requests"
    assert third.json()["error"]["code"] == "rate_limit_exceeded"
    assert ("10", "9500") == (third.headers["retry-after"], third.headers["retry-after-ms"])
    assert "x-ratelimit-limit-requests" not in unlimited.headers
    assert (2, 20) == (stats["executions"], stats["tokens"])


def test_a_bucket_refills_at_its_rate():
    """At 120 a minute with a burst of two seconds, four pass at once and then two a second."""
    bucket = limit(requests=120, burst=2)
    for _ in range(4):
        bucket.admit(1, 0.0, "a-model")

    assert refusal_of(bucket).headers == {"retry-after": "1", "retry-after-ms": "500"}
    bucket.admit(1, 0.5, "a-model")
    assert refusal_of(bucket, now=0.5).status == 429


def test_tokens_are_limited_too():
    """The tokens' bucket refuses with its own word, though requests are left; a refusal costs nothing."""
    bucket = limit(requests=600, tokens=600, burst=1)
    bucket.admit(10, 0.0, "a-model")

    assert refusal_of(bucket, tokens=5).error["type"] == "tokens"
    assert bucket.headers(0.0)["x-ratelimit-remaining-requests"] == "9"


def test_a_request_larger_than_the_bucket_passes_when_it_is_full():
    """A request larger than the burst is let through once and paid for afterwards; it never waits for ever."""
    bucket = limit(tokens=600, burst=1)
    bucket.admit(40, 0.0, "a-model")

    assert bucket.headers(0.0) == {
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "4s",
    }
    assert refusal_of(bucket, tokens=40).headers["retry-after-ms"] == "4000"
    bucket.admit(40, 4.0, "a-model")


def test_a_request_larger_than_the_limit_never_passes():
    """A request with more tokens than the limit a minute is refused without a time to come again."""
    error = refusal_of(limit(tokens=600), tokens=601)

    assert error.error["message"].startswith("Request too large for a-model")
    assert error.headers == {}


@given(
    rate=st.integers(1, 100_000),
    burst=st.floats(0.1, 60),
    gaps=st.lists(st.floats(0, 10), min_size=1, max_size=50),
)
def test_no_more_passes_than_burst_and_rate_allow(rate, burst, gaps):
    """However requests come, no more pass than the bucket held plus what flowed in; whoever waits as told, passes."""
    bucket, now, passed = limit(requests=rate, burst=burst), 0.0, 0
    for gap in gaps:
        now += gap
        try:
            bucket.admit(1, now, "a-model")
        except ApiError as error:
            now += int(error.headers["retry-after-ms"]) / 1000
            bucket.admit(1, now, "a-model")
        passed += 1
    assert passed <= max(1.0, rate / 60 * burst) + rate / 60 * now + 0.001


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "1ms"),
        (0.012, "12ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (62, "1m2s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (3661.25, "1h1m1.25s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(seconds, text):
    """Reset headers are Go durations in whole milliseconds, rounded up."""
    assert text == go_duration(seconds)
