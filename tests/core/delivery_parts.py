"""What the tests of delivery share: records, requests and replies in short, a fake wire, a fake clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.delivery.attempts import Conclusion, RetryPolicy
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.exceptions import RecordError, SinkError
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.wire.wire import NoAnswerError, WireReply, WireRequest

URL = "https://api.example/v1/responses"

Reply = httpx.Response | Exception
Answering = Callable[[WireRequest], Reply]


def record(key: str = "a", position: int = 0, data: Any = None) -> Record:
    """Give a record; its data is ``{"q": key}`` unless given."""
    return Record(key=key, position=position, data={"q": key} if data is None else data)


def request(*keys: str, tokens: int = 0, **fields: Any) -> RenderedRequest:
    """Give a request for these records, one named ``a`` when none is given."""
    records = tuple(record(key, place) for place, key in enumerate(keys or ("a",)))
    content = json.dumps([record.data for record in records]).encode()
    return RenderedRequest(
        **{"records": records, "method": "POST", "url": URL, "content": content, "tokens": tokens} | fields
    )


def reply(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    """Give an answer; ``body`` is bytes, or written as JSON. ``retry_after`` becomes ``retry-after``."""
    content = body if isinstance(body, bytes) else json.dumps({"ok": True} if body is None else body).encode()
    return httpx.Response(
        status, content=content, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def refusal(status: int, code: str | None = None, message: str = "no", **headers: str) -> httpx.Response:
    """Give a refusal in the API's form."""
    return reply(status, {"error": {"message": message, "type": None, "param": None, "code": code}}, **headers)


def lost(reason: str = "ReadError: reset") -> NoAnswerError:
    """Give what a wire raises when the request may have been billed."""
    return NoAnswerError(reason, left=True)


def not_sent(reason: str = "ConnectError: refused") -> NoAnswerError:
    """Give what a wire raises when the request never left."""
    return NoAnswerError(reason, left=False)


def conclusion(response: httpx.Response | None = None, **fields: Any) -> Conclusion:
    """Give the end of a request: delivered with an answer, unless the fields say something else."""
    return Conclusion(**{"verdict": Verdict.DELIVERED, "response": response or reply()} | fields)


def exhausted(code: str = "http_503") -> Conclusion:
    """Give the end of a request that the server failed to the last attempt."""
    return Conclusion(verdict=Verdict.REJECTED, error=RecordError(code, "no"), exhausted=True)


def rejected(code: str = "bad", message: str = "no", status: int | None = 400) -> Conclusion:
    """Give the end of a request that was refused for what it holds."""
    response = refusal(status, code, message) if status else None
    return Conclusion(verdict=Verdict.REJECTED, response=response, error=RecordError(code, message, status=status))


def outcome(key: str = "a", status: Status = Status.DELIVERED, **fields: Any) -> Outcome:
    """Give an outcome; a rejected one has an error."""
    fields = {"record": record(key), "status": status} | fields
    if status is Status.REJECTED:
        fields = {"error": RecordError("bad", "no", status=400)} | fields
    return Outcome(**fields)


class FakeClock:
    """Time that passes only when nobody else does anything: the next to wake is woken, and it is that time then.

    ``activity`` grows with whatever somebody does.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []
        self.activity = 0
        self._wakings: list[float] = []

    def now(self) -> float:
        """Give the time."""
        return self.time

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Let the others go on as far as they can, then let the time pass."""
        self.slept.append(seconds)
        waking = self.time + seconds
        self._wakings.append(waking)
        idle, seen = 0, self.activity
        while not until.is_set() and idle < IDLE_ROUNDS:
            await asyncio.sleep(0)
            is_idle = waking <= min(self._wakings) and seen == self.activity
            idle, seen = idle + 1 if is_idle else 0, self.activity
        self._wakings.remove(waking)
        if not until.is_set():
            self.time = max(self.time, waking)


IDLE_ROUNDS = 5


@dataclass
class FakeWire:
    """A wire that gives what ``answering`` gives, and keeps what it was sent; ``when`` holds the times."""

    answering: Answering = lambda _: reply()
    clock: FakeClock = field(default_factory=FakeClock)
    seconds: float = 0.0
    sent: list[WireRequest] = field(default_factory=list)
    when: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    closed: int = 0

    async def send(self, request: WireRequest) -> WireReply:
        """Answer, after so many seconds of the clock."""
        self.clock.activity += 1
        self.sent.append(request)
        self.when.append(self.clock.now())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.seconds:
                await self.clock.sleep(self.seconds, asyncio.Event())
            else:
                await asyncio.sleep(0)
            answer = self.answering(request)
        finally:
            self.in_flight -= 1
        if isinstance(answer, Exception):
            raise answer
        return WireReply(answer.status_code, answer.headers, answer.content, answer.reason_phrase)

    async def aclose(self) -> None:
        """Count the closing."""
        self.closed += 1

    @property
    def bodies(self) -> list[Any]:
        """Give what was sent, read as JSON."""
        return [json.loads(request.content) for request in self.sent if isinstance(request.content, bytes)]


def script(*replies: Reply) -> Answering:
    """Give these replies one after the other, the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def dispatcher(wire: FakeWire, **settings: Any) -> Dispatcher:
    """Give a dispatcher on a fake wire and its clock, without jitter."""
    return Dispatcher(
        wire,
        settings.pop("address", ApiAddress({"Authorization": "Bearer sk-test"})),
        **{
            "policy": RetryPolicy(),
            "limits": None,
            "concurrency": 4,
            "clock": wire.clock,
            "random": lambda: 1.0,
        }
        | settings,
    )


async def each(requests: Iterable[RenderedRequest]) -> AsyncIterator[RenderedRequest]:
    """Give requests as a source of a dispatcher does."""
    for one in requests:
        yield one


@dataclass
class ListSource:
    """A source of given records; ``error`` is raised after them."""

    records: Sequence[Record] = ()
    error: Exception | None = None

    def __iter__(self) -> Iterator[Record]:
        yield from self.records
        if self.error:
            raise self.error

    def fingerprint(self) -> str:
        """Say nothing."""
        return "list"


@dataclass
class ListSink:
    """A sink that keeps outcomes; it fails in the method and at the time that it is told to."""

    fails_in: str | None = None
    after: int = 0
    held: list[Outcome] = field(default_factory=list)
    written: list[Outcome] = field(default_factory=list)
    closed: int = 0

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Hold outcomes."""
        self._fail("write")
        self.held += outcomes

    def flush(self) -> None:
        """Keep what is held."""
        self._fail("flush")
        self.written += self.held
        self.held.clear()

    def close(self) -> None:
        """Count the closing."""
        self.closed += 1
        self._fail("close")

    def _fail(self, method: str) -> None:
        if self.fails_in == method:
            if not self.after:
                raise SinkError("no space left on device")
            self.after -= 1
