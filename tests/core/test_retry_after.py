"""How long the server asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_openai_dest.limits.retry_after import read_count, read_duration, read_reset, read_retry_after

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
ONE_PAST = "Sun, 22 Nov 2026 12:01:00 GMT"

# headers -> seconds
ASKED: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing": ({}, None),
    "seconds": ({"retry-after": "7"}, 7.0),
    "a fraction": ({"retry-after": "0.25"}, 0.25),
    "zero": ({"retry-after": "0"}, 0.0),
    "milliseconds": ({"retry-after-ms": "1250"}, 1.25),
    "milliseconds win": ({"retry-after-ms": "50", "retry-after": "9"}, 0.05),
    "broken milliseconds": ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
    "a date": ({"retry-after": ONE_PAST, "date": NOON}, 60.0),
    "a date that is over": ({"retry-after": NOON, "date": ONE_PAST}, 0.0),
    "a date in another zone": ({"retry-after": "Sun, 22 Nov 2026 13:01:00 +0100", "date": NOON}, 60.0),
    "a date without a zone": ({"retry-after": "Sun, 22 Nov 2026 12:01:00", "date": NOON}, 60.0),
    "a date and no clock": ({"retry-after": ONE_PAST}, 30.0),
    "a date and a broken clock": ({"retry-after": ONE_PAST, "date": "noon"}, 30.0),
    "a proxy's name for it": ({"llm_provider-retry-after": "3"}, 3.0),
    "below zero": ({"retry-after": "-1"}, None),
    "not a number": ({"retry-after": "nan"}, None),
    "for ever": ({"retry-after": "inf"}, None),
    "words": ({"retry-after": "tomorrow"}, None),
}

DURATIONS = {
    "12ms": 0.012,
    "1s": 1.0,
    "1.5s": 1.5,
    "6m0s": 360.0,
    "1m2s": 62.0,
    "1h0m0.5s": 3600.5,
    "20us": 0.00002,
    "20µs": 0.00002,
    "7ns": 0.000000007,
    "0s": 0.0,
    "": None,
    "s": None,
    "5": None,
    "-5s": None,
    "5 s": None,
    "1e3s": None,
    "1" * 400 + "s": None,
}

# limit, remaining, reset of a minute's limit, and the share of it that is needed
SHARES: dict[str, tuple[tuple[str, str, str], int, float | None]] = {
    "one request of an empty limit": (("60", "0", "60s"), 1, 1.0),
    "a burst of one second": (("3000", "0", "1s"), 30, 0.01),
    "some are left": (("60", "20", "40s"), 25, 5.0),
    "enough is left": (("60", "20", "40s"), 20, None),
    "more than the limit": (("60", "0", "60s"), 600, 60.0),
    "full": (("60", "60", "0s"), 1, None),
    "no limit": (("0", "0", "60s"), 1, None),
    "broken": (("many", "0", "60s"), 1, None),
}


@pytest.mark.parametrize("case", ASKED)
def test_a_retry_after_is_read_to_the_letter(case: str) -> None:
    """Seconds, milliseconds and dates are obeyed; what is none of them is not said."""
    headers, seconds = ASKED[case]
    assert seconds == read_retry_after(headers, lambda: datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC))


@pytest.mark.parametrize("text", DURATIONS)
def test_a_duration_is_read_as_go_writes_it(text: str) -> None:
    """``6m0s`` is six minutes; anything else is no duration."""
    assert DURATIONS[text] == pytest.approx(read_duration(text))


@pytest.mark.parametrize("case", SHARES)
def test_a_reset_is_waited_for_by_the_share_that_is_needed(case: str) -> None:
    """The reset tells when the limit is full again, and one request needs only its share of that."""
    (limit, left, reset), need, seconds = SHARES[case]
    headers = {
        "x-ratelimit-limit-tokens": limit,
        "x-ratelimit-remaining-tokens": left,
        "x-ratelimit-reset-tokens": reset,
    }
    assert seconds == pytest.approx(read_reset(headers, need))


def test_the_longer_of_two_limits_is_waited_for() -> None:
    """Requests and tokens must both be there."""
    headers = {
        f"x-ratelimit-{what}-{name}": value
        for name, values in {"requests": ("60", "0", "60s"), "tokens": ("100", "0", "50s")}.items()
        for what, value in zip(("limit", "remaining", "reset"), values, strict=True)
    }
    assert read_reset(headers, 10) == pytest.approx(5.0)


@given(st.text(max_size=60))
@example("²")
@example("٣s")
@example("Sun, 22 Nov 2026 12:00:00 +99999999999999")
@example("1 Jan 99999 00:00:00")
@example("9" * 5000)
def test_no_header_breaks_the_reading(text: str) -> None:
    """Whatever the server says, it is a number of seconds or nothing."""
    for header in ("retry-after", "retry-after-ms"):
        for date in (text, NOON):
            seconds = read_retry_after({header: text, "date": date})
            assert seconds is None or 0 <= seconds < float("inf")
    for seconds in (
        read_duration(text),
        read_reset({f"x-ratelimit-{what}-requests": text for what in ("limit", "remaining", "reset")}, 1),
    ):
        assert seconds is None or 0 <= seconds < float("inf")
    assert read_count(text) is None or text.isascii()
