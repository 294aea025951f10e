"""The whole flow of a record, over a fake wire: what is sent, what is kept, and how a run ends."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, log2
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate, Packing
from airflow_provider_openai_dest.exceptions import (
    AbortError,
    ConfigurationError,
    OpenAIDestError,
    RecordError,
    SinkError,
    TransientError,
)
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.renderer import (
    PackedRenderer,
    Rendered,
    Renderer,
    RequestForm,
    SingleRenderer,
)
from airflow_provider_openai_dest.sources.record import Record, Source
from airflow_provider_openai_dest.wire.wire import WireReply, WireRequest
from tests.core.delivery_parts import (
    FakeWire,
    ListSink,
    ListSource,
    dispatcher,
    lost,
    outcome,
    record,
    refusal,
    reply,
    script,
)

SINGLE = EndpointTemplate(name="create_thing", path="/things")
PACKED = EndpointTemplate(
    name="create_embedding",
    path="/embeddings",
    required=("input",),
    packing=Packing(request_field="input", response_items="data", max_records=4, max_tokens=10_000),
    vector_field="embedding",
)
LONGEST = 10.0
REAL_TIME = {"clock": SystemClock(), "concurrency": 1}
BAD_KEY = refusal(401, "invalid_api_key", "Incorrect API key provided")


def renderer_of(endpoint: EndpointTemplate, originals: Originals | None = None) -> Renderer:
    """Give the renderer of an endpoint; a body is the record, or its ``q`` for a packed one and where equals share."""
    form = RequestForm(endpoint, base_url="https://api.example/v1")
    if endpoint.packing:
        return PackedRenderer(form, BodyTemplate({"input": "{message.q}"}), originals)
    return SingleRenderer(form, BodyTemplate({"input": "{message.q}"}) if originals else BodyTemplate(), originals)


class Delivery:
    """A destination with one sink, over a fake wire."""

    def __init__(
        self,
        *replies: Any,
        endpoint: EndpointTemplate = SINGLE,
        wire: FakeWire | None = None,
        sinks: Sequence[ListSink] | None = None,
        renderer: Renderer | None = None,
        sending: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.wire = wire or FakeWire(script(*replies) if replies else answer_all)
        self.sink = ListSink()
        self.sinks = [self.sink] if sinks is None else list(sinks)
        self.destination = Destination(
            endpoint=endpoint,
            renderer=renderer or renderer_of(endpoint),
            dispatcher=dispatcher(self.wire, **sending or {}),
            sinks=self.sinks,
            **settings,
        )

    def run(self, source: Source | Sequence[Record] | int) -> Manifest:
        """Deliver a source, records, or so many records; fails the test when that takes too long."""
        if isinstance(source, int):
            source = [record(str(number), number) for number in range(source)]
        if isinstance(source, Sequence):
            source = ListSource(source)
        return self.destination.run(source)

    def failure(self, manifest: Manifest) -> Exception | None:
        """Give what the end of the run asks for."""
        try:
            self.destination.raise_failure(manifest)
        except Exception as error:  # noqa: BLE001 - the caller says what it expects
            return error
        return None


def answer_all(asked: WireRequest) -> httpx.Response:
    """Answer as the API does, packed requests too."""
    body = json.loads(asked.content)
    if not isinstance(body, dict) or "input" not in body:
        return reply(200, {"echo": body})
    return reply(
        200,
        {"data": [{"index": place, "embedding": [1.0]} for place, _ in enumerate(body["input"])], "usage": {"n": 1}},
    )


def counts(manifest: Manifest) -> tuple[int, int, int, int]:
    """Give input, delivered, rejected, pending."""
    return manifest.input, manifest.delivered, manifest.rejected, manifest.pending


# -- the good run ------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", [SINGLE, PACKED], ids=["one a request", "packed"])
def test_every_record_comes_back(endpoint: EndpointTemplate) -> None:
    """Sent once, answered, brought to the sink, and counted."""
    delivery = Delivery(endpoint=endpoint)
    manifest = delivery.run(50)
    assert (50, 50, 0, 0) == counts(manifest)
    assert (True, None, 1) == (manifest.whole_input, delivery.failure(manifest), delivery.sink.closed)
    assert {str(number) for number in range(50)} == {one.record.key for one in delivery.sink.written}
    assert manifest.requests == len(delivery.wire.sent) <= 50


def test_an_answer_is_that_of_its_record() -> None:
    """However many are on the wire."""
    delivery = Delivery(sending={"concurrency": 16})
    delivery.run(100)
    assert all(one.answer["echo"] == one.record.data for one in delivery.sink.written)


def test_an_empty_source_is_a_run() -> None:
    """With zero counts and no request."""
    delivery = Delivery()
    manifest = delivery.run([])
    assert ((0, 0, 0, 0), [], None) == (counts(manifest), delivery.wire.sent, delivery.failure(manifest))


def test_a_bad_record_stops_no_other() -> None:
    """One that can't be read, one that does not fit, one that the API refuses: rejected with the reason."""
    wire = FakeWire(
        lambda asked: refusal(400, "bad", "no such thing") if b'"3"' in asked.content else answer_all(asked)
    )
    faulted = Record(key="f", position=9, data=None, fault=RecordError("broken_line", "line 9"))
    unfit = record("u", 8, {"other": 1})
    delivery = Delivery(endpoint=PACKED, wire=wire)
    manifest = delivery.run([record("0"), faulted, unfit, record("3", 3), record("4", 4)])
    assert ((5, 2, 3, 0), None) == (counts(manifest), delivery.failure(manifest))
    assert {"f": "broken_line", "u": "missing_field", "3": "bad"} == {
        one.record.key: one.error.code for one in delivery.sink.written if one.error
    }


