"""Driving many requests at once, over a fake wire and a fake clock. Nothing here waits for real."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_openai_dest.delivery.attempts import Conclusion, RetryPolicy
from airflow_provider_openai_dest.delivery.budget import Budget
from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.limits.rate_limit import PROBES, Limits
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.wire.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.wire.wire import UnreadableBodyError, WireRequest
from tests.core.delivery_parts import (
    FakeClock,
    FakeWire,
    dispatcher,
    each,
    lost,
    not_sent,
    refusal,
    reply,
    request,
    script,
)

LONGEST = 10.0  # seconds of real time that a run may take


@dataclass
class Run:
    """What became of the requests of one run."""

    wire: FakeWire
    dispatcher: Dispatcher
    ends: dict[str, Conclusion] = field(default_factory=dict)
    left: list[RenderedRequest] = field(default_factory=list)

    async def settle(self, asked: RenderedRequest, conclusion: Conclusion) -> Iterable[RenderedRequest]:
        """Keep the end of a request."""
        self.ends[asked.records[0].key] = conclusion
        return ()

    async def _run(self, requests: AsyncIterator[RenderedRequest]) -> None:
        async with asyncio.timeout(LONGEST):
            await self.dispatcher.run(requests, self.settle)
        self.left = [one async for one in requests]

    def run(self, requests: Iterable[RenderedRequest]) -> Run:
        """Run it, with a hard bound of real time."""
        asyncio.run(self._run(each(requests)))
        return self

    def verdicts(self) -> list[Verdict]:
        """Give the verdicts in the order of the ends."""
        return [end.verdict for end in self.ends.values()]

    def pending(self) -> int:
        """Count the requests that are left for the next try."""
        return sum(end.is_open for end in self.ends.values()) + len(self.left)


def run_of(requests: int | Sequence[RenderedRequest], *replies: Any, **settings: Any) -> Run:
    """Send so many requests; each gets the next of the replies, the last one for ever."""
    wire = FakeWire(script(*replies) if replies else lambda _: reply())
    wire.seconds = settings.pop("seconds", 0.0)
    asked = [request(str(number)) for number in range(requests)] if isinstance(requests, int) else requests
    return Run(wire, dispatcher(wire, **settings)).run(asked)


def test_every_request_is_sent_and_settled() -> None:
    """Once each."""
    run = run_of(20)
    assert ({str(number) for number in range(20)}, 20, {Verdict.DELIVERED}) == (
        set(run.ends),
        run.dispatcher.traffic.requests,
        set(run.verdicts()),
    )


def test_no_request_is_no_work() -> None:
    """An empty source ends at once, and the wire is closed."""
    run = run_of(0)
    assert (0, 1) == (run.dispatcher.traffic.requests, run.wire.closed)


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (4, 4), (64, 20)])
def test_so_many_are_on_the_wire_at_once(concurrency: int, most: int) -> None:
    """As many as allowed, and never more."""
    run = run_of(20, concurrency=concurrency, seconds=1.0)
    assert most == run.wire.most_in_flight


def test_the_wire_is_closed_inside_the_loop() -> None:
    """When all is settled, once, by whoever ran it."""
    assert run_of(3).wire.closed == 1


def test_a_pause_holds_up_no_other_request() -> None:
    """While one waits for its next attempt, the others are sent."""
    run = run_of(10, refusal(500), reply(), concurrency=2)
    assert (11, 0.5) == (run.dispatcher.traffic.requests, run.wire.clock.time)
    assert run.wire.when == [0.0] * 10 + [0.5]


def test_a_retry_after_is_obeyed_to_the_letter() -> None:
    """Not a moment earlier."""
    run = run_of(1, refusal(503, retry_after="17"), reply())
    assert [0.0, 17.0] == run.wire.when


def test_a_rate_limit_is_waited_for_by_all() -> None:
    """Nobody sends while it lasts, and no attempt is counted for it."""
    limited = refusal(429, "rate_limit_exceeded", retry_after="20")
    run = run_of(12, *[limited] * 4, reply(), concurrency=4, seconds=1.0)
    assert [0.0] * 4 == run.wire.when[:4]
    assert all(moment >= 21.0 for moment in run.wire.when[4:])
    assert ({1}, 4) == ({end.attempts for end in run.ends.values()}, run.dispatcher.traffic.limited)


def test_a_long_wait_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not once for each request that waits for it."""
    limited = refusal(429, "rate_limit_exceeded", retry_after="20")
    run_of(64, *[limited] * 32, reply(), concurrency=32, seconds=1.0)
    assert ["Waiting 20 s: the rate limit is reached, all requests wait"] == caplog.messages


