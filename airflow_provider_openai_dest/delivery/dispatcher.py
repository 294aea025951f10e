"""Dispatcher: drives the retry policies of many requests at once, within rate limit, window and retry budget.

It does what the policies say and decides nothing: what to try again, and when, comes from ``attempts``; how many at
once from ``window``, ``retry_budget`` and ``outage``; how fast from ``rate_limit``; and whether to go on at all from
``prospects``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from airflow_provider_openai_dest.delivery.addressing import Address
from airflow_provider_openai_dest.delivery.attempts import Conclusion, Ending, NoReply, Random, RetryPolicy
from airflow_provider_openai_dest.delivery.budget import Budget
from airflow_provider_openai_dest.delivery.clock import NEVER, Clock
from airflow_provider_openai_dest.delivery.conversation import Turn
from airflow_provider_openai_dest.delivery.flights import Flight, Flights
from airflow_provider_openai_dest.delivery.progress import LongWaits, worded_time
from airflow_provider_openai_dest.delivery.prospects import Prospects
from airflow_provider_openai_dest.delivery.traffic import Traffic
from airflow_provider_openai_dest.delivery.usage import used_tokens
from airflow_provider_openai_dest.delivery.verdict import FIRST_SERVER_ERROR, Verdict
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.limits.model_limits import ModelLimits
from airflow_provider_openai_dest.limits.outage import Outage
from airflow_provider_openai_dest.limits.rate_limit import Limits, Use
from airflow_provider_openai_dest.limits.window import Window
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.wire.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.wire.wire import NoAnswerError, UnreadableBodyError, Wire

log = logging.getLogger(__name__)

Settle = Callable[[RenderedRequest, Conclusion], Awaitable[Iterable[RenderedRequest]]]
"""Takes the end of a request and gives the requests to send instead, such as the halves of a refused pack."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait before anything may go, and why; ``is_imposed`` when it is the server that makes us wait."""

    seconds: float = NEVER
    why: str = ""
    is_imposed: bool = False


