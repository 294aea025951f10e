"""Records whose requests are equal: what is sent once, whose answer each gets, and what that costs."""

from __future__ import annotations

import asyncio
import json
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.sharing import MOST_WAITING, Sharing
from airflow_provider_openai_dest.destination import FULL_SECONDS
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Claim, Duplicate, Key, Original, Originals
from airflow_provider_openai_dest.rendering.packing import MOST_DUPLICATES, Packer
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, Renderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request import Pack
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.wire.wire import WireReply, WireRequest
from tests.core.delivery_parts import FakeWire, outcome, record, refusal, reply
from tests.core.json_values import few_examples
from tests.core.test_destination import LONGEST, PACKED, SINGLE, Delivery, counts

BOTH = pytest.mark.parametrize("endpoint", [SINGLE, PACKED], ids=["one a request", "packed"])
BODY = BodyTemplate({"input": "{message.q}", "model": "{message.m}"}, missing="omit")


def sharing_renderer(endpoint: EndpointTemplate, **settings: Any) -> Renderer:
    """Give a renderer that sends equal requests once."""
    form = RequestForm(endpoint, base_url="https://api.example/v1")
    renderer = PackedRenderer if endpoint.packing else SingleRenderer
    return renderer(form, BODY, Originals(**{"keeps_all": endpoint.packing is None} | settings))


def asking(*questions: Any, model: str = "m") -> list[Record]:
    """Give a record for each question; one may be a pair of question and model."""
    pairs = [question if isinstance(question, tuple) else (question, model) for question in questions]
    return [record(str(place), place, {"q": q, "m": m}) for place, (q, m) in enumerate(pairs)]


def inputs(body: Any) -> list[Any]:
    """Give the values of a request, of packed ones each, with the model."""
    values = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return [(json.dumps(value), body.get("model")) for value in values]


def echo(asked: WireRequest) -> httpx.Response:
    """Answer with what was asked, so that each answer tells whose it is."""
    body = json.loads(asked.content)
    answers = [{"index": place, "said": each} for place, each in enumerate(inputs(body))]
    return reply(200, {"data": answers, "usage": {"n": len(answers)}})


ECHO = EndpointTemplate(name="echo", path="/echo", required=("input",), packing=PACKED.packing)


def said(one: Outcome) -> Any:
    """Give what the answer says, of a record with several values a list."""
    items = one.answer.get("data", [one.answer])
    return [tuple(item["said"]) for item in items]


# -- whose answer, and how often it is sent ------------------------------------------------------------


questions = st.tuples(
    st.sampled_from(["a", "b", "A", "é", '"a"', ["a"], ["a", "b"], [1, 2], [[1, 2]], '["a"]']), st.sampled_from("mn")
)


@few_examples
@given(asked=st.lists(questions, max_size=60), concurrency=st.sampled_from([1, 4, 64]))
def test_each_record_gets_the_answer_to_its_own_text(asked: list[Any], concurrency: int) -> None:
    """Of any texts, lists and models in any order; equal ones go over the wire once, and the counts add up."""
    delivery = Delivery(
        wire=FakeWire(echo), endpoint=ECHO, renderer=sharing_renderer(ECHO), sending={"concurrency": concurrency}
    )
    manifest = delivery.run(asking(*asked))

    different = {json.dumps(one) for one in asked}
    sent = Counter(value for body in delivery.wire.bodies for value in inputs(body))
    values = [(json.loads(one)[0], json.loads(one)[1]) for one in different]
    assert (len(asked), len(asked), 0, 0) == counts(manifest)
    assert len(asked) - len(different) == manifest.deduplicated
    assert sum(sent.values()) == sum(len(own_texts(q)) for q, _ in values) == manifest.usage.get("n", 0)
    for one in delivery.sink.written:
        q, m = one.record.data["q"], one.record.data["m"]
        assert [(json.dumps(text), m) for text in own_texts(q)] == said(one)


