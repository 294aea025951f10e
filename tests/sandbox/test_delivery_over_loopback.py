"""A delivery over real connections to the sandbox, which breaks in the ways that servers break."""

from __future__ import annotations

import logging
import re
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.exceptions import AbortError, TransientError
from airflow_provider_openai_dest.limits.rate_limit import Limits
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, Renderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.wire.direct_wire import new_wire
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.wire import Wire

EMBED = {"model": "text-embedding-3-small", "dimensions": 8, "input": "{message.q}"}
ASK = {"model": "gpt-6-luna", "input": "{message.q}"}
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
QUICK = RetryPolicy(give_up_after=1.0, first_pause=0.01)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.set_faults()
    running.reset()
    return running


class Kept:
    """A sink that keeps outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def write(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class SeenWire:
    """A wire of which is known whether it was closed."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.send = wire.send
        self.is_closed = False

    async def aclose(self) -> None:
        await self._wire.aclose()
        self.is_closed = True


@dataclass
class Sent:
    """What a delivery to a sandbox came to."""

    manifest: Manifest
    outcomes: list[Outcome]
    destination: Destination
    wire: SeenWire

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Give input, delivered, rejected, pending."""
        return self.manifest.input, self.manifest.delivered, self.manifest.rejected, self.manifest.pending

    def kinds(self) -> dict[str, int]:
        """Give the codes of what went wrong, with their counts."""
        return {kind["code"]: kind["count"] for kind in self.manifest.rejections}


def send(
    sandbox: Sandbox,
    records: int = 8,
    *,
    packed: bool = False,
    streamed: bool = False,
    timeout: float = 10.0,
    **settings: Any,
) -> Sent:
    """Send so many texts; one a request, or all in one; with the answers as streams of events."""
    endpoint = find_endpoint("create_embedding" if packed else "create_response")
    form = RequestForm(endpoint, base_url=sandbox.base_url)
    renderer: Renderer = (
        PackedRenderer(form, BodyTemplate(EMBED))
        if packed
        else SingleRenderer(form, BodyTemplate(ASK, fields={"stream": streamed}))
    )
    wire = SeenWire(new_wire(timeout, TLS, Reading(collects_streams=True)))
    address = ApiAddress({"Authorization": "Bearer sk-test"})
    sink = Kept()
    sending = {
        "policy": QUICK,
        "limits": Limits(),
        "concurrency": 4,
        "clock": SystemClock(),
        "random": lambda: 0.5,
    }
    destination = Destination(
        endpoint=endpoint,
        renderer=renderer,
        dispatcher=Dispatcher(wire, address, **sending | settings),
        sinks=[sink],
    )
    manifest = destination.run(ValuesSource([{"q": f"text {number}"} for number in range(records)]))
    return Sent(manifest, sink.outcomes, destination, wire)


def executions(sandbox: Sandbox) -> int:
    """Give how many pieces of work the sandbox has done, and would have billed."""
    return int(sandbox.stats()["executions"])


@pytest.mark.parametrize("packed", [False, True], ids=["one a request", "packed"])
def test_a_delivery_over_real_connections(sandbox: Sandbox, packed: bool) -> None:  # noqa: FBT001
    """Every record comes back, and the connections are closed at the end, inside the loop that made them."""
    sent = send(sandbox, 50, packed=packed)
    assert ((50, 50, 0, 0), 50) == (sent.counts, len(sent.outcomes))
    assert sent.wire.is_closed
    assert all(one.request_id and one.request_id.startswith("req_") for one in sent.outcomes)


# fault, packed -> counts of 8 records, the codes of what went wrong
FAULTS: dict[str, tuple[str, bool, tuple[int, int, int], set[str]]] = {
    "one bad record": ("status=400,code=bad,match=text 3", False, (7, 1, 0), {"bad"}),
    "one bad record in a pack": ("status=400,code=bad,match=text 3", True, (7, 1, 0), {"bad"}),
    "a server that recovers": ("status=500,times=3", False, (8, 0, 0), set()),
    "an overloaded server": ("status=503", False, (0, 0, 8), {"server_is_overloaded"}),
    "a rate limit": ("status=429,retry_after=0.05,times=3", False, (8, 0, 0), set()),
    "an unknown model": ("status=404,match=text 3", False, (7, 1, 0), {"model_not_found"}),
    "an HTML page": ("html200,match=text 3", False, (7, 1, 0), {"bad_answer"}),
    "half JSON": ("half_json,match=text 3", False, (7, 1, 0), {"bad_answer"}),
    "half JSON for a pack": ("half_json", True, (0, 8, 0), {"bad_answer"}),
    "bad UTF-8": ("bad_utf8,match=text 3", False, (7, 1, 0), {"bad_answer"}),
    "NaN in a pack": ("nan", True, (7, 1, 0), {"bad_answer"}),
    "a wrong count": ("wrong_count", True, (0, 8, 0), {"bad_answer"}),
    "a wrong index": ("wrong_index", True, (0, 8, 0), {"bad_answer"}),
    "a redirect": ("redirect,to=http://127.0.0.1:1/x,match=text 3", False, (7, 1, 0), {"http_307"}),
    "a reset before the work": ("reset,times=1", False, (8, 0, 0), set()),
    "half of an answer": ("truncated,match=text 3", False, (7, 0, 1), {"answer_lost"}),
    "a lost answer": ("reset_after_work,match=text 3", False, (7, 0, 1), {"answer_lost"}),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_the_server_has_its_end(sandbox: Sandbox, case: str) -> None:
    """Delivered, rejected or pending, by what the server did; nothing else is touched by it."""
    fault, packed, counts, codes = FAULTS[case]
    sandbox.set_faults(fault)
    sent = send(sandbox, packed=packed)
    assert ((8, *counts), codes) == (sent.counts, set(sent.kinds()))


def test_a_streamed_delivery_has_the_same_answers(sandbox: Sandbox) -> None:
    """The events of each answer are collected; usage and request id are those of any other."""
    whole, streamed = (send(sandbox, 12, streamed=is_streamed) for is_streamed in (False, True))
    texts = [
        sorted(one.answer["output"][0]["content"][0]["text"] for one in sent.outcomes) for sent in (whole, streamed)
    ]
    assert ((12, 12, 0, 0), texts[0]) == (streamed.counts, texts[1])
    assert whole.manifest.usage == streamed.manifest.usage
    assert all(one.request_id and one.request_id.startswith("req_") for one in streamed.outcomes)


# fault of a stream -> counts of 8 records, the codes of what went wrong, how many may have been billed for nothing
STREAM_FAULTS: dict[str, tuple[str, tuple[int, int, int], set[str], int]] = {
    "ends early": ("half_stream,match=text 3", (7, 0, 1), {"answer_lost"}, 1),
    "ends early once": ("half_stream,match=text 3,times=1", (8, 0, 0), set(), 1),
    "breaks off": ("truncated,match=text 3", (7, 0, 1), {"answer_lost"}, 1),
    "fails": ("stream_error,match=text 3", (7, 0, 1), {"server_error"}, 0),
    "fails once": ("stream_error,match=text 3,times=1", (8, 0, 0), set(), 0),
    "refuses": (
        "stream_error,code=invalid_prompt,type=invalid_request_error,match=text 3",
        (7, 1, 0),
        {"invalid_prompt"},
        0,
    ),
    "is too fast once": ("stream_error,code=rate_limit_exceeded,match=text 3,times=1", (8, 0, 0), set(), 0),
}


@pytest.mark.parametrize("case", STREAM_FAULTS)
def test_a_stream_that_breaks_is_a_lost_answer_and_one_that_fails_an_error(sandbox: Sandbox, case: str) -> None:
    """The first may have been billed, the second is judged by its code; both are tried again by the same rules."""
    fault, counts, codes, maybe_billed = STREAM_FAULTS[case]
    sandbox.set_faults(fault)
    sent = send(sandbox, streamed=True)
    assert ((8, *counts), codes, maybe_billed) == (sent.counts, set(sent.kinds()), sent.manifest.maybe_billed)


def test_no_quota_within_a_stream_stops_at_once(sandbox: Sandbox) -> None:
    """The code counts wherever it stands."""
    sandbox.set_faults("stream_error,code=insufficient_quota")
    sent = send(sandbox, 100, streamed=True)
    assert (100, 0, 0, 100) == sent.counts
    with pytest.raises(AbortError, match="insufficient_quota"):
        sent.destination.raise_failure(sent.manifest)


def test_a_lost_answer_is_paid_for_twice_at_most(sandbox: Sandbox) -> None:
    """And the manifest says how many may have been."""
    sandbox.set_faults("reset_after_work")
    sent = send(sandbox, 6)
    assert ((6, 0, 0, 6), 6) == (sent.counts, sent.manifest.maybe_billed)
    assert executions(sandbox) <= 12


@pytest.mark.parametrize("fault", ["status=401", "status=403", "status=429,code=insufficient_quota"])
def test_a_refused_account_stops_at_once(sandbox: Sandbox, fault: str) -> None:
    """At most what is on the wire follows."""
    sandbox.set_faults(fault)
    sent = send(sandbox, 200)
    assert (200, 0, 0, 200) == sent.counts
    assert sent.manifest.requests <= 4
    with pytest.raises(AbortError):
        sent.destination.raise_failure(sent.manifest)


def test_an_answer_that_drips_ends_with_its_time(sandbox: Sandbox) -> None:
    """The time is for the whole answer."""
    sandbox.set_faults("drip,interval=0.02,match=text 3")
    started = time.monotonic()
    sent = send(sandbox, timeout=0.2)
    assert ((8, 7, 0, 1), {"answer_lost": 1}) == (sent.counts, sent.kinds())
    assert time.monotonic() - started < 2
    assert "no whole answer within 0.2 s" in sent.manifest.rejections[0]["first_message"]


def test_a_bomb_is_refused_and_the_next_request_is_answered(sandbox: Sandbox) -> None:
    """300 MB in a small gzip body are not held."""
    sandbox.set_faults("bomb,match=text 0")
    sent = send(sandbox, 4, concurrency=1)
    assert ((4, 3, 1, 0), {"bad_answer": 1}) == (sent.counts, sent.kinds())


def test_a_server_that_is_not_there_is_an_outage(sandbox: Sandbox) -> None:
    """Nothing left, nothing was billed, and the next try sends it all."""

    class Nowhere(Sandbox):
        base_url = "http://127.0.0.1:9/v1"

        def __init__(self) -> None:
            pass

    sent = send(Nowhere(), 100)
    assert ((100, 0, 0, 100), 0) == (sent.counts, sent.manifest.maybe_billed)
    with pytest.raises(TransientError, match="not_sent"):
        sent.destination.raise_failure(sent.manifest)


def test_the_mirror_of_the_limits_wastes_no_request() -> None:
    """The sandbox refuses what is above its limits, and is asked for nothing that it refuses."""
    with running_sandbox(requests_per_minute=6000, tokens_per_minute=60_000, burst_seconds=0.2) as sandbox:
        sent = send(sandbox, 60, concurrency=16)
        refused = sandbox.stats()["requests"]["POST /v1/responses"].get("429", 0)
    assert ((60, 60, 0, 0), True) == (sent.counts, refused <= 1)


def test_a_stop_keeps_what_is_on_the_wire() -> None:
    """The answers that are on their way are delivered, the rest is pending."""
    with running_sandbox(latency=0.2) as sandbox:
        form = RequestForm(find_endpoint("create_response"), base_url=sandbox.base_url)
        wire = new_wire(10, TLS, Reading())
        sending = {
            "policy": QUICK,
            "limits": Limits(requests_per_minute=6000),
            "concurrency": 4,
            "clock": SystemClock(),
        }
        destination = Destination(
            endpoint=find_endpoint("create_response"),
            renderer=SingleRenderer(form, BodyTemplate(ASK)),
            dispatcher=Dispatcher(wire, ApiAddress({"Authorization": "Bearer k"}), random=lambda: 0.5, **sending),
        )
        timer = threading.Timer(0.1, destination.stop)
        timer.start()
        manifest = destination.run(ValuesSource([{"q": str(number)} for number in range(100)]))
        timer.join()
        done = executions(sandbox)
    assert 0 < manifest.delivered == done <= 8
    assert (manifest.pending, manifest.maybe_billed) == (100 - done, 0)


def test_a_run_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Done and durable of total, records a second, and the time left; not at the start, and not at the end."""
    caplog.set_level(logging.INFO, logger="airflow_provider_openai_dest")
    with running_sandbox(latency=0.05) as sandbox:
        send(sandbox, 48, concurrency=1)
    lines = [message for message in caplog.messages if "done" in message]
    assert 1 <= len(lines) <= 2
    assert re.fullmatch(
        r"\d+ of 48 records are done, \d+\.\d a second, 1 on the wire, \d+ tokens, about \d s left", lines[0]
    )
