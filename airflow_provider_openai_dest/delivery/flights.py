"""Flights: the requests on their way: which is next, which wait for another try, how many are on the wire.

No clock and no network: the time comes in as an argument. The order is: refused by the rate limit, or a half of a
refused pack; then what failed and may be tried again; then what was never sent.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count

from airflow_provider_openai_dest.delivery.attempts import (
    Attempt,
    Conclusion,
    Ending,
    Random,
    RetryPolicy,
    attempts,
)
from airflow_provider_openai_dest.limits.rate_limit import Ticket
from airflow_provider_openai_dest.limits.retry_budget import RetryBudget
from airflow_provider_openai_dest.rendering.request import RenderedRequest

AHEAD_RECORDS = 128
"""Records that are rendered and not sent yet."""

AHEAD_BYTES = 32 * 1024 * 1024
"""Bytes of bodies that are held in memory for these: pictures given as data URLs have up to 336 MB a record."""

MOST_RECORDS = 6144
"""Records on the wire at once: three full packs of embeddings, more than any account allows a second."""

MOST_RETRIES = 512
"""Requests that wait for another try before they are tried whatever the budget says, so that memory stays flat."""


class Flight:
    """One request from its first attempt to its end. ``ticket`` is what the rate limit reserved for this attempt."""

    __slots__ = ("_policy", "attempt", "request", "sends", "sent_at", "ticket")

    ticket: Ticket

    def __init__(self, request: RenderedRequest, policy: RetryPolicy, random: Random) -> None:
        self.request = request
        self._policy = attempts(policy, request, random)
        self.attempt: Attempt = next(self._policy)
        self.sends = 0
        self.sent_at = 0.0

    def answered(self, reply: Ending | None) -> Conclusion | None:
        """Take what came of the attempt, None when none is made any more; give the end, or None for another attempt."""
        try:
            self.attempt = self._policy.send(reply)
        except StopIteration as end:
            conclusion: Conclusion = end.value
            self.attempt = Attempt(error=conclusion.error)
            return conclusion
        return None


class Flights:
    """All requests that are not settled.

    :param policy: the retry policy of each.
    """

    def __init__(self, policy: RetryPolicy, random: Random) -> None:
        self._policy = policy
        self._random = random
        self._budget = RetryBudget()
        self._fresh: deque[RenderedRequest] = deque()
        self._fresh_records = self._fresh_bytes = 0
        self._room = asyncio.Event()
        self._first: deque[Flight] = deque()
        self._retries: list[tuple[float, int, Flight]] = []
        self._numbers = count()
        self._is_read = self._is_stopped = False
        self._records = 0
        self.in_flight = 0

    @property
    def have_ended(self) -> bool:
        """Whether nothing is left to be sent."""
        return self._is_read and not (self._fresh or self._first or self._retries)

    def add(self, request: RenderedRequest) -> bool:
        """Take a request of the source; True when there was none before."""
        self._fresh.append(request)
        self._fresh_records += request.size
        self._fresh_bytes += _bytes_of(request)
        return len(self._fresh) == 1

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read ahead now."""
        return (self._fresh_records >= AHEAD_RECORDS or self._fresh_bytes >= AHEAD_BYTES) and not self._is_stopped

    async def wait_for_room(self) -> None:
        """Wait until more may be read ahead."""
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Say that the source has ended."""
        self._is_read = True

    def stop(self) -> None:
        """Say that nothing more is sent."""
        self._is_stopped = True
        self._room.set()

    def first(self, now: float) -> Flight | None:
        """Give the next request without taking it; None when none may go now."""
        if self._records >= MOST_RECORDS:
            return None
        if self._first:
            return self._first[0]
        if self._retries and self._retries[0][0] <= now and self._may_retry:
            return self._retries[0][2]
        if self._fresh:
            flight = Flight(self._fresh.popleft(), self._policy, self._random)
            self._fresh_records -= flight.request.size
            self._fresh_bytes -= _bytes_of(flight.request)
            if self._fresh_records < AHEAD_RECORDS // 2 and self._fresh_bytes < AHEAD_BYTES:
                self._room.set()
            self._first.append(flight)
            return flight
        return None

    def wait(self, now: float) -> float:
        """Give the seconds until the next one may go; infinite when that is not a question of time."""
        if self._records >= MOST_RECORDS or not self._retries or not self._may_retry:
            return float("inf")
        return max(0.0, self._retries[0][0] - now)

    def take(self, flight: Flight) -> bool:
        """Count the one that :meth:`first` gave as on the wire; True when it was on the wire before."""
        if self._first and self._first[0] is flight:
            self._first.popleft()
        else:
            heapq.heappop(self._retries)
        self.in_flight += 1
        self._records += flight.request.size
        flight.sends += 1
        return flight.sends > 1

    def land(self, flight: Flight) -> None:
        """Count one as no longer on the wire."""
        self.in_flight -= 1
        self._records -= flight.request.size

    def again(self, flight: Flight, now: float) -> None:
        """Line one up for its next attempt: first of all after a shared wait, else when its own pause is over."""
        if flight.attempt.shared:
            self._first.append(flight)
        else:
            heapq.heappush(self._retries, (now + flight.attempt.after, next(self._numbers), flight))

    def add_instead(self, requests: Iterable[RenderedRequest]) -> None:
        """Put what comes in the place of a request before all others."""
        for request in requests:
            self._first.appendleft(Flight(request, self._policy, self._random))

    def answered(self, *, is_failure: bool) -> None:
        """Let more or fewer retries go, by whether the server works."""
        if is_failure:
            self._budget.failed()
        else:
            self._budget.answered(is_rest=self._is_read and not self._fresh)

    def unsent(self) -> Iterator[tuple[RenderedRequest, Conclusion]]:
        """Give what was not sent, or not to its end, before the sending was stopped."""
        left = [*self._first, *(flight for _, _, flight in self._retries)]
        left += [Flight(request, self._policy, self._random) for request in self._fresh]
        for flight in left:
            conclusion = flight.answered(None)
            if conclusion is not None:
                yield flight.request, conclusion

    @property
    def _may_retry(self) -> bool:
        """Whether a retry may go: within the budget, or when there is nothing else to do, or too many wait."""
        is_idle = not self.in_flight and not self._fresh
        return self._budget.has_enough or is_idle or len(self._retries) > MOST_RETRIES


def _bytes_of(request: RenderedRequest) -> int:
    """Give what a body has in memory; a form reads its files while it is sent."""
    content = request.content
    return len(content) if isinstance(content, bytes) else 0
