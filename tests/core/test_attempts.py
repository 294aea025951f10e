"""The retry policy: what is tried again, when, and how it ends. Nothing here sends or waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.attempts import (
    Attempt,
    Conclusion,
    NoReply,
    Reply,
    RetryPolicy,
    attempts,
)
from airflow_provider_openai_dest.delivery.verdict import WEBHOOK, Verdict
from tests.core.delivery_parts import refusal, reply, request

LOST = NoReply("ReadTimeout", left=True)
NOT_SENT = NoReply("ConnectError", left=False)
UNREADABLE = NoReply("the answer has more than 10 bytes", left=True, is_final=True)
BUSY = refusal(503, "server_is_overloaded")


def drive(
    *replies: Reply | None, random: Callable[[], float] = lambda: 1.0, **policy: Any
) -> tuple[list[Attempt], Conclusion]:
    """Send these replies to a policy; gives its attempts and the end, which must come with the last reply."""
    generator = attempts(RetryPolicy(**policy), request(tokens=10), random)
    made = [next(generator)]
    for number, one in enumerate(replies):
        try:
            made.append(generator.send(one))
        except StopIteration as end:
            assert number == len(replies) - 1, "the policy ended before the last reply"
            return made, end.value
    raise AssertionError("the policy did not end with the last reply")


def test_a_delivery_ends_at_once() -> None:
    """One attempt without a pause, and the answer."""
    answer = reply()
    made, end = drive(answer)
    assert [0.0] == [attempt.after for attempt in made]
    assert Conclusion(verdict=Verdict.DELIVERED, response=answer, attempts=1) == end


def test_a_refused_record_is_not_tried_again() -> None:
    """A 400 stays a 400."""
    _, end = drive(refusal(400, "bad", "no"))
    assert end.error is not None
    assert (Verdict.REJECTED, 1, "bad", False) == (end.verdict, end.attempts, end.error.code, end.is_open)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
def test_a_failing_server_is_tried_five_times(status: int) -> None:
    """Then the records are left for the next try: it was not their fault."""
    _, end = drive(*[refusal(status)] * 5)
    assert (True, True, 5, False) == (end.exhausted, end.is_open, end.attempts, end.maybe_billed)


def test_what_never_left_is_tried_five_times() -> None:
    """A connection that can't be made costs nothing to try again."""
    _, end = drive(*[NOT_SENT] * 5)
    assert end.error is not None
    assert (True, 5, False, "not_sent") == (end.exhausted, end.attempts, end.maybe_billed, end.error.code)


def test_the_pauses_double_up_to_their_bound() -> None:
    """With full jitter at its highest: 0.5, 1, 2, 4 and never more than the longest pause."""
    made, _ = drive(*[BUSY] * 9, max_attempts=9, longest_pause=10.0)
    assert [0, 0.5, 1, 2, 4, 8, 10, 10, 10] == [attempt.after for attempt in made]


def test_a_pause_has_full_jitter() -> None:
    """A pause may be anything down to nothing, so that many clients do not come back at once."""
    made, _ = drive(*[BUSY] * 5, random=lambda: 0.25)
    assert [0, 0.125, 0.25, 0.5, 1] == [attempt.after for attempt in made]


def test_thousands_of_attempts_do_not_overflow() -> None:
    """The doubling ends where it is beyond any pause."""
    made, _ = drive(*[BUSY] * 3000, max_attempts=3000)
    assert made[-1].after == 60.0


def test_the_server_says_when_to_come_back() -> None:
    """A Retry-After of a 503 is obeyed to the letter, and is this request's alone."""
    made, _ = drive(refusal(503, retry_after="17"), reply())
    assert (17.0, False) == (made[1].after, made[1].shared)


def test_a_rate_limit_is_waited_for_by_all_and_never_counted() -> None:
    """After a hundred 429s a request still has all its attempts."""
    limited = refusal(429, "rate_limit_exceeded", retry_after="3")
    made, end = drive(*[limited] * 100, *[BUSY] * 5)
    assert {(3.0, True)} == {(attempt.after, attempt.shared) for attempt in made[1:101]}
    assert (5, True) == (end.attempts, end.exhausted)


