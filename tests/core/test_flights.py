"""The requests on their way: which is next, which wait, how many are on the wire."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.attempts import Ending, NoReply, RetryPolicy
from airflow_provider_openai_dest.delivery.flights import (
    AHEAD_BYTES,
    AHEAD_RECORDS,
    MOST_RECORDS,
    MOST_RETRIES,
    Flight,
    Flights,
)
from airflow_provider_openai_dest.delivery.verdict import Verdict
from tests.core.delivery_parts import refusal, reply, request

FAILED = refusal(503)
LIMITED = refusal(429, "rate_limit_exceeded", retry_after="3")
LOST = NoReply("ReadError", left=True)


def flights(*keys: str, is_read: bool = False, **policy: float) -> Flights:
    """Give flights of one request a key, without jitter: the first pause is 1 s."""
    made = Flights(RetryPolicy(**({"first_pause": 1.0, "max_attempts": 100} | policy)), lambda: 1.0)
    for key in keys:
        made.add(request(key))
    if is_read:
        made.end()
    return made


def key_of(flight: Flight | None) -> str | None:
    """Give the key of a flight's first record."""
    return None if flight is None else flight.request.records[0].key


def take(those: Flights, now: float = 0.0) -> Flight:
    """Take the next one, which must be there."""
    flight = those.first(now)
    assert flight is not None
    those.take(flight)
    return flight


def end(those: Flights, flight: Flight, answer: Ending, now: float = 0.0) -> None:
    """Land one with its answer, and line it up again when it is to be."""
    is_failure = isinstance(answer, NoReply) or answer.status_code >= 500
    those.answered(is_failure=is_failure)
    if flight.answered(answer) is None:
        those.again(flight, now)
    those.land(flight)


def fail_next(those: Flights, *answers: Ending, now: float = 0.0) -> None:
    """Take the next ones together, and give them these answers."""
    for flight, answer in zip([take(those, now) for _ in answers], answers, strict=True):
        end(those, flight, answer, now)


def order(those: Flights, now: float) -> list[str | None]:
    """Take and deliver everything that may go now; give the keys in their order."""
    keys = []
    while (flight := those.first(now)) is not None:
        keys.append(key_of(flight))
        those.take(flight)
        end(those, flight, reply())
    return keys


def test_what_is_new_goes_in_the_order_of_the_source() -> None:
    """One after the other."""
    assert ["a", "b", "c"] == order(flights("a", "b", "c"), 0.0)


def test_a_look_takes_nothing() -> None:
    """As long as the first one may not go, it stays the first."""
    those = flights("a", "b")
    assert those.first(0.0) is those.first(1.0)
    assert (0, ["a", "b"]) == (those.in_flight, order(those, 2.0))


def test_what_the_rate_limit_refused_goes_first_of_all() -> None:
    """Its pause is everybody's, and is the rate limit's to keep."""
    those = flights("limited", "failed", "new")
    fail_next(those, LIMITED, FAILED)
    assert ["limited", "failed", "new"] == order(those, 1.0)


def test_what_failed_goes_when_its_pause_is_over() -> None:
    """Others go meanwhile."""
    those = flights("failed", "new")
    fail_next(those, FAILED)
    assert ["new"] == order(those, 0.99)
    assert ["failed"] == order(those, 1.0)


def test_of_those_that_failed_the_one_with_the_shortest_pause_goes_first() -> None:
    """Whichever failed first."""
    those = flights("later", "sooner")
    fail_next(those, refusal(503, retry_after="9"), refusal(503, retry_after="2"))
    assert ["sooner", "later"] == order(those, 10.0)


def test_the_halves_of_a_pack_go_before_all_others() -> None:
    """Their records were among the first."""
    those = flights("new")
    those.add_instead([request("half"), request("other half")])
    assert {"half", "other half"} == set(order(those, 0.0)[:2])


def test_it_says_how_long_until_the_next_one_may_go() -> None:
    """When that is a question of time; else what changes it comes from elsewhere."""
    those = flights("a")
    before = those.wait(0.0)
    fail_next(those, FAILED)
    assert (float("inf"), 0.75, 0.0) == (before, those.wait(0.25), those.wait(5.0))