def test_a_refused_pack_is_halved_until_the_guilty_one_is_found() -> None:
    """Of four records one is rejected, and the other three are delivered."""
    wire = FakeWire(lambda asked: refusal(400) if b'"2"' in asked.content else answer_all(asked))
    delivery = Delivery(endpoint=PACKED, wire=wire)
    assert (4, 3, 1, 0) == counts(delivery.run(4))
    assert [1, 1, 2, 2, 4] == sorted(len(body["input"]) for body in wire.bodies)


def guilty(*numbers: int) -> FakeWire:
    """Give a server that refuses each request that holds one of these records, naming none."""
    words = {str(number) for number in numbers}
    return FakeWire(
        lambda asked: refusal(400, "bad") if words & set(json.loads(asked.content)["input"]) else answer_all(asked)
    )


def pack_of(number: int) -> EndpointTemplate:
    packing = Packing(request_field="input", response_items="data", max_records=number, max_tokens=1_000_000)
    return replace(PACKED, packing=packing)


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("number", [2, 3, 5, 128, 1000, 2048])
def test_one_guilty_record_costs_few_requests(number: int, concurrency: int) -> None:
    """Wherever it stands in a pack of n: two requests for each halving, and it alone is rejected."""
    for bad in {0, 1, number // 2, number - 1}:
        delivery = Delivery(endpoint=pack_of(number), wire=guilty(bad), sending={"concurrency": concurrency})
        assert (number, number - 1, 1, 0) == counts(delivery.run(number))
        assert len(delivery.wire.sent) <= 2 * ceil(log2(number)) + 1


@pytest.mark.parametrize("bad", [2, 3, 8, 19])
def test_several_guilty_records_cost_few_requests_each(bad: int) -> None:
    """Those of the tree that leads to them: no request is sent twice, however they are spread."""
    number = 2048
    for spread in (1, 7, number // bad):
        numbers = [place * spread for place in range(bad)]
        delivery = Delivery(endpoint=pack_of(number), wire=guilty(*numbers))
        assert (number, number - bad, bad, 0) == counts(delivery.run(number))
        assert len(delivery.wire.sent) <= 2 * bad * (log2(number / bad) + 2)
        assert len(delivery.wire.sent) == len({request.content for request in delivery.wire.sent})


def test_a_refusal_of_every_record_of_a_pack_is_found_early() -> None:
    """It is the template: the twenty that were asked alone say so, and the other 2,028 are left."""
    delivery = Delivery(refusal(400, "bad"), endpoint=pack_of(2048))
    manifest = delivery.run(4096)
    assert 20 <= manifest.rejected <= 24
    assert (4096, 0) == (manifest.input, manifest.delivered)
    assert len(delivery.wire.sent) < 80
    assert isinstance(delivery.failure(manifest), AbortError)


def test_records_that_do_not_fit_the_template_stop_nothing() -> None:
    """They are refused here, alike and before anything is sent; the good ones behind them are delivered."""
    unfit = [record(f"u{number}", number, {"other": 1}) for number in range(40)]
    delivery = Delivery(endpoint=PACKED)
    manifest = delivery.run([*unfit, *[record(str(number), 40 + number) for number in range(40)]])
    assert ((80, 40, 40, 0), None) == (counts(manifest), delivery.failure(manifest))


def test_a_run_whose_every_record_is_refused_alike_is_no_abort_when_nothing_is_left() -> None:
    """How many may be rejected is then the tolerance's to say."""
    delivery = Delivery(refusal(400, "bad"), sending={"concurrency": 1})
    manifest = delivery.run(20)
    assert ((20, 0, 20, 0), None) == (counts(manifest), delivery.failure(manifest))


def test_a_pack_that_was_refused_for_another_reason_is_not_halved() -> None:
    """A wrong URL is wrong for each half."""
    delivery = Delivery(refusal(404, message="Invalid URL"), endpoint=PACKED)
    assert ((4, 0, 4, 0), 1) == (counts(delivery.run(4)), len(delivery.wire.sent))


def test_a_pack_of_unknown_fate_is_not_sent_in_halves() -> None:
    """That would be the second time that it is paid for."""
    policy = RetryPolicy(ambiguous_retries=0, quarantine_unknown=True)
    delivery = Delivery(lost(), endpoint=PACKED, sending={"policy": policy})
    manifest = delivery.run(4)
    assert ((4, 0, 4, 0), 1, 4) == (counts(manifest), len(delivery.wire.sent), manifest.maybe_billed)


def test_what_earlier_tries_settled_is_counted_and_not_sent() -> None:
    """With its usage, its reason and its row; and the sinks do not see it again."""
    earlier = [
        outcome("0", usage={"n": 5}, record=record("0", 0)),
        outcome("1", Status.REJECTED, record=record("1", 1)),
    ]
    delivery = Delivery(earlier=earlier)
    manifest = delivery.run(4)
    assert ((4, 3, 1, 0), {"n": 5}, 1) == (counts(manifest), manifest.usage, len(manifest.rejections))
    assert {"2", "3"} == {one.record.key for one in delivery.sink.written}
    assert [0, 1, 2, 3] == [row["position"] for row in manifest.outcomes or ()]


def test_what_an_earlier_try_settled_is_not_in_the_source_any_more() -> None:
    """It is not counted: the input is what the source gives."""
    assert (1, 1, 0, 0) == counts(Delivery(earlier=[outcome("gone")]).run(1))


def test_the_files_of_an_answer_are_kept_before_the_sinks_see_it() -> None:
    """And an answer whose file can't be read is rejected then."""

    def keep(one: Outcome) -> Outcome:
        if one.record.key == "1":
            return outcome("1", Status.REJECTED)
        return outcome(one.record.key, answer="path")

    delivery = Delivery(keep=keep)
    assert (3, 2, 1, 0) == counts(delivery.run(3))
    assert {"path", None} == {one.answer for one in delivery.sink.written}


def test_the_first_of_each_kind_of_rejection_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Once, as a warning, with key and message."""
    Delivery(refusal(400, "bad", "no such thing")).run(20)
    (line,) = [one for one in caplog.records if "rejected" in one.getMessage()]
    assert ("WARNING", True) == (line.levelname, "bad: no such thing" in line.getMessage())


def test_a_good_run_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Start and end are the task's own lines."""
    caplog.set_level(logging.INFO)
    Delivery().run(20)
    assert not caplog.messages


def test_no_record_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong, bodies and keys of the account stay out of it."""
    caplog.set_level(logging.DEBUG, logger="airflow_provider_openai_dest")
    secret = [record(str(number), number, {"q": "canary-in-the-body"}) for number in range(30)]
    for one in (refusal(400), refusal(500), lost(), BAD_KEY, reply(200, b"<html>canary-in-the-body")):
        Delivery(one).run(secret)
    assert "canary" not in caplog.text
    assert "sk-test" not in caplog.text


# -- how a run ends ----------------------------------------------------------------------------------


def test_a_refused_account_ends_in_an_abort() -> None:
    """The error names the message and carries the manifest; what was delivered is kept."""
    delivery = Delivery(*[reply()] * 5, BAD_KEY, sending={"concurrency": 1})
    manifest = delivery.run(200)
    error = delivery.failure(manifest)
    assert (200, 5, 0, 195) == counts(manifest)
    assert isinstance(error, AbortError)
    assert "create_thing was stopped: invalid_api_key: Incorrect API key provided" in str(error)
    assert error.manifest is not None
    assert error.manifest["pending"] == 195


def test_a_long_source_is_not_read_to_its_end_after_an_abort() -> None:
    """The task ends soon, and says that the rest was not even counted."""

    class Endless(ListSource):
        def __iter__(self) -> Iterator[Record]:
            number = 0
            while True:
                yield record(str(number), number)
                number += 1

    delivery = Delivery(BAD_KEY, count_seconds=0.05)
    manifest = delivery.run(Endless())
    assert (manifest.input, False) == (manifest.pending, manifest.whole_input)
    assert isinstance(delivery.failure(manifest), AbortError)


def test_an_outage_ends_in_a_transient_error() -> None:
    """Airflow tries again later; the error says what the server answered."""
    delivery = Delivery(refusal(503, "server_is_overloaded", "busy"))
    manifest = delivery.run(500)
    error = delivery.failure(manifest)
    assert (500, 0, 0, 500) == counts(manifest)
    assert isinstance(error, TransientError)
    assert "500 of 500 records are pending (the server failed: server_is_overloaded: busy)" in str(error)


def test_a_source_that_breaks_midway_keeps_what_came_before() -> None:
    """All that was read is sent, in open packs too; then the error is raised, and Airflow tries again."""
    delivery = Delivery(endpoint=PACKED)
    records = [record(str(number), number) for number in range(10)]
    manifest = delivery.run(ListSource(records, error=OSError("connection lost")))
    error = delivery.failure(manifest)
    assert ((10, 10, 0, 0), False) == (counts(manifest), manifest.whole_input)
    assert isinstance(error, TransientError)
    assert "reading the records failed: OSError: connection lost" in str(error)
    assert isinstance(error.__cause__, OSError)


def test_an_error_of_the_package_that_a_source_raises_stays_what_it_is() -> None:
    """It says what happens next."""
    delivery = Delivery()
    manifest = delivery.run(ListSource([record()], error=ConfigurationError("no such file")))
    assert isinstance(delivery.failure(manifest), ConfigurationError)


class BrokenRenderer:
    """A renderer that breaks after some records, one of which it has taken and not given back."""

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        inner = renderer_of(SINGLE)
        for number, one in enumerate(records):
            if number == 3:
                raise OSError("no space left for the spool")
            yield from inner.render([one])

    def split(self, _: Any) -> Sequence[Any]:
        return ()


def test_what_a_broken_renderer_has_swallowed_is_pending() -> None:
    """It was read, and nothing came of it."""
    delivery = Delivery(renderer=BrokenRenderer())
    manifest = delivery.run(10)
    assert (4, 3, 0, 1) == counts(manifest)
    assert isinstance(delivery.failure(manifest), TransientError)


@pytest.mark.parametrize("method", ["write", "flush"])
def test_a_sink_that_fails_stops_the_sending(method: str) -> None:
    """What could not be written counts as pending, and the error is a SinkError."""
    delivery = Delivery(sinks=[ListSink(fails_in=method, after=1)])
    manifest = delivery.run(2000)
    written = len(delivery.sinks[0].written)
    assert (2000, written, 0, 2000 - written) == counts(manifest)
    assert written < 2000
    assert isinstance(delivery.failure(manifest), SinkError)


def test_nothing_counts_before_every_sink_has_it() -> None:
    """A sink that fails after another has flushed: the batch is pending, and the next sink never sees it."""
    first, second, third = ListSink(), ListSink(fails_in="flush"), ListSink()
    delivery = Delivery(sinks=[first, second, third])
    manifest = delivery.run(10)
    assert (10, 0, 0, 10) == counts(manifest)
    assert (True, [], []) == (bool(first.written), second.written, third.held + third.written)


def test_a_sink_that_can_not_be_closed_is_told_and_the_others_are_closed() -> None:
    """Each is closed once."""
    sinks = [ListSink(fails_in="close"), ListSink()]
    delivery = Delivery(sinks=sinks)
    manifest = delivery.run(3)
    assert ((3, 3, 0, 0), [1, 1]) == (counts(manifest), [sink.closed for sink in sinks])
    assert isinstance(delivery.failure(manifest), SinkError)


def test_a_fault_of_the_package_is_raised_and_the_sinks_are_closed() -> None:
    """What was answered before it is written."""

    def keep_all_but_one(asked: WireRequest) -> httpx.Response:
        if b'"20"' in asked.content:
            raise ZeroDivisionError
        return answer_all(asked)

    delivery = Delivery(wire=FakeWire(keep_all_but_one), sending={"concurrency": 1})
    with pytest.raises(ZeroDivisionError):
        delivery.run(100)
    assert (1, 20) == (delivery.sink.closed, len(delivery.sink.written))


def test_a_state_that_can_not_be_read_sends_nothing() -> None:
    """It is raised before the first request, and what runs beside it is closed."""

    def earlier() -> Iterator[Outcome]:
        yield outcome("0")
        raise TransientError("can't read the state")

    delivery = Delivery(earlier=earlier())
    with pytest.raises(TransientError, match="can't read the state"):
        delivery.run(10)
    assert ([], 1) == (delivery.wire.sent, delivery.sink.closed)


class Miscounting:
    """A renderer that gives each record so many times: a fault of this package."""

    def __init__(self, times: int) -> None:
        self._times = times

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        for one in renderer_of(SINGLE).render(records):
            yield from [one] * self._times

    def split(self, _: Any) -> Sequence[Any]:
        return ()


@pytest.mark.parametrize("times", [0, 2])
def test_counts_that_do_not_add_up_are_told(times: int) -> None:
    """The package checks its own promise at the end of every try."""
    with pytest.raises(OpenAIDestError, match="the counts do not add up"):
        Delivery(renderer=Miscounting(times)).run(3)


# -- stopping ----------------------------------------------------------------------------------------


def test_a_stop_before_the_start_sends_nothing() -> None:
    """All is pending."""
    delivery = Delivery()
    delivery.destination.stop()
    manifest = delivery.run(20)
    assert ((20, 0, 0, 20), []) == (counts(manifest), delivery.wire.sent)
    assert isinstance(delivery.failure(manifest), TransientError)


def test_a_stop_after_the_end_is_no_error() -> None:
    """A signal may come late."""
    delivery = Delivery()
    delivery.run(1)
    delivery.destination.stop()


class Waiting(FakeWire):
    """A wire on which the fifth answer asks everybody to wait for an hour, and tells when they do."""

    def __init__(self) -> None:
        super().__init__(script(*[reply()] * 4, refusal(429, retry_after="3600")))
        self.waits = threading.Event()

    async def send(self, request: WireRequest) -> WireReply:
        answer = await super().send(request)
        if answer.status_code == 429:
            asyncio.get_running_loop().call_later(0.01, self.waits.set)
        return answer


def test_a_stop_from_another_thread_ends_a_long_wait() -> None:
    """The rest is pending, and the run ends at once."""
    wire = Waiting()
    delivery = Delivery(wire=wire, sending=REAL_TIME)

    def stop() -> None:
        assert wire.waits.wait(LONGEST)
        delivery.destination.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    manifest = delivery.run(100)
    thread.join()
    assert (100, 4, 0, 96) == counts(manifest)


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None], threading.Event], None]]:
    """Give what calls a function from a signal handler of the main thread, once an event has happened."""
    before = signal.getsignal(signal.SIGALRM)

    def set_alarm(act: Callable[[], None], when: threading.Event) -> None:
        def handle(*_: object) -> None:
            if when.is_set():
                signal.setitimer(signal.ITIMER_REAL, 0)
                act()

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)

    yield set_alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


needs_main_thread = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
Alarm = Callable[[Callable[[], None], threading.Event], None]


@needs_main_thread
def test_a_stop_from_a_signal_handler_ends_a_long_wait(alarm: Alarm) -> None:
    """As Airflow's on_kill is called."""
    wire = Waiting()
    delivery = Delivery(wire=wire, sending=REAL_TIME)
    alarm(delivery.destination.stop, wire.waits)
    assert (100, 4, 0, 96) == counts(delivery.run(100))


class TaskTimeout(BaseException):
    """What Airflow raises from a signal handler when the task's time is over."""


@needs_main_thread
def test_an_interrupt_is_raised_as_it_is_and_everything_answered_is_kept(alarm: Alarm) -> None:
    """No event loop swallows it; the sinks are closed, and what runs beside the run is stopped."""
    stopped = threading.Event()
    wire = Waiting()
    delivery = Delivery(wire=wire, sending=REAL_TIME, on_interrupt=stopped.set)

    def raise_timeout() -> None:
        raise TaskTimeout

    alarm(raise_timeout, wire.waits)
    with pytest.raises(TaskTimeout):
        delivery.run(100)
    assert (4, 1, True) == (len(delivery.sink.written), delivery.sink.closed, stopped.is_set())


@needs_main_thread
def test_an_interrupt_does_not_wait_for_an_answer_for_ever(alarm: Alarm) -> None:
    """After a while the requests on the wire are given up."""
    on_wire = threading.Event()

    class Silent(FakeWire):
        async def send(self, request: WireRequest) -> WireReply:
            on_wire.set()
            await asyncio.Event().wait()
            raise AssertionError

    def raise_timeout() -> None:
        raise TaskTimeout

    delivery = Delivery(wire=Silent(), sending=REAL_TIME, grace_seconds=0.02)
    alarm(raise_timeout, on_wire)
    with pytest.raises(TaskTimeout):
        delivery.run(100)
    assert (1, 1) == (delivery.sink.closed, delivery.wire.closed)


def test_a_slow_source_holds_up_no_record_that_is_there() -> None:
    """The first record is sent while the source still waits for the second."""
    sent = threading.Event()

    class Slow(ListSource):
        def __iter__(self) -> Iterator[Record]:
            yield record("0", 0)
            assert sent.wait(LONGEST)
            yield record("1", 1)

    def answer(asked: WireRequest) -> httpx.Response:
        sent.set()
        return answer_all(asked)

    delivery = Delivery(wire=FakeWire(answer), intake_chunk=1)
    assert (2, 2, 0, 0) == counts(delivery.run(Slow()))