def test_a_long_pause_of_failing_requests_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A server that asks all of them to come back in a minute has one line."""
    run_of(32, *[refusal(503, retry_after="60")] * 32, reply(), concurrency=32, seconds=1.0)
    assert ["Waiting 1 min 0 s: the server fails again and again, one request at a time probes it"] == caplog.messages


def test_a_limit_is_waited_for_by_one_and_not_by_each() -> None:
    """A herd that wakes each time a request may go would cost more than the sending."""
    run = run_of(200, concurrency=64, limits=Limits(requests_per_minute=600))
    assert len(run.wire.clock.slept) <= 3 * 200
    assert run.wire.clock.time == pytest.approx(20.0, abs=0.2)


def test_a_few_probes_go_before_the_others() -> None:
    """Until the first answer is there, the limits are not known."""
    run = run_of(20, concurrency=8, limits=Limits(), seconds=2.0)
    assert (PROBES, 20 - PROBES) == (run.wire.when.count(0.0), sum(moment >= 2.0 for moment in run.wire.when))


@pytest.mark.parametrize("failure", [not_sent(), refusal(500)], ids=["no answer", "a failure"])
def test_a_probe_that_fails_holds_nobody_up(failure: Any) -> None:
    """The others go, while the probe is tried again."""
    run = run_of(20, failure, reply(), concurrency=8, limits=Limits())
    assert (20, {Verdict.DELIVERED}) == (len(run.ends), set(run.verdicts()))
    assert sum(moment < 0.1 for moment in run.wire.when) == 20


ABORTS = {
    "401": refusal(401, "invalid_api_key", "Incorrect API key provided"),
    "403": refusal(403, None, "Country not supported"),
    "quota": refusal(429, "insufficient_quota", "You exceeded your current quota"),
}


@pytest.mark.parametrize("case", ABORTS)
def test_a_refused_account_stops_at_once(case: str) -> None:
    """At most what is on the wire follows; the rest is pending."""
    run = run_of(1000, ABORTS[case], concurrency=8, seconds=1.0)
    assert run.dispatcher.traffic.requests <= 8
    assert run.pending() == 1000
    assert run.dispatcher.abort is not None


def test_a_refused_account_on_the_way_keeps_what_was_delivered() -> None:
    """And what is still on the wire is settled."""
    run = run_of(100, *[reply()] * 10, ABORTS["401"], reply(), concurrency=4, seconds=1.0)
    delivered = run.verdicts().count(Verdict.DELIVERED)
    assert 10 <= delivered <= 13
    assert delivered + run.pending() == 100


def test_the_first_reason_for_a_stop_is_told() -> None:
    """What comes after it, because of it or not, is not."""
    run = run_of(10, ABORTS["quota"], ABORTS["401"], concurrency=4, seconds=1.0)
    assert run.dispatcher.abort is not None
    assert run.dispatcher.abort.code == "insufficient_quota"


def test_ten_first_records_refused_alike_stop_the_rest() -> None:
    """The model does not exist: ten requests, and those on the wire, say so."""
    run = run_of(1000, refusal(404, "model_not_found", "The model `x` does not exist"), concurrency=4, seconds=1.0)
    assert run.dispatcher.traffic.requests <= 10 + 4
    assert run.dispatcher.abort is not None
    assert "The model `x` does not exist" in run.dispatcher.abort.message


def test_an_outage_stops_the_sending(caplog: pytest.LogCaptureFixture) -> None:
    """A server that fails for minutes is left to the next try: the rest is pending, and the log says so once."""
    run = run_of(1000, refusal(503, "server_is_overloaded", "busy"), concurrency=64, seconds=1.0)
    assert (1000, 15.0) == (run.pending(), pytest.approx(run.wire.clock.time, abs=10))
    assert run.dispatcher.outage is not None
    assert ["server_is_overloaded: busy"] == [line.split("last ")[1] for line in caplog.messages if "down" in line]


@dataclass
class Storm:
    """A server that answers with 503 between two moments, and counts what it is sent then."""

    clock: FakeClock
    begin: float
    end: float
    sent: list[bytes] = field(default_factory=list)

    def __call__(self, asked: WireRequest) -> Any:
        if not self.begin <= self.clock.now() < self.end:
            return reply()
        assert isinstance(asked.content, bytes)
        self.sent.append(asked.content)
        return refusal(503)


def test_a_storm_is_not_made_worse() -> None:
    """A server that fails for a minute gets next to no request twice, and all records are delivered after it."""
    wire = FakeWire(seconds=0.2)
    storm = wire.answering = Storm(wire.clock, 10.0, 70.0)
    run = Run(wire, dispatcher(wire, concurrency=64, limits=Limits(requests_per_minute=3000)))
    run.run([request(str(number)) for number in range(2000)])
    assert {Verdict.DELIVERED} == set(run.verdicts())
    assert len(storm.sent) <= 1.1 * len(set(storm.sent))
    after = [moment for moment in wire.when if 80.0 <= moment < 90.0]
    assert len(after) >= 0.9 * 500


def test_a_wait_that_is_too_long_frees_the_worker() -> None:
    """What is on the wire ends, the rest is pending, and how long to wait is told."""
    run = run_of(9, *[reply()] * 4, refusal(429, retry_after="300"), concurrency=1, max_wait=120.0)
    assert (4, 5, 300.0) == (run.verdicts().count(Verdict.DELIVERED), run.pending(), run.dispatcher.long_wait)


@pytest.mark.parametrize(("seconds", "max_wait"), [("119", 120.0), ("300", None)])
def test_a_wait_that_is_short_enough_is_waited_for(seconds: str, max_wait: float | None) -> None:
    """Here, however long, when nothing is said of it."""
    run = run_of(9, refusal(429, retry_after=seconds), reply(), concurrency=1, max_wait=max_wait)
    assert (9, None) == (run.verdicts().count(Verdict.DELIVERED), run.dispatcher.long_wait)


def test_a_server_that_fails_for_some_is_no_outage() -> None:
    """They are tried to the last attempt and pending; the others are delivered."""
    wire = FakeWire(lambda asked: refusal(500) if b'"q": "7"' in asked.content else reply())
    run = Run(wire, dispatcher(wire, concurrency=1)).run([request(str(number)) for number in range(20)])
    assert (1, 19, None) == (run.pending(), run.verdicts().count(Verdict.DELIVERED), run.dispatcher.outage)
    assert 5 == run.ends["7"].attempts


def test_files_that_can_not_be_read_are_no_outage() -> None:
    """They say nothing of the server: each is tried to its last attempt, and the others go."""
    error = UnreadableBodyError("can't read the file")
    run = run_of(40, *[error] * 30, reply(), concurrency=4)
    assert (None, 0) == (run.dispatcher.outage, run.pending())
    assert run.wire.clock.time < 30


# what the wire raises -> attempts, code, whether it may have been billed
NO_REPLIES: dict[str, tuple[Exception, tuple[int, str, bool]]] = {
    "never left": (not_sent(), (5, "not_sent", False)),
    "a file is gone": (UnreadableBodyError("can't read the file"), (5, "not_sent", False)),
    "lost": (lost(), (2, "answer_lost", True)),
    "too large": (UnusableAnswerError("more than 10 bytes"), (1, "bad_answer", True)),
}


@pytest.mark.parametrize("case", NO_REPLIES)
def test_a_request_without_an_answer_is_judged_by_whether_it_left(case: str) -> None:
    """What may have been billed is tried once more, what never left five times."""
    error, told = NO_REPLIES[case]
    end = run_of(1, error).ends["0"]
    assert end.error is not None
    assert told == (end.attempts, end.error.code, end.maybe_billed)


def test_what_comes_in_the_place_of_a_request_is_sent() -> None:
    """The halves of a refused pack, until none is left."""
    wire = FakeWire(lambda asked: refusal(400) if asked.content.count(b'"q"') > 1 else reply())
    run = Run(wire, dispatcher(wire))
    ends = []

    async def settle(asked: RenderedRequest, conclusion: Conclusion) -> Iterable[RenderedRequest]:
        middle = len(asked.records) // 2
        if conclusion.may_pass_halved and middle:
            keys = [record.key for record in asked.records]
            return [request(*keys[:middle]), request(*keys[middle:])]
        ends.append(asked.records)
        return ()

    run.settle = settle  # type: ignore[method-assign]
    run.run([request(*"abcdefgh")])
    assert list("abcdefgh") == sorted(record.key for (record,) in ends)
    assert run.dispatcher.traffic.requests == 15


@pytest.mark.parametrize("where", ["before", "in a pause", "in a rate limit", "on the wire"])
def test_a_stop_ends_the_run_soon(where: str) -> None:
    """Whatever it waits for; what is on the wire still ends and is settled, nothing is lost."""

    async def run() -> None:
        wire = FakeWire(lambda _: refusal(503, retry_after="3600") if where == "in a pause" else reply())
        if where == "on the wire":
            released = asyncio.Event()
            wire.clock.sleep = lambda *_: released.wait()  # type: ignore[method-assign, assignment]
            wire.seconds = 1.0
        limit = Limits(requests_per_minute=1) if where == "in a rate limit" else None
        sending = Run(wire, dispatcher(wire, clock=SystemClock(), limits=limit, concurrency=3))
        if where == "before":
            sending.dispatcher.stop()
        task = asyncio.create_task(sending._run(each([request(str(number)) for number in range(9)])))
        for _ in range(30):
            await asyncio.sleep(0)
        assert task.done() == (where == "before")
        sending.dispatcher.stop()
        if where == "on the wire":
            for _ in range(30):
                await asyncio.sleep(0)
            assert not task.done()
            released.set()
        async with asyncio.timeout(1):
            await task
        delivered = sending.verdicts().count(Verdict.DELIVERED)
        assert delivered + sending.pending() == 9
        assert {"before": 0, "in a pause": 0, "in a rate limit": 1, "on the wire": 3}[where] == delivered

    asyncio.run(run())


class FaultError(Exception):
    """A fault of this package."""


@pytest.mark.parametrize("where", ["source", "settle", "address"])
def test_a_fault_is_raised_as_it_is(where: str) -> None:
    """One clear exception, no group of them; after what was on the wire has been settled, and the wire closed."""
    settled = []

    async def source() -> AsyncIterator[RenderedRequest]:
        for number in range(6):
            yield request(str(number))
        if where == "source":
            raise FaultError("the source")

    async def settle(asked: RenderedRequest, _: Conclusion) -> Iterable[RenderedRequest]:
        if where == "settle" and asked.records[0].key == "3":
            raise FaultError("the settling")
        settled.append(asked.records[0].key)
        return ()

    def address(asked: RenderedRequest) -> WireRequest:
        if where == "address" and asked.records[0].key == "3":
            raise FaultError("the address")
        return WireRequest(method="POST", url=asked.url, headers={})

    async def run() -> None:
        async with asyncio.timeout(LONGEST):
            await sending.run(source(), settle)

    wire = FakeWire(seconds=1.0)
    sending = dispatcher(wire, address=address, concurrency=4)
    with pytest.raises(FaultError, match=where if where != "settle" else "settling"):
        asyncio.run(run())
    assert (1, True) == (wire.closed, {"0", "1", "2"} <= set(settled))


def test_a_cancelled_run_closes_the_wire() -> None:
    """As when the task's own time is over."""

    async def run() -> None:
        wire = FakeWire(seconds=1.0)
        wire.clock.sleep = lambda *_: asyncio.Event().wait()  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(Run(wire, dispatcher(wire))._run(each([request()])))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert wire.closed == 1

    asyncio.run(run())


