"""Dispatcher: drives the retry policies of many requests at once, within rate limit and concurrency.

It does what the policy says and decides nothing: what to try again, and when, comes from ``attempts``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

import httpx

from airflow_provider_openai_dest.delivery.addressing import Address
from airflow_provider_openai_dest.delivery.attempts import Attempt, Conclusion, NoReply, Random, RetryPolicy, attempts
from airflow_provider_openai_dest.delivery.rate_limit import RateLimit
from airflow_provider_openai_dest.delivery.usage import used_tokens
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.delivery.wire import AnswerTooLargeError, Wire
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import RenderedRequest

log = logging.getLogger(__name__)

LONG_WAIT_SECONDS = 10.0

Settle = Callable[[RenderedRequest, Conclusion], Awaitable[Iterable[RenderedRequest]]]
"""Takes the end of a request and gives the requests to send instead, such as the halves of a refused pack."""


class Clock(Protocol):
    """Monotonic time and waiting, so that tests need neither."""

    def now(self) -> float:
        """Seconds since some start."""

    async def sleep(self, seconds: float) -> None:
        """Wait without holding the event loop."""


class SystemClock:
    """The real clock; call inside a running event loop."""

    def now(self) -> float:
        """Read the event loop's monotonic time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)


class Dispatcher:
    """Sends requests, at most ``concurrency`` at once, until the source ends or a reply says stop.

    ``abort`` is why a reply said stop; ``unsent`` are the requests that were taken and not sent to their end.
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
        self._stopped = asyncio.Event()
        self.abort: RecordError | None = None
        self.unsent: list[RenderedRequest] = []
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
        """Send every request and settle each end; returns when all are settled or the sending was stopped."""
        lock = asyncio.Lock()

        async def work() -> None:
            while not self.is_stopped:
                async with lock:
                    request = await anext(requests, None)
                if request is None:
                    return
                pending = [request]
                while pending:
                    current = pending.pop()
                    conclusion = await self._deliver(current)
                    if conclusion is None:
                        self.unsent.append(current)
                    else:
                        pending.extend(await settle(current, conclusion))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _deliver(self, request: RenderedRequest) -> Conclusion | None:
        """Drive one request to its end; None when the sending was stopped while it waited."""
        policy = attempts(self._policy, request, self._random)
        attempt = next(policy)
        while True:
            if not await self._may_send(attempt):
                return None
            reply = await self._send(attempt)
            try:
                attempt = policy.send(reply)
            except StopIteration as end:
                conclusion: Conclusion = end.value
                if conclusion.verdict is Verdict.ABORT:
                    self.abort = self.abort or conclusion.error
                    self.stop()
                return conclusion

    async def _may_send(self, attempt: Attempt) -> bool:
        if attempt.shared:
            self.waits += 1
            self._rate_limit.pause(attempt.after, self._clock.now())
            if attempt.after >= LONG_WAIT_SECONDS:
                log.warning("The account's rate limit is reached: all requests wait %.0f s", attempt.after)
        elif attempt.after:
            await self._sleep(attempt.after)
        while not self.is_stopped:
            wait = self._rate_limit.wait(attempt.request.tokens, self._clock.now())
            if not wait:
                return True
            await self._sleep(wait)
        return False

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not beyond a stop."""
        stopped = asyncio.ensure_future(self._stopped.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((stopped, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            sleeping.cancel()

    async def _send(self, attempt: Attempt) -> httpx.Response | NoReply:
        self.requests_sent += 1
        try:
            response = await self._wire.send(self._address(attempt.request))
        except (httpx.TransportError, TimeoutError, AnswerTooLargeError, OSError) as error:
            self._rate_limit.settle()
            left = not isinstance(error, _NEVER_LEFT)
            return NoReply(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, left=left)
        self._rate_limit.observe(response.headers, self._clock.now())
        self._rate_limit.correct(attempt.request.tokens, used_tokens(response))
        return response


_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.LocalProtocolError,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