def test_a_rate_limit_without_retry_after_is_waited_for_by_its_reset() -> None:
    """Only the share that this request needs of the time to the full refill."""
    headers = {"x_ratelimit_limit_tokens": "60", "x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "60s"}
    made, _ = drive(refusal(429, **headers), reply())
    assert made[1].after == pytest.approx(10.0)


def test_a_rate_limit_that_says_nothing_backs_off() -> None:
    """The waits double, between half and all of their bound."""
    made, _ = drive(*[refusal(429)] * 3, reply(), random=lambda: 0.0)
    assert [0, 0.25, 0.5, 1] == [attempt.after for attempt in made]


def test_a_wait_of_a_rate_limit_is_never_shorter_than_half_of_its_bound() -> None:
    """All wait together, so it may not come out at nothing, as a pause may."""
    for chance, factor in ((0.0, 0.5), (0.5, 0.75), (1.0, 1.0)):
        made, _ = drive(refusal(429), reply(), first_pause=4.0, random=lambda chance=chance: chance)
        assert 4.0 * factor == made[1].after


@pytest.mark.parametrize(
    ("response", "asked"),
    [(refusal(503, retry_after="17"), True), (refusal(503, retry_after="0"), True), (BUSY, False), (LOST, False)],
    ids=["503 with a pause", "503 without a pause", "503 that says nothing", "no answer"],
)
def test_a_pause_that_the_server_names_is_told_from_our_own(response: Reply, asked: bool) -> None:  # noqa: FBT001
    """Everybody may obey it."""
    made, _ = drive(response, reply())
    assert [False, asked] == [attempt.asked for attempt in made]


@pytest.mark.parametrize(
    ("response", "slower"),
    [
        (refusal(503, "slow_down"), True),
        (refusal(429, "slow_down"), True),
        (BUSY, False),
        (refusal(429, "rate_limit_exceeded"), False),
        (LOST, False),
    ],
    ids=["503 slow_down", "429 slow_down", "503", "429", "no answer"],
)
def test_a_server_that_asks_for_less_gets_less(response: Reply, slower: bool) -> None:  # noqa: FBT001
    """``slow_down`` says that everybody was too fast, whatever the limits say."""
    made, _ = drive(response, reply())
    assert [False, slower] == [attempt.slower for attempt in made]


def test_an_attempt_says_what_the_one_before_ended_with() -> None:
    """Should it be given up meanwhile, that is why."""
    made, _ = drive(BUSY, refusal(429, "rate_limit_exceeded"), LOST, reply())
    assert [None, "server_is_overloaded", "rate_limit_exceeded", "answer_lost"] == [
        attempt.error and attempt.error.code for attempt in made
    ]


def test_a_lost_answer_is_asked_for_once_more() -> None:
    """Each further try may be billed again, so there is one."""
    _, end = drive(LOST, LOST)
    assert end.error is not None
    assert (True, 2, True, "answer_lost") == (end.exhausted, end.attempts, end.maybe_billed, end.error.code)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_how_often_a_lost_answer_is_asked_for_is_the_authors_choice(retries: int) -> None:
    """``ambiguous_retries`` is counted over all the attempts of a request."""
    _, end = drive(*[LOST] * retries, LOST, ambiguous_retries=retries)
    assert retries + 1 == end.attempts


def test_an_answer_after_a_lost_one_may_be_the_second_that_is_billed() -> None:
    """It is delivered, and says so."""
    _, end = drive(LOST, reply())
    assert (Verdict.DELIVERED, True, 2) == (end.verdict, end.maybe_billed, end.attempts)


def test_an_unknown_fate_can_be_quarantined() -> None:
    """``quarantine_unknown`` rejects what a later run would send again, and it is not sent in halves either."""
    _, end = drive(LOST, ambiguous_retries=0, quarantine_unknown=True)
    assert (Verdict.REJECTED, False, True, False) == (end.verdict, end.is_open, end.maybe_billed, end.may_pass_halved)


def test_a_server_that_refuses_is_no_unknown_fate() -> None:
    """A 503 is an answer: nothing was billed, and the next try may send it."""
    _, end = drive(*[BUSY] * 5, quarantine_unknown=True)
    assert end.is_open


def test_an_answer_that_nobody_can_read_is_not_asked_for_again() -> None:
    """It would be as large the next time, and billed again."""
    _, end = drive(UNREADABLE)
    assert end.error is not None
    assert (Verdict.REJECTED, "bad_answer", True, False) == (end.verdict, end.error.code, end.maybe_billed, end.is_open)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_everything(status: int) -> None:
    """The records are left for the next try."""
    _, end = drive(refusal(status))
    assert (Verdict.ABORT, True) == (end.verdict, end.is_open)


def test_a_stop_leaves_the_record_for_the_next_try() -> None:
    """What was never sent has no error and no attempt."""
    _, end = drive(None)
    assert (True, 0, None, False) == (end.is_open, end.attempts, end.error, end.maybe_billed)


def test_a_stop_remembers_what_was_tried_before() -> None:
    """An answer that was lost before the stop may have been billed."""
    _, end = drive(LOST, None)
    assert end.error is not None
    assert (True, 1, "answer_lost", True) == (end.is_open, end.attempts, end.error.code, end.maybe_billed)


@pytest.mark.parametrize(
    ("response", "may"),
    [
        (refusal(400), True),
        (refusal(413), True),
        (refusal(422), True),
        (refusal(429, message="Request too large for x"), True),
        (refusal(404), False),
        (refusal(405), False),
        (refusal(500, x_should_retry="false"), False),
    ],
    ids=lambda value: str(value.status_code) if isinstance(value, httpx.Response) else "",
)
def test_only_a_refusal_of_the_content_is_halved(response: httpx.Response, may: bool) -> None:  # noqa: FBT001
    """Half of a pack meets the same wrong URL, and costs a request."""
    _, end = drive(response)
    assert may is end.may_pass_halved


def test_no_secret_is_in_the_reason() -> None:
    """What a library says of a failed connection may name a URL."""
    _, end = drive(NoReply("can't reach https://user:password@proxy.example", left=False), max_attempts=1)
    assert end.error is not None
    assert "password" not in end.error.message


def test_a_webhook_is_tried_as_its_own_table_says() -> None:
    """A 401 of a receiver refuses that item and stops nothing."""
    _, end = drive(reply(401), table=WEBHOOK)
    assert Verdict.REJECTED is end.verdict


replies = st.sampled_from(
    [LOST, NOT_SENT, UNREADABLE, BUSY, reply(), refusal(400), refusal(401), refusal(429), refusal(429, retry_after="2")]
)


@given(st.lists(replies, min_size=1, max_size=60), st.integers(1, 6), st.integers(0, 3), st.booleans(), st.floats(0, 1))
def test_every_script_of_replies_ends_within_the_bounds(
    script: list[Reply],
    most: int,
    ambiguous: int,
    quarantine: bool,  # noqa: FBT001
    chance: float,
) -> None:
    """At most ``max_attempts`` counted tries, at most one lost answer more than allowed, and no pause below zero."""
    policy = RetryPolicy(max_attempts=most, ambiguous_retries=ambiguous, quarantine_unknown=quarantine)
    generator = attempts(policy, request(), lambda: chance)
    attempt, lost = next(generator), 0
    for one in [*script, None]:
        assert 0 <= attempt.after <= 60
        lost += isinstance(one, NoReply) and one.left
        try:
            attempt = generator.send(one)
        except StopIteration as end:
            conclusion: Conclusion = end.value
            break
    assert 0 <= conclusion.attempts <= most
    assert conclusion.maybe_billed == (lost > 0)
    assert lost <= ambiguous + 1
    assert (conclusion.verdict is Verdict.DELIVERED) == (
        one is not None and isinstance(one, httpx.Response) and one.is_success
    )