def test_the_system_clock_is_woken() -> None:
    """A sleep of an hour ends with the event, and a short one by itself."""

    async def run() -> float:
        clock, event = SystemClock(), asyncio.Event()
        start = clock.now()
        await clock.sleep(0.001, event)
        asyncio.get_running_loop().call_soon(event.set)
        await clock.sleep(3600, event)
        return clock.now() - start

    assert 0.001 <= asyncio.run(run()) < 1


def test_nothing_is_logged_when_all_goes_well(caplog: pytest.LogCaptureFixture) -> None:
    """A line per record would be none that is read."""
    caplog.set_level(logging.INFO)
    run_of(50, limits=Limits(requests_per_minute=6000), policy=RetryPolicy())
    assert not caplog.messages


# -- the budget --------------------------------------------------------------------------------------


def bounded(number: int, tokens: int = 60) -> list[RenderedRequest]:
    """Give so many requests whose answers are not billed."""
    return [request(str(place), tokens=tokens, output_tokens=0) for place in range(number)]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_budget_of_requests_stops_the_sending(concurrency: int) -> None:
    """Exactly so many are sent; the rest is left."""
    run = run_of(20, budget=Budget(BudgetLimits(max_requests=7)), seconds=1.0, concurrency=concurrency)
    assert (7, 13) == (len(run.wire.sent), run.pending())
    assert run.dispatcher.budget_reached == "max_requests=7 is reached"


