"""Dispatcher: drives the retry policies of many requests at once, within rate limit and concurrency.

It does what the policy says and decides nothing: what to try again, and when, comes from ``attempts``, and whether
to go on at all from ``prospects``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Protocol

import httpx

from airflow_provider_openai_dest.delivery.addressing import Address
from airflow_provider_openai_dest.delivery.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.delivery.attempts import (
    Attempt,
    Conclusion,
    NoReply,
    Random,
    Reply,
    RetryPolicy,
    attempts,
)
from airflow_provider_openai_dest.delivery.progress import LongWaits, worded_time
from airflow_provider_openai_dest.delivery.prospects import EXHAUSTED_REQUESTS, Prospects
from airflow_provider_openai_dest.delivery.rate_limit import RateLimit
from airflow_provider_openai_dest.delivery.usage import used_tokens
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.delivery.wire import UnreadableBodyError, Wire
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import RenderedRequest

log = logging.getLogger(__name__)

Settle = Callable[[RenderedRequest, Conclusion], Awaitable[Iterable[RenderedRequest]]]
"""Takes the end of a request and gives the requests to send instead, such as the halves of a refused pack."""


class Clock(Protocol):
    """Monotonic time, and waiting that can be ended, so that tests need neither."""

    def now(self) -> float:
        """Give the seconds since some start."""

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait so long, or until the event is set, without holding the event loop."""


class SystemClock:
    """The real clock; call inside a running event loop."""

    def now(self) -> float:
        """Read the event loop's monotonic time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait that long, or until the event is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await until.wait()


class Dispatcher:
    """Sends requests, at most ``concurrency`` at once, until the source ends or a reply says stop. It runs once.

    ``abort`` is why a reply said stop, ``outage`` is what the server failed with when it was given up.
    """

    def __init__(
        self,
        wire: Wire,
        address: Address,
        *,
        policy: RetryPolicy,
        rate_limit: RateLimit,
        concurrency: int,
        clock: Clock,
        random: Random,
    ) -> None:
        self._wire = wire
        self._address = address
        self._policy = policy
        self._rate_limit = rate_limit
        self._concurrency = concurrency
        self._clock = clock
        self._random = random
        self._prospects = Prospects(policy.table)
        self._long_waits = LongWaits()
        self._turn = asyncio.Lock()
        self._stopped = asyncio.Event()
        self._fault: Exception | None = None
        self.abort: RecordError | None = None
        self.outage: RecordError | None = None
        self.requests_sent = 0
        self.waits = 0

    def stop(self) -> None:
        """Send nothing more; what is on the wire still ends."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is sent."""
        return self._stopped.is_set()

    async def run(self, requests: AsyncIterator[RenderedRequest], settle: Settle) -> None:
        """Send every request, settle each end, and close the wire.

        When the sending is stopped, it returns as soon as what is on the wire has ended; ``requests`` may hold more. An
        exception of ``requests`` or ``settle`` stops the sending, too, and is raised then.
        """
        reading = asyncio.Lock()

        async def work() -> None:
            try:
                while not self.is_stopped:
                    async with reading:
                        request = await anext(requests, None)
                    if request is None:
                        return
                    await self._send_whole(request, settle)
            except Exception as fault:  # noqa: BLE001 - raised below, after what is on the wire has ended
                self._fault = self._fault or fault
                self.stop()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(work())
        finally:
            await self._wire.aclose()
        if self._fault is not None:
            raise self._fault

    async def _send_whole(self, request: RenderedRequest, settle: Settle) -> None:
        """Send a request, and what comes in its place, until all of it is settled."""
        pending = [request]
        while pending:
            current = pending.pop()
            conclusion = await self._deliver(current)
            pending.extend(await settle(current, conclusion))

    async def _deliver(self, request: RenderedRequest) -> Conclusion:
        """Drive one request to its end, which may be that the sending was stopped while it waited."""
        policy = attempts(self._policy, request, self._random)
        attempt = next(policy)
        while True:
            reply = await self._send(attempt) if await self._may_send(attempt) else None
            try:
                attempt = policy.send(reply)
            except StopIteration as end:
                conclusion: Conclusion = end.value
                if not self.is_stopped:
                    self._look_ahead(conclusion, len(request.records))
                return conclusion

    def _look_ahead(self, conclusion: Conclusion, records: int) -> None:
        """Stop when the end of this request says that the others would end the same way."""
        self.abort = (
            conclusion.error
            if conclusion.verdict is Verdict.ABORT
            else self._prospects.refusal_of_all(conclusion, records)
        )
        if self._prospects.is_outage(conclusion):
            self.outage = conclusion.error
            log.warning("The server is down: %d requests in a row failed, last %s", EXHAUSTED_REQUESTS, self.outage)
        if self.abort or self.outage:
            self.stop()

    async def _may_send(self, attempt: Attempt) -> bool:
        """Wait as long as the attempt and the rate limit ask; False when the sending was stopped meanwhile."""
        if attempt.shared:
            self.waits += 1
            self._rate_limit.pause(attempt.after, self._clock.now())
        elif attempt.after:
            await self._sleep(attempt.after, "a request waits as the server asks")
        async with self._turn:  # one waits for the limit, the others for their turn
            while not self.is_stopped:
                wait = self._rate_limit.wait(attempt.request.tokens, self._clock.now())
                if not wait:
                    return True
                await self._sleep(wait, "the rate limit is reached, all requests wait")
        return False

    async def _sleep(self, seconds: float, why: str) -> None:
        """Wait, but not beyond a stop."""
        if self._long_waits.is_news(seconds, self._clock.now()):
            log.warning("Waiting %s: %s", worded_time(seconds), why)
        await self._clock.sleep(seconds, self._stopped)

    async def _send(self, attempt: Attempt) -> Reply:
        self.requests_sent += 1
        try:
            response = await self._wire.send(self._address(attempt.request))
        except (httpx.TransportError, TimeoutError, OSError, UnusableAnswerError, UnreadableBodyError) as error:
            self._rate_limit.settle()
            return _no_reply(error)
        self._rate_limit.observe(response.headers, self._clock.now())
        self._rate_limit.correct(attempt.request.tokens, used_tokens(response))
        return response


def _no_reply(error: Exception) -> NoReply:
    name = type(error).__name__
    return NoReply(
        f"{name}: {error}" if str(error) else name,
        left=not isinstance(error, _NEVER_LEFT),
        is_final=isinstance(error, UnusableAnswerError),
    )


_NEVER_LEFT = (
    UnreadableBodyError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.LocalProtocolError,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