def test_what_is_on_the_wire_is_counted() -> None:
    """Until it lands."""
    those = flights("a", "b")
    flight = take(those)
    take(those)
    both = those.in_flight
    those.land(flight)
    assert (2, 1) == (both, those.in_flight)


def test_a_request_is_told_from_one_that_was_sent_before() -> None:
    """Whatever it was that sent it back: those may be billed twice."""
    for answer in (FAILED, LIMITED, LOST):
        those = flights("a")
        told = []
        for now in (0.0, 10.0):
            flight = those.first(now)
            assert flight is not None
            told.append(those.take(flight))
            end(those, flight, answer, now)
        assert [False, True] == told


def test_large_requests_are_fewer_on_the_wire() -> None:
    """Memory is bounded by records, not by requests."""
    those = Flights(RetryPolicy(), lambda: 1.0)
    keys = [str(number) for number in range(MOST_RECORDS // 4)]
    for _ in range(6):
        those.add(request(*keys))
    landed = [take(those) for _ in range(4)]
    full = those.first(0.0), those.wait(0.0)
    those.land(landed[0])
    assert (None, float("inf")) == full
    assert those.first(0.0) is not None


def test_records_with_many_values_are_fewer_on_the_wire() -> None:
    """What comes back is a vector for each of them."""
    those = Flights(RetryPolicy(), lambda: 1.0)
    for name in "abc":
        those.add(request(name, values=MOST_RECORDS // 2))
    landed = [take(those) for _ in range(2)]
    assert those.first(0.0) is None
    those.land(landed[0])
    assert those.first(0.0) is not None


def test_a_few_failures_are_tried_again_while_others_wait() -> None:
    """Before what was never sent: their records wait the longest."""
    those = flights(*"abcdefgh")
    fail_next(those, *[FAILED] * 4)
    assert list("abcdefgh") == order(those, 1.0)


def test_a_server_in_trouble_gets_no_retries_on_top() -> None:
    """What is new goes first, since it costs the server no more than before."""
    those = flights(*"abcdefgh", "new")
    fail_next(those, *[FAILED] * 8)
    assert ["new", *"abcdefgh"] == order(those, 1.0)


def test_retries_without_budget_go_when_nothing_else_can() -> None:
    """One at a time: the next when it has landed."""
    those = flights(*"abcdefgh", is_read=True)
    fail_next(those, *[FAILED] * 8)
    one = take(those, 1.0)
    assert ("a", None, float("inf")) == (key_of(one), key_of(those.first(1.0)), those.wait(1.0))
    end(those, one, FAILED, 1.0)
    assert key_of(those.first(1.0)) == "b"


def test_at_the_end_each_answer_lets_one_retry_go() -> None:
    """Only retries are left, so nothing is held up by them."""
    those = flights(*"abcdefgh", is_read=True)
    fail_next(those, *[FAILED] * 8)
    assert list("abcdefgh") == order(those, 1.0)


def test_so_many_may_wait_for_a_retry_and_no_more() -> None:
    """Memory is bounded, too: beyond that they go whatever the budget says."""
    those = flights(*(str(number) for number in range(MOST_RETRIES + 2)))
    fail_next(those, *[FAILED] * MOST_RETRIES)
    at_most = key_of(those.first(1.0))
    fail_next(those, FAILED)
    assert (str(MOST_RETRIES), "0") == (at_most, key_of(those.first(1.0)))


def test_all_have_ended_when_the_source_has_and_nothing_waits() -> None:
    """Neither what is new, nor what is tried again."""
    those = flights("a")
    told = [those.have_ended]
    those.end()
    told.append(those.have_ended)
    fail_next(those, FAILED)
    told.append(those.have_ended)
    order(those, 1.0)
    told.append(those.have_ended)
    assert [False, False, False, True] == told


def test_it_says_when_there_is_something_new_to_send() -> None:
    """Only then somebody may be waiting for it."""
    those = flights()
    assert [True, False, False] == [those.add(request(key)) for key in "abc"]


def test_no_more_is_read_ahead_than_may_wait() -> None:
    """The source goes on when half of it has gone."""

    async def run() -> list[bool]:
        those = flights(*(str(number) for number in range(AHEAD_RECORDS - 1)))
        await those.wait_for_room()
        those.add(request("last"))
        waiting = asyncio.ensure_future(those.wait_for_room())
        told = []
        for number in (0, AHEAD_RECORDS // 2, 1):
            for _ in range(number):
                take(those)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            told.append(waiting.done())
        return told

    assert [False, False, True] == asyncio.run(run())


def test_large_bodies_are_fewer_read_ahead() -> None:
    """What they have in memory counts as well; the source goes on when enough of them have gone."""
    body = bytes(AHEAD_BYTES // 4)

    async def run() -> list[bool]:
        those = flights()
        for key in "abcd":
            those.add(replace(request(key), content=body))
        waiting = asyncio.ensure_future(those.wait_for_room())
        told = []
        for number in (0, 1):
            for _ in range(number):
                take(those)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            told.append(waiting.done())
        return told

    assert [False, True] == asyncio.run(run())


def test_a_stop_ends_the_waiting_for_room() -> None:
    """The source is asked for no more."""

    async def run() -> None:
        async with asyncio.timeout(5):
            those = flights(*(str(number) for number in range(AHEAD_RECORDS)))
            waiting = asyncio.ensure_future(those.wait_for_room())
            await asyncio.sleep(0)
            those.stop()
            await waiting

    asyncio.run(run())


def test_a_stop_leaves_what_was_not_sent_for_the_next_try() -> None:
    """With what is known of it: how often it was tried, why it failed, and whether it may have been billed."""
    those = flights("limited", "failed", "lost", "new")
    fail_next(those, LIMITED, FAILED, LOST)
    found = {sent.records[0].key: conclusion for sent, conclusion in those.unsent()}
    assert {Verdict.ABORT} == {conclusion.verdict for conclusion in found.values()}
    assert {
        "limited": (0, "rate_limit_exceeded", False),
        "failed": (1, "http_503", False),
        "lost": (1, "answer_lost", True),
        "new": (0, None, False),
    } == {
        key: (conclusion.attempts, conclusion.error and conclusion.error.code, conclusion.maybe_billed)
        for key, conclusion in found.items()
    }


def test_what_ended_says_why() -> None:
    """So that whoever gives up the server can tell."""
    flight = Flight(request("a"), RetryPolicy(max_attempts=1), lambda: 1.0)
    conclusion = flight.answered(FAILED)
    assert conclusion is not None
    assert conclusion.error is not None
    assert conclusion.error is flight.attempt.error


ANSWERS = {"ok": reply(), "failed": FAILED, "limited": LIMITED, "lost": LOST, "refused": refusal(400)}
steps = st.one_of(
    st.sampled_from(["add", "take", "later"]),
    st.tuples(st.integers(0, 9), st.sampled_from(sorted(ANSWERS))),
)


@given(st.lists(steps, max_size=80))
def test_no_request_is_lost_or_sent_twice_at_once(script: list[str | tuple[int, str]]) -> None:
    """Whatever happens: each that was added is on the wire, has ended, or is given as unsent."""
    those, now, added, ended = flights(max_attempts=3), 0.0, 0, 0
    flying: list[Flight] = []
    for step in script:
        if step == "add":
            those.add(request(str(added)))
            added += 1
        elif step == "later":
            now += 2.0
        elif step == "take" and (flight := those.first(now)) is not None:
            assert flight not in flying
            those.take(flight)
            flying.append(flight)
        elif flying and not isinstance(step, str):
            flight = flying.pop(step[0] % len(flying))
            conclusion = flight.answered(ANSWERS[step[1]])
            ended += conclusion is not None
            if conclusion is None:
                those.again(flight, now)
            those.land(flight)
        assert len(flying) == those.in_flight
    left = [sent.records[0].key for sent, _ in those.unsent()]
    assert len(left) == len(set(left))
    assert added == len(flying) + ended + len(left)