def own_texts(q: Any) -> list[Any]:
    """Give the values that a question brings."""
    is_tokens = isinstance(q, list) and all(isinstance(token, int) for token in q)
    return q if isinstance(q, list) and not is_tokens else [q]


@few_examples
@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_requests_of_one_record_are_sent_once_each(asked: list[str]) -> None:
    """And the answer of each goes to all its equals."""
    delivery = Delivery(wire=FakeWire(echo), renderer=sharing_renderer(SINGLE))
    manifest = delivery.run(asking(*asked))
    assert ((len(asked), len(asked), 0, 0), len(set(asked))) == (counts(manifest), len(delivery.wire.sent))
    assert all([(json.dumps(one.record.data["q"]), "m")] == said(one) for one in delivery.sink.written)


@BOTH
def test_only_the_original_has_usage_and_attempts(endpoint: EndpointTemplate) -> None:
    """So a sum over the rows is what was billed, and a row tells that nothing was sent for it."""
    delivery = Delivery(endpoint=endpoint, renderer=sharing_renderer(endpoint))
    manifest = delivery.run(asking("a", "a", "a"))
    rows = sorted(delivery.sink.written, key=lambda one: one.record.position)
    assert [1, 0, 0] == [one.attempts for one in rows]
    assert [None, None] == [one.usage for one in rows[1:]]
    assert (2, 1, rows[0].answer) == (manifest.deduplicated, manifest.requests, rows[1].answer)


@BOTH
def test_without_originals_equal_requests_are_sent_each_for_itself(endpoint: EndpointTemplate) -> None:
    """As images and sampled texts are wanted."""
    delivery = Delivery(endpoint=endpoint)
    manifest = delivery.run(asking("a", "a", "a"))
    sent = sum(len(body["input"]) if "input" in body else 1 for body in delivery.wire.bodies)
    assert (3, 0, 3) == (manifest.delivered, manifest.deduplicated, sent)


# -- when it goes wrong --------------------------------------------------------------------------------


@BOTH
def test_what_is_refused_for_its_content_is_refused_for_its_equals(endpoint: EndpointTemplate) -> None:
    """However late they come; it is asked for once, and the others are delivered."""
    wire = FakeWire(lambda asked: refusal(400, "bad") if b'"bad"' in asked.content else echo_vector(asked))
    delivery = Delivery(endpoint=endpoint, wire=wire, renderer=sharing_renderer(endpoint))
    asked = ["bad", *map(str, range(20)), "bad", *map(str, range(20, 400)), "bad", "bad"]
    manifest = delivery.run(asking(*asked))
    assert (404, 400, 4, 0) == counts(manifest)
    alone = [body for body in wire.bodies if body["input"] in ("bad", ["bad"])]
    assert 1 <= len(alone) <= 2  # twice where it came too late to wait, and too early to be known


def echo_vector(asked: WireRequest) -> httpx.Response:
    """Answer with a vector for each value."""
    return reply(
        200, {"data": [{"index": n, "embedding": [1.0]} for n, _ in enumerate(inputs(json.loads(asked.content)))]}
    )


@BOTH
@pytest.mark.parametrize("answer", [refusal(500), refusal(401, "invalid_api_key")], ids=["500", "401"])
def test_when_the_original_is_left_its_equals_are_left(endpoint: EndpointTemplate, answer: httpx.Response) -> None:
    """They are pending together, and the next try begins with one of them."""
    delivery = Delivery(answer, endpoint=endpoint, renderer=sharing_renderer(endpoint))
    manifest = delivery.run(asking("a", "b", "a", "a"))
    assert ((4, 0, 0, 4), 0) == (counts(manifest), manifest.deduplicated)
    assert delivery.failure(manifest) is not None