class Dispatcher:
    """Sends requests until the source ends or a reply says stop. It runs once.

    ``abort`` is why a reply said stop, ``outage`` is what the server failed with when it was given up, ``long_wait``
    how many seconds everybody would have to wait, when that is longer than ``max_wait``.

    :param limits: what is known of the account's limits; None for a server that has none, such as a webhook's.
    :param concurrency: upper bound of the requests on the wire.
    :param max_wait: seconds that are waited here; None waits as long as it takes.
    :param may_send: asked before each request; when it says no, the sending is stopped.
    :param budget: what may be spent; when it is reached, the sending is stopped.
    """

    def __init__(
        self,
        wire: Wire,
        address: Address,
        *,
        policy: RetryPolicy,
        limits: Limits | None,
        concurrency: int,
        clock: Clock,
        random: Random,
        max_wait: float | None = None,
        may_send: Callable[[], bool] = lambda: True,
        budget: Budget | None = None,
    ) -> None:
        self._wire = wire
        self._address = address
        self._policy = policy
        self._limits = ModelLimits(limits)
        self.concurrency = concurrency
        self._window = Window(most=concurrency)
        self._outage = Outage(first_pause=policy.first_pause, give_up_after=policy.give_up_after)
        self._flights = Flights(policy, random)
        self._clock = clock
        self._random = random
        self._max_wait = max_wait
        self._may_send = may_send
        self._budget = budget
        self._prospects = Prospects(policy.table)
        self._long_waits = LongWaits()
        self._changed = asyncio.Event()
        self._is_stopped = False
        self._fault: Exception | None = None
        self.abort: RecordError | None = None
        self.outage: RecordError | None = None
        self.long_wait: float | None = None
        self.traffic = Traffic()

    def stop(self) -> None:
        """Send nothing more; what is on the wire still ends."""
        self._is_stopped = True
        self._changed.set()
        self._flights.stop()

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is sent."""
        return self._is_stopped

    @property
    def budget_reached(self) -> str:
        """Why the budget stopped the sending, for a person; empty when it did not."""
        return self._budget.reached if self._budget else ""

    def use(self) -> Use | None:
        """Give how much of the account's tightest limit is in use; None when none is known."""
        return self._limits.use(self._clock.now())

    async def run(
        self, requests: AsyncIterator[RenderedRequest], settle: Settle, *, read_on_seconds: float = 0.0
    ) -> None:
        """Send every request, settle each end, and close the wire.

        When the sending is stopped, it returns as soon as what is on the wire has ended. An exception of ``requests``
        or ``settle`` stops the sending, too, and is raised then.

        :param read_on_seconds: how long ``requests`` are read on after a stop, so that they are counted as unsent.
        """
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._guarded(self._read(requests)))
                while (flight := await self._next_flight()) is not None:
                    group.create_task(self._guarded(self._fly(flight, settle)))
                await asyncio.wait({reading}, timeout=read_on_seconds)
                reading.cancel()
            await self._settle_unsent(settle)
        finally:
            await self._wire.aclose()
        if self._fault is not None:
            raise self._fault

    async def _settle_unsent(self, settle: Settle) -> None:
        for request, conclusion in self._flights.unsent():
            await self._part_with(request)
            for last in await settle(request, conclusion):
                await self._part_with(last)
                await settle(last, conclusion)

    async def _part_with(self, request: RenderedRequest) -> None:
        """Send what is to be said even now, once; nobody depends on whether it arrives."""
        if isinstance(request, Turn) and request.is_farewell and self._may_send():
            with suppress(NoAnswerError, UnusableAnswerError):
                (await self._wire.send(self._address(request))).release()

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as fault:  # noqa: BLE001 - raised at the end, after what is on the wire has ended
            self._fault = self._fault or fault
            self.stop()

    async def _read(self, requests: AsyncIterator[RenderedRequest]) -> None:
        """Keep a few requests ready."""
        async for request in requests:
            if self._flights.add(request):
                self._changed.set()
            if self._flights.is_full:
                await self._flights.wait_for_room()
        self._flights.end()
        self._changed.set()

    async def _next_flight(self) -> Flight | None:
        """Wait for the next request that may be sent; None when there is none and will be none."""
        while True:
            following = self._take_off()
            if isinstance(following, Flight):
                return following
            if not self._flights.in_flight and (self._is_stopped or self._flights.have_ended):
                return None
            self._changed.clear()
            await self._rest(following)

    async def _rest(self, pause: Pause) -> None:
        """Wait until something may go, or something changes."""
        if self._max_wait is not None and not self._flights.in_flight and self._max_wait < pause.seconds < NEVER:
            self.long_wait = pause.seconds
            self.stop()
            return
        began = self._clock.now()
        if pause.seconds < NEVER and self._long_waits.is_news(pause.seconds, began):
            log.warning("Waiting %s: %s", worded_time(pause.seconds), pause.why)
        await self._clock.sleep(pause.seconds, self._changed)
        if pause.is_imposed:
            self.traffic.waited_seconds += self._clock.now() - began

    def _take_off(self) -> Flight | Pause:
        """Take the next request when it may go now, and else give how long to wait, and why."""
        now = self._clock.now()
        if self._is_stopped or self._flights.in_flight >= (1 if self._outage.is_on else self._window.size):
            return Pause()
        if wait := self._outage.wait(now):
            return Pause(wait, "the server fails again and again, one request at a time probes it", is_imposed=True)
        flight = self._flights.first(now)
        if flight is None:
            return Pause(self._flights.wait(now), "what failed is tried again then")
        request = flight.request
        limit = self._limits.of(request.model)
        if wait := limit.wait(request.tokens, now, request.images):
            return Pause(wait, "the rate limit is reached, all requests wait", is_imposed=not limit.is_probing)
        if not self._is_allowed(request):
            return Pause()  # what is on the wire may give some of its reservation back
        flight.ticket = limit.take(request.tokens, now, request.images)
        flight.sent_at = now
        self.traffic.sent(is_again=self._flights.take(flight))
        return flight

    def _is_allowed(self, request: RenderedRequest) -> bool:
        """Reserve a request in the budget; stop when that is used up, or when this try may send no more."""
        is_affordable = self._budget is None or self._budget.may_send(request)
        if self.budget_reached or (is_affordable and not self._may_send()):
            self.stop()
            return False
        if self._budget and is_affordable:
            self._budget.take(request)
        return is_affordable

    async def _fly(self, flight: Flight, settle: Settle) -> None:
        """Send a request and see to what came of it; then the next one, as long as one may go at once."""
        following: Flight | Pause = flight
        while isinstance(following, Flight):
            try:
                await self._send(following, settle)
            finally:
                self._flights.land(following)
            following = self._take_off()
            if self._flights.in_flight < self._window.size:
                self._changed.set()  # there is room for more than this one

    async def _send(self, flight: Flight, settle: Settle) -> None:
        reply: Ending
        release = None
        try:
            answer = await self._wire.send(self._address(flight.request))
        except NoAnswerError as error:
            reply = NoReply(str(error), left=error.left, is_local=isinstance(error, UnreadableBodyError))
        except UnusableAnswerError as error:
            reply = NoReply(f"{type(error).__name__}: {error}", left=True, is_final=True)
        else:
            reply, release = answer, answer.release
            del answer
        try:
            conclusion = flight.answered(reply)
            self._learn(flight, reply)
            if isinstance(reply, NoReply):
                self._count_lost(flight, reply)
            if conclusion is None:
                self._flights.again(flight, self._clock.now())
                return
            if not self._is_stopped:
                self._look_ahead(conclusion, flight.request)
            settling = settle(flight.request, conclusion)
            del reply, conclusion  # an answer may be large, and is read by then
            self._flights.add_instead(await settling)
        finally:
            if self._budget:
                self._budget.release(flight.request)
            if release is not None:
                release()

    def _count_lost(self, flight: Flight, reply: NoReply) -> None:
        """Count what never left as not sent, and what is lost as billed."""
        if not reply.left:
            flight.sends -= 1
            self.traffic.unsent(is_again=flight.sends > 0)
            if self._budget:
                self._budget.unsent(flight.request)
        elif self._budget:
            self._budget.lost(flight.request)

    def _learn(self, flight: Flight, reply: Ending) -> None:
        """Tell rate limit, window and outage what came back."""
        now = self._clock.now()
        limit = self._limits.of(flight.request.model)
        attempt = flight.attempt
        if isinstance(reply, NoReply):
            limit.forget(flight.ticket, now)
        elif attempt.shared:
            limit.pause(flight.ticket, reply.headers, attempt.after, now)
            self._window.limited(flight.sent_at, now)
            self.traffic.limited += 1
        else:
            used = used_tokens(reply)
            limit.observe(flight.ticket, reply.headers, used, now)
            self.traffic.tokens += used or 0
        if attempt.slower:
            limit.slow_down(now)
        is_failure = _is_failure(reply)
        self._flights.answered(is_failure=is_failure)
        if is_failure:
            self._window.failed(flight.sent_at, now)
            self._outage.failed(flight.sent_at, now, attempt.after if attempt.asked else None, self._random())
            self._give_up_if_down(flight, now)
        else:
            self._outage.answered()
            if not attempt.shared:
                self._window.answered(self._flights.in_flight)
        self.traffic.answered(now - flight.sent_at, self._flights.in_flight)

    def _give_up_if_down(self, flight: Flight, now: float) -> None:
        if self._outage.is_over_long(now) and not self._is_stopped:
            self.outage = flight.attempt.error
            seconds = worded_time(self._outage.lasts(now))
            log.warning("The server is down: no request succeeded for %s, last %s", seconds, self.outage)
            self.stop()

    def _look_ahead(self, conclusion: Conclusion, request: RenderedRequest) -> None:
        """Stop when the end of this request says that the others would end the same way."""
        if conclusion.verdict is Verdict.ABORT:
            self.abort = conclusion.error
        elif not isinstance(request, Turn):
            self.abort = self._prospects.refusal_of_all(conclusion, len(request.records))
        elif request.is_telling:
            self.abort = self._prospects.refusal_of_all(conclusion, len(request.conversation.request.records))
        if self.abort:
            self.stop()


def _is_failure(reply: Ending) -> bool:
    """Tell whether it is the server that failed, not the record."""
    if isinstance(reply, NoReply):
        return not (reply.is_final or reply.is_local)
    return reply.status_code >= FIRST_SERVER_ERROR
