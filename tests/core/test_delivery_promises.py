"""The promises of a delivery, over scripts of what may go wrong: nothing is lost, and paid work is not repeated.

Each example is a data set and a few tries of one task, in one folder. In each try the server, the source, the sinks
and whoever stops the task do what the example says; a last try meets a server that answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Status
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.exceptions import AbortError, SinkError, TransientError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.sinks.results import QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.wire.answer_bytes import UnusableAnswerError
from airflow_provider_openai_dest.wire.wire import WireRequest
from tests.core.delivery_parts import FakeWire, dispatcher, lost, not_sent, refusal, reply
from tests.core.memory_folder import MemoryFolder, Store
from tests.core.test_destination import PACKED, SINGLE, renderer_of

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")


def good(inputs: list[Any], **fields: Any) -> httpx.Response:
    """Answer a packed request as the API does."""
    return reply(200, {"data": [{"index": place, "embedding": [1.0]} for place in range(len(inputs))]} | fields)


def spoilt(change: Callable[[list[Any]], Any]) -> Callable[[list[Any]], httpx.Response]:
    """Give an answer whose items were changed."""
    return lambda inputs: reply(200, {"data": change([{"index": n, "embedding": [1.0]} for n in range(len(inputs))])})


# What a server may do with a request; the first one is the only good answer.
SERVER: dict[str, Callable[[list[Any]], httpx.Response | Exception]] = {
    "ok": good,
    "400": lambda _: refusal(400, "bad"),
    "401": lambda _: refusal(401, "invalid_api_key"),
    "404": lambda _: refusal(404, "model_not_found"),
    "429": lambda _: refusal(429, "rate_limit_exceeded"),
    "429 with Retry-After": lambda _: refusal(429, "rate_limit_exceeded", retry_after="7"),
    "429 of the quota": lambda _: refusal(429, "insufficient_quota"),
    "429 too large": lambda _: refusal(429, "rate_limit_exceeded", "Request too large for m"),
    "500": lambda _: refusal(500),
    "503 with Retry-After": lambda _: refusal(503, retry_after="30"),
    "lost": lambda _: lost(),
    "too slow": lambda _: lost("no whole answer"),
    "not sent": lambda _: not_sent(),
    "unusable": lambda _: UnusableAnswerError("more than 10 bytes"),
    "HTML": lambda _: reply(200, b"<html>"),
    "half JSON": lambda inputs: reply(200, good(inputs).content[:-9]),
    "bad UTF-8": lambda _: reply(200, b'{"data": "\xff"}'),
    "null": lambda _: reply(200, b"null"),
    "NaN": spoilt(lambda items: [item | {"embedding": "AADAfw=="} for item in items]),
    "one too few": spoilt(lambda items: items[1:]),
    "one too many": spoilt(lambda items: [*items, {"index": 0, "embedding": [1.0]}]),
    "a wrong index": spoilt(lambda items: [item | {"index": item["index"] + 1} for item in items]),
    "a strange usage": lambda inputs: good(inputs, usage=[1]),
}


# Answers that are none for embeddings only: elsewhere they are JSON like any other.
JUST_JSON = {"NaN", "one too few", "one too many", "a wrong index"}


def addressed(asked: RenderedRequest) -> WireRequest:
    """Tell the server which records are in a request."""
    keys = msgspec.json.encode([one.key for one in asked.records]).decode()
    return WireRequest(method="POST", url=asked.url, headers={"keys": keys})


@dataclass(kw_only=True)
class Try:
    """What happens in one try; the numbers count requests, records, and writes of files."""

    replies: list[str] = field(default_factory=list)
    stop_at: int | None = None
    source_breaks_at: int | None = None
    disk_full_at: int | None = None


@dataclass
class BreakingSource:
    """A source that breaks at some record."""

    values: ValuesSource
    breaks_at: int | None

    def __iter__(self) -> Iterator[Record]:
        for number, one in enumerate(self.values):
            if number == self.breaks_at:
                raise OSError("connection lost")
            yield one

    def fingerprint(self) -> str:
        return "values"


@dataclass
class FillingStore(Store):
    """A store that takes so many files, and no more."""

    room: int | None = None

    def check(self, operation: str) -> None:
        if operation == "write" and self.room is not None:
            if not self.room:
                raise OSError("no space left on device")
            self.room -= 1
        super().check(operation)


class Account:
    """The task instance with its folder, and the truth about what the server has done."""

    def __init__(self, values: list[Any], *, is_packed: bool, shares: bool = False) -> None:
        self.source = ValuesSource(values, "k")
        self.shares = shares
        self.endpoint = PACKED if is_packed else SINGLE
        self.good_words = {"ok"} if is_packed else {"ok", *JUST_JSON}
        self.store = FillingStore()
        self.tries = 0
        self.answered: set[str] = set()
        self.settled: set[str] = set()

    def run(self, happening: Try) -> Manifest | None:
        """Run one try and hold it to the promises; None when it could not begin."""
        self.tries += 1
        self.store.room = happening.disk_full_at
        try:
            log = DeliveryLog(MemoryFolder(self.store), SCOPE, try_number=self.tries)
        except SinkError:
            return None
        wire = FakeWire(self.server(happening))
        destination = self.destination = Destination(
            endpoint=self.endpoint,
            renderer=renderer_of(
                self.endpoint, Originals(keeps_all=not self.endpoint.packing) if self.shares else None
            ),
            dispatcher=dispatcher(wire, address=addressed),
            sinks=(QuarantineSink(log.rows("quarantine")), ResultsSink(log.rows("outcomes"))),
            earlier=log.outcomes(),
            max_inline_bytes=0,
        )
        manifest = destination.run(BreakingSource(self.source, happening.source_breaks_at))
        self.store.room = None
        self.check_counts(manifest, happening)
        self.check_rows(manifest)
        return manifest

    def server(self, happening: Try) -> Callable[[WireRequest], httpx.Response | Exception]:
        """Give what the server does in one try; it refuses to do again what is settled."""
        script, numbers = iter(happening.replies), count(1)

        def answer(asked: WireRequest) -> httpx.Response | Exception:
            if next(numbers) == happening.stop_at:
                self.destination.stop()
            keys = msgspec.json.decode(asked.headers["keys"])
            assert not self.settled & set(keys), "a settled record was sent again"
            word = next(script, "ok")
            if word in self.good_words:
                self.answered.update(self.equals_of(keys) if self.shares else keys)
            return SERVER[word](keys)

        return answer

    def equals_of(self, keys: list[str]) -> set[str]:
        """Give the keys of all records that hold the same texts as these."""
        texts = {one.data["q"] for one in self.source if one.key in keys}
        return {one.key for one in self.source if one.data and one.data.get("q") in texts}

    def check_counts(self, manifest: Manifest, happening: Try) -> None:
        """Hold the manifest to the first promise."""
        records = sum(1 for _ in self.source)
        breaks_at = happening.source_breaks_at
        assert manifest.delivered + manifest.rejected + manifest.pending == manifest.input
        assert manifest.whole_input == (breaks_at is None or breaks_at >= records)
        assert not manifest.whole_input or manifest.input == records

    def check_rows(self, manifest: Manifest) -> None:
        """Hold the files to the promises: they are what the next try knows."""
        log = DeliveryLog(MemoryFolder(self.store), SCOPE, try_number=self.tries)
        ends = {one.record.key: one.status for one in log.outcomes()}
        delivered = {key for key, status in ends.items() if status is Status.DELIVERED}
        assert delivered <= self.answered, "delivered without a good answer"
        assert self.settled <= set(ends), "a settled record was forgotten"
        assert manifest.delivered <= len(delivered), "counted as delivered, and not durable"
        assert set(ends) - delivered <= self.quarantined(), "rejected, and not in the quarantine"
        self.settled = set(ends)

    def quarantined(self) -> set[str]:
        """Give the keys in the quarantine."""
        files = [content for name, content in self.store.files.items() if "/quarantine-" in name]
        return {msgspec.json.decode(line)["key"] for content in files for line in content.splitlines()}

    def failure(self, manifest: Manifest) -> type[Exception] | None:
        """Give the type of what the end of the run asks for."""
        try:
            self.destination.raise_failure(manifest)
        except (AbortError, SinkError, TransientError) as error:
            return type(error)
        return None


values = st.lists(
    st.builds(lambda k: {"k": k, "q": f"text {k % 7}"}, st.integers(0, 40))
    | st.sampled_from([{"k": 99}, {"q": "no key"}, None, {"k": 98, "q": float("nan")}, {"k": 97, "q": ""}]),
    max_size=20,
)
moments = st.none() | st.integers(0, 12)
tries = st.builds(
    Try,
    replies=st.lists(st.sampled_from(sorted(SERVER)), max_size=25)
    | st.builds(lambda word, times: [word] * times, st.sampled_from(sorted(SERVER)), st.integers(1, 60)),
    stop_at=moments,
    source_breaks_at=moments,
    disk_full_at=moments,
)


@given(values=values, tries=st.lists(tries, max_size=3), is_packed=st.booleans(), shares=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@example(
    values=[{"k": n, "q": str(n)} for n in range(12)], tries=[Try(replies=["401"] * 9)], is_packed=False, shares=False
)
@example(
    values=[{"k": n, "q": str(n)} for n in range(12)], tries=[Try(replies=["500"] * 99)], is_packed=False, shares=False
)
@example(
    values=[{"k": n, "q": str(n % 5)} for n in range(12)], tries=[Try(source_breaks_at=6)], is_packed=True, shares=True
)
@example(values=[{"k": n, "q": str(n)} for n in range(12)], tries=[Try(disk_full_at=2)], is_packed=False, shares=False)
@example(values=[{"k": n, "q": str(n)} for n in range(12)], tries=[Try(stop_at=1)], is_packed=True, shares=True)
def test_nothing_is_lost_and_paid_work_is_not_repeated(
    values: list[Any],
    tries: list[Try],
    is_packed: bool,  # noqa: FBT001
    shares: bool,  # noqa: FBT001
) -> None:
    """Every record has one end, none without a good answer is delivered, none that is settled is sent again."""
    account = Account(values, is_packed=is_packed, shares=shares)
    for happening in tries:
        manifest = account.run(happening)
        if manifest is not None and account.failure(manifest) is None:
            assert not manifest.pending
    last = account.run(Try())
    assert last is not None
    assert (None, 0, True) == (account.failure(last), last.pending, last.whole_input)
    assert len(account.settled) == last.delivered + last.rejected == last.input