@dataclass
class CountedSource:
    """A source of equal texts that counts how many were read, and does something before the last one."""

    records: int
    before_last: Callable[[], Any] = lambda: None
    read: int = 0

    def __iter__(self) -> Iterator[Record]:
        for number in range(self.records):
            if number == self.records - 1:
                self.before_last()
            self.read += 1
            yield record(str(number), number, {"q": "a", "m": "m"})

    def fingerprint(self) -> str:
        """Say nothing."""
        return "counted"


def test_equals_of_what_was_never_sent_are_pending() -> None:
    """Their original is in a pack that is still open when the run is stopped, and the source hangs."""
    delivery = Delivery(endpoint=PACKED, renderer=sharing_renderer(PACKED), intake_chunk=1, count_seconds=0.05)
    ended = threading.Event()

    def stop_and_hang() -> None:
        delivery.destination.stop()
        ended.wait(LONGEST)

    manifest = delivery.run(CountedSource(6, stop_and_hang))
    ended.set()
    assert ((5, 0, 0, 5), []) == (counts(manifest), delivery.wire.sent)


@dataclass
class PatientWire(FakeWire):
    """A wire that answers when many records have been read, and some time after."""

    source: CountedSource = field(default_factory=lambda: CountedSource(0))
    read: int = 0

    async def send(self, request: WireRequest) -> WireReply:
        """Wait for the reading."""
        while self.source.read < MOST_WAITING:  # noqa: ASYNC110 - another thread reads
            await asyncio.sleep(0.01)
        await asyncio.sleep(2 * FULL_SECONDS)
        self.read = self.source.read
        return await super().send(request)


def test_no_more_are_read_than_may_wait() -> None:
    """While the first is on the wire, however long that takes."""
    source = CountedSource(3 * MOST_WAITING)
    wire = PatientWire(echo, source=source)
    manifest = Delivery(wire=wire, renderer=sharing_renderer(SINGLE)).run(source)
    assert (3 * MOST_WAITING, 1) == (manifest.delivered, manifest.requests)
    assert wire.read < MOST_WAITING + 1000


def test_a_pack_that_is_halved_still_serves_those_who_wait() -> None:
    """Each half is the original of its own texts."""
    wire = FakeWire(lambda asked: refusal(400) if len(json.loads(asked.content)["input"]) > 1 else echo(asked))
    delivery = Delivery(wire=wire, endpoint=ECHO, renderer=sharing_renderer(ECHO))
    manifest = delivery.run(asking(*"abcdabcd"))
    assert ((8, 8, 0, 0), 4) == (counts(manifest), manifest.deduplicated)
    assert all([(json.dumps(one.record.data["q"]), "m")] == said(one) for one in delivery.sink.written)


@BOTH
def test_many_equals_wait_without_a_pack_being_full(endpoint: EndpointTemplate) -> None:
    """More of them than may wait: the open pack goes, and reading goes on when its answer is there."""
    delivery = Delivery(endpoint=endpoint, renderer=sharing_renderer(endpoint))
    many = 2 * MOST_WAITING + 1
    manifest = delivery.run(asking(*["a"] * many))
    assert ((many, many, 0, 0), 1) == (counts(manifest), manifest.requests)


def test_duplicates_close_the_pack_that_they_wait_for() -> None:
    """So that a data set of equal texts is not held in memory."""
    packer = Packer(ECHO.packing, Originals(keeps_all=False)) if ECHO.packing else None
    assert packer is not None
    one = record()
    given = [list(packer.add(one, {"input": "a"})) for _ in range(MOST_DUPLICATES + 1)]
    assert ([], [Duplicate, Pack]) == (given[0], [type(each) for each in given[-1]])
    assert {Duplicate} == {type(each) for items in given[1:-1] for each in items}


# -- what is known, and for how long --------------------------------------------------------------------


def originals(**settings: Any) -> Originals:
    """Give originals that keep all answers, up to 10 of 1,000 bytes."""
    return Originals(**{"keeps_all": True, "most_bytes": 10 * 1513} | settings)


def end(known: Originals, *keys: str, size: int = 1000) -> None:
    """Send these, and let each be delivered."""
    for key in keys:
        assert known.find((key,)) is None
        assert [] == Sharing().ended(Claim(known, ((key,),)), [outcome()], size)