def test_what_did_not_leave_is_no_request_of_the_budget() -> None:
    """Nor of the traffic: one that leaves at its second try is sent for the first time."""
    budget = Budget(BudgetLimits(max_requests=2))
    run = run_of(2, not_sent(), reply(), budget=budget, concurrency=1)
    assert (0, 2, "") == (run.pending(), budget.requests, run.dispatcher.budget_reached)
    assert (2, 0) == (run.dispatcher.traffic.requests, run.dispatcher.traffic.again)


def test_a_lost_answer_is_paid_from_the_budget() -> None:
    """Nobody can know that it was not billed, so there is no room for a second one."""
    budget = Budget(BudgetLimits(max_tokens_total=100))
    run = run_of(bounded(2), lost(), budget=budget, policy=RetryPolicy(ambiguous_retries=0), concurrency=1)
    assert (1, 60) == (len(run.wire.sent), budget.spent.tokens)


@pytest.mark.parametrize("first", [refusal(429), refusal(503), refusal(400), not_sent()])
def test_what_was_not_billed_goes_back_into_the_budget(first: Any) -> None:
    """A refusal costs nothing."""
    budget = Budget(BudgetLimits(max_tokens_total=100))
    run = run_of(bounded(2), first, reply(), budget=budget, concurrency=1)
    assert (0, "", 0) == (run.pending(), run.dispatcher.budget_reached, budget.spent.tokens)


def test_what_is_on_the_wire_is_waited_for_before_the_budget_is_reached() -> None:
    """It may give back what the next one needs: here, all of it."""
    run = run_of(bounded(5), budget=Budget(BudgetLimits(max_tokens_total=100)), seconds=1.0)
    assert (5, 1, 0) == (len(run.wire.sent), run.wire.most_in_flight, run.pending())