def test_what_is_on_its_way_is_found_until_it_ends() -> None:
    """The second and the third of it are told of the same original."""
    known = originals()
    assert known.find(("a",)) is None
    original = known.find(("a",))
    assert original is not None
    assert original is known.find(("a",))
    assert [original] == known.close([("a",)])
    assert original is known.find(("a",))
    known.forget(("a",))
    assert known.find(("a",)) is None


def test_answers_are_forgotten_from_the_one_that_was_longest_unused() -> None:
    """Within so many bytes, those of the key counted."""
    known = originals()
    end(known, *"abcdefghij")
    assert known.find(("a",)) is not None
    end(known, "k")
    assert [True, False, True] == [known.find((key,)) is not None for key in "abk"]


def test_an_answer_larger_than_all_that_is_kept_is_not_kept() -> None:
    """And the others stay."""
    known = originals()
    end(known, "a")
    end(known, "b", size=20_000)
    assert [True, False] == [known.find((key,)) is not None for key in "ab"]


def test_what_was_found_since_it_ended_may_outlive_what_ended_with_it() -> None:
    """It takes the place of the others, which are told of later."""
    known = originals(most_bytes=1513)
    keys: list[Key] = [("a",), ("b",), ("c",)]
    assert [None] * 3 == [known.find(key) for key in keys]
    known.close(keys)
    known.find(("a",))
    end(known, "d")
    known.keep(("a",), 1000)
    known.keep(("b",), 1000)
    known.forget(("c",))
    assert [False, False, True] == [known.find(key) is not None for key in (*keys[1:], ("d",))]


def test_large_answers_are_kept_from_the_second_time_on() -> None:
    """What came once costs no memory; what came twice is likely to come again."""
    known = originals(keeps_all=False)
    end(known, "a", "a")
    assert known.find(("a",)) is not None


@pytest.mark.parametrize(
    ("ended", "is_kept"),
    [
        (outcome(), True),
        (outcome(status=Status.REJECTED, http_status=400), True),
        (outcome(status=Status.REJECTED, http_status=200), False),
        (outcome(status=Status.REJECTED, http_status=None), False),
        (outcome(status=Status.PENDING, http_status=429), False),
    ],
    ids=["delivered", "refused for its content", "an answer that is none", "lost", "pending"],
)
def test_only_what_would_end_the_same_way_is_kept(ended: Outcome, is_kept: bool) -> None:  # noqa: FBT001
    """Else the next one of it has a chance of its own."""
    known = originals()
    known.find(("a",))
    Sharing().ended(Claim(known, (("a",),)), [ended])
    assert is_kept == (known.find(("a",)) is not None)


def test_no_more_are_read_while_many_wait() -> None:
    """They are records in memory."""
    sharing, known, key = Sharing(), originals(), ("a",)
    known.find(key)
    original = known.find(key)
    assert isinstance(original, Original)
    for _ in range(MOST_WAITING):
        assert not sharing.is_full
        assert [] == sharing.join(Duplicate(record=record(), original=original))
    assert sharing.is_full
    assert MOST_WAITING == len(sharing.ended(Claim(known, (key,)), [outcome()]))
    assert (0, False, MOST_WAITING) == (sharing.waiting, sharing.is_full, sharing.settled)


def test_different_requests_leave_nothing_behind() -> None:
    """A hundred thousand of them, of which none comes again, take less than a megabyte beside the bits."""
    known = originals(keeps_all=False, most_bytes=500_000)
    tracemalloc.start()
    try:
        for start in range(0, 100_000, 1000):
            keys: list[Key] = [(b"{}", f"text {number}") for number in range(start, start + 1000)]
            assert [None] * 1000 == [known.find(key) for key in keys]
            Sharing().ended(Claim(known, tuple(keys)), [outcome()] * 1000, 8000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 1_000_000
