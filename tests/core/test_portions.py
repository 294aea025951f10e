"""A record whose chunks take several requests, one after the other: it is in one of them at a time, and counts once."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from struct import pack
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.answers.answer import ReadOutcomes, read_outcomes
from airflow_provider_openai_dest.answers.vector import averaged, decode_embedding
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.embeddings import CREATE_EMBEDDING
from airflow_provider_openai_dest.endpoints.template import Packing
from airflow_provider_openai_dest.estimate import estimate
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.duplicates import Originals
from airflow_provider_openai_dest.rendering.long_inputs import LongInputs
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.wire.wire import WireRequest
from tests.core.delivery_parts import FakeWire, ListSink, ListSource, dispatcher, lost, record, refusal, reply
from tests.core.json_values import few_examples
from tests.core.tiny_vocabulary import known_as

ENDPOINT = replace(
    CREATE_EMBEDDING,
    packing=Packing(
        request_field="input",
        response_items="data",
        max_records=4,
        max_tokens=20,
        max_value_tokens={"text-embedding-": 8192},
    ),
)
CHUNKS = LongInputs(rule="chunk", chunk_tokens=5, chunk_overlap=1, encoding_name="tiny")
AVERAGE = replace(CHUNKS, is_averaged=True)
TRUNCATED = LongInputs(rule="truncate", encoding_name="tiny")
LONG = "abcdefghijklmnopqrstuvwxyz0123456789"  # 35 tokens, 9 chunks, 3 requests


@pytest.fixture(autouse=True)
def tiny() -> Iterator[None]:
    """Let the vocabulary be found."""
    with known_as("tiny"):
        yield


def vector_of(value: Any) -> list[float]:
    """Give what the server makes of an input: its length and its first token or character."""
    return [float(len(value)), float(value[0] if isinstance(value, list) else ord(value[0]))]


def answer(asked: WireRequest) -> httpx.Response:
    """Answer as the API does; a token is a token of usage."""
    values = json.loads(asked.content)["input"]
    data = [
        {"index": place, "embedding": b64encode(pack("<2f", *vector_of(value))).decode()}
        for place, value in enumerate(values)
    ]
    return reply(body={"model": "m", "data": data, "usage": {"total_tokens": sum(map(len, values))}})


class Delivery:
    """A destination for embeddings over a fake wire."""

    def __init__(
        self,
        rule: LongInputs,
        answering: Any = answer,
        *,
        originals: Originals | None = None,
        read: ReadOutcomes = read_outcomes,
        **fields: Any,
    ) -> None:
        form = RequestForm(ENDPOINT, base_url="https://api.example/v1")
        self.wire = FakeWire(answering)
        self.sink = ListSink()
        self.destination = Destination(
            endpoint=ENDPOINT,
            renderer=PackedRenderer(form, BodyTemplate({"model": "m", "input": "{message}"} | fields), originals, rule),
            dispatcher=dispatcher(self.wire),
            sinks=[self.sink],
            read=read,
        )

    def run(self, *values: Any) -> Manifest:
        """Deliver a record for each value."""
        return self.destination.run(
            ListSource([record(str(place), place, value) for place, value in enumerate(values)])
        )

    @property
    def inputs(self) -> list[list[Any]]:
        """Give what was sent."""
        return [body["input"] for body in self.wire.bodies]

    def outcome(self, key: str = "0") -> Outcome:
        """Give what became of a record."""
        (found,) = [one for one in self.sink.written if one.record.key == key]
        return found


def counts(manifest: Manifest) -> tuple[int, int, int, int]:
    return manifest.input, manifest.delivered, manifest.rejected, manifest.pending


def decoded(items: Sequence[dict[str, Any]]) -> list[list[float]]:
    return [list(decode_embedding(item["embedding"])) for item in items]


def test_a_record_may_take_several_requests() -> None:
    """It is delivered once, with all its chunks in order, and the usage of all requests."""
    delivery = Delivery(CHUNKS)
    manifest = delivery.run(LONG)
    assert ((1, 1, 0, 0), [4, 4, 1]) == (counts(manifest), [len(values) for values in delivery.inputs])
    sent = [chunk for values in delivery.inputs for chunk in values]
    found = delivery.outcome()
    assert [vector_of(chunk) for chunk in sent] == decoded(found.answer["data"])
    assert {"total_tokens": sum(map(len, sent))} == found.usage == manifest.usage
    places = [(item["start"], item["end"]) for item in found.answer["data"]]
    assert [(0, 6), (5, 10), (9, 14), (13, 18), (17, 22), (21, 26), (25, 30), (29, 34), (33, 36)] == places


def test_an_average_is_over_all_requests() -> None:
    """One vector, as if the input had not been cut; how many chunks it is of is told."""
    delivery = Delivery(AVERAGE)
    delivery.run(LONG)
    sent = [chunk for values in delivery.inputs for chunk in values]
    expected = averaged([b64encode(pack("<2f", *vector_of(chunk))).decode() for chunk in sent], [*map(len, sent)])
    assert {"model": "m", "embedding": expected, "chunks": 9} == delivery.outcome().answer


def test_each_text_of_a_list_has_its_own_average() -> None:
    """In the order of the list; one that was not cut is brought to length 1 as well."""
    delivery = Delivery(AVERAGE)
    delivery.run(["ab", LONG, "ab"])
    items = delivery.outcome().answer["data"]
    assert [1, 9, 1] == [item["chunks"] for item in items]
    assert items[0] == items[2]


def test_many_records_each_come_out_once() -> None:
    """Long and short, texts and tokens, lists and truncated ones."""
    values = [
        LONG + str(place) if place % 3 else ["ab", LONG * (place % 5)] if place % 2 else "ab" for place in range(60)
    ]
    delivery = Delivery(CHUNKS)
    assert (60, 58, 2, 0) == counts(delivery.run(*values))  # a list with an empty text is rejected
    assert 60 == len({one.record.key for one in delivery.sink.written}) == len(delivery.sink.written)


def test_a_truncated_input_says_where_it_ends() -> None:
    """So that nobody takes the vector for one of the whole."""
    delivery = Delivery(TRUNCATED)
    delivery.run("x" * 9000)
    found = delivery.outcome().answer
    assert ({"model": "m", "start": 0, "end": 8192}, [[8192.0, 120.0]]) == (
        {name: found[name] for name in ("model", "start", "end")},
        decoded([found]),
    )


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_one_refused_chunk_rejects_its_record(refused: int) -> None:
    """What follows is not sent, the others go on, and what was used is told."""
    asked = iter(range(10))

    def refuse_one(request: WireRequest) -> httpx.Response:
        is_long = isinstance(json.loads(request.content)["input"][0], list)
        return refusal(400, "bad") if is_long and next(asked) == refused else answer(request)

    delivery = Delivery(CHUNKS, refuse_one)
    manifest = delivery.run(LONG, "ab")
    assert (2, 1, 1, 0) == counts(manifest)
    found = delivery.outcome()
    assert (Status.REJECTED, "bad", 20 * refused or None) == (
        found.status,
        found.error and found.error.code,
        found.usage and found.usage["total_tokens"],
    )
    assert 1 + refused + 1 == len(delivery.inputs)


def test_what_was_used_before_a_stop_is_told() -> None:
    """The record is pending, and may be billed again: its first chunks were."""

    def stop_at_the_second(request: WireRequest) -> httpx.Response:
        return answer(request) if len(delivery.inputs) == 1 else refusal(401, "invalid_api_key")

    delivery = Delivery(CHUNKS, stop_at_the_second)
    manifest = delivery.run(LONG)
    assert ((1, 0, 0, 1), 1, {"total_tokens": 20}) == (counts(manifest), manifest.maybe_billed, manifest.usage)


endings = st.sampled_from([None, None, None, "lost", "refused", "too large", "no key"])
data_sets = st.lists(st.sampled_from(["ab", LONG, ["ab", LONG], ["a", "b", "c"], [7] * 50, ""]), max_size=8)


@few_examples
@given(data_sets, st.lists(endings, max_size=12), st.sampled_from([CHUNKS, AVERAGE, TRUNCATED]))
def test_whatever_comes_back_each_record_ends_once(values: list[Any], ends: list[str | None], rule: LongInputs) -> None:
    """Delivered with as many vectors as it has chunks, rejected, or pending; no other record is lost by it."""
    coming = iter(ends)
    replies = {
        "lost": lost(),
        "refused": refusal(400, "bad"),
        "too large": refusal(400, "max_tokens_per_request", "Requested 40 tokens, max 20 tokens per request"),
        "no key": refusal(401, "invalid_api_key"),
    }

    def answering(request: WireRequest) -> Any:
        end = next(coming, None)
        return answer(request) if end is None else replies[end]

    delivery = Delivery(rule, answering)
    manifest = delivery.run(*values)
    assert len(values) == manifest.input == manifest.delivered + manifest.rejected + manifest.pending
    assert len(delivery.sink.written) == len({one.record.key for one in delivery.sink.written})
    assert manifest.pending == 0 or "no key" in ends or "lost" in ends
    for one in delivery.sink.written:
        if one.status is Status.DELIVERED and rule is CHUNKS and "data" in one.answer:
            spans = [item["end"] for item in one.answer["data"] if "end" in item]
            assert not spans or spans[-1] == (50 if one.record.data[0] == 7 else len(LONG))


def test_an_answer_that_was_lost_on_the_way_is_remembered() -> None:
    """The record may have been billed twice for its first chunks, although its last ones came at once."""

    def lose_the_first(request: WireRequest) -> Any:
        return lost() if len(delivery.inputs) == 1 else answer(request)

    delivery = Delivery(CHUNKS, lose_the_first)
    assert (1, 1, 0, 0) == counts(delivery.run(LONG))
    assert delivery.outcome().maybe_billed


def test_a_list_that_is_too_large_for_a_request_is_sent_in_halves() -> None:
    """The API counts more tokens than were estimated: the record gets all its vectors in order."""

    def refuse_more_than_two(request: WireRequest) -> httpx.Response:
        is_large = len(json.loads(request.content)["input"]) > 2
        return refusal(400, "max_tokens_per_request", "too many") if is_large else answer(request)

    delivery = Delivery(LongInputs(), refuse_more_than_two)
    manifest = delivery.run(["a", "bb", "ccc", "dddd"])
    assert ((1, 1, 0, 0), {"total_tokens": 10}) == (counts(manifest), manifest.usage)
    assert [[1.0, 97.0], [2.0, 98.0], [3.0, 99.0], [4.0, 100.0]] == decoded(delivery.outcome().answer["data"])
    assert [4, 2, 2] == [len(values) for values in delivery.inputs]


def test_chunks_that_are_too_large_for_a_request_are_sent_in_halves() -> None:
    """Also those of a record that goes on: all of its chunks come, in order."""

    def refuse_more_than_three(request: WireRequest) -> httpx.Response:
        is_large = len(json.loads(request.content)["input"]) > 3
        return refusal(413, "http_413", "too large") if is_large else answer(request)

    delivery = Delivery(CHUNKS, refuse_more_than_three)
    assert (1, 1, 0, 0) == counts(delivery.run(LONG))
    ends = [item["end"] for item in delivery.outcome().answer["data"]]
    assert [6, 10, 14, 18, 22, 26, 30, 34, 36] == ends


def test_equal_long_records_are_sent_once() -> None:
    """The second gets what came of all chunks of the first."""
    delivery = Delivery(CHUNKS, originals=Originals(keeps_all=False))
    manifest = delivery.run(LONG, LONG)
    assert ((2, 2, 0, 0), 3, 1) == (counts(manifest), manifest.requests, manifest.deduplicated)
    assert delivery.outcome("0").answer == delivery.outcome("1").answer


def test_dimensions_are_checked() -> None:
    """A vector of another length than asked for rejects its record, before it spoils an index."""
    delivery = Delivery(LongInputs(), dimensions=3)
    assert (1, 0, 1, 0) == counts(delivery.run("a"))
    error = delivery.outcome().error
    assert error
    assert ("bad_answer", "the embedding has 2 numbers, and 3 were asked for") == (error.code, error.message)


def test_equal_records_that_can_not_be_packed_are_each_rejected() -> None:
    """None of them waits for what never comes: the first was not sent."""
    delivery = Delivery(LongInputs(), originals=Originals(keeps_all=False), model="text-embedding-3-small")
    assert (3, 1, 2, 0) == counts(delivery.run([7] * 8193, [7] * 8193, [7]))


def test_a_model_without_a_vocabulary_rejects_its_records_only() -> None:
    """Where each record names its own."""
    delivery = Delivery(LongInputs(rule="chunk"), model="{message.m}", input="{message.t}")
    with known_as("cl100k_base"):
        manifest = delivery.run({"m": "text-embedding-3-small", "t": "ab"}, {"m": "my-deployment", "t": "ab"})
    error = delivery.outcome("1").error
    assert error
    assert ((2, 1, 1, 0), "unknown_vocabulary", "model") == (counts(manifest), error.code, error.param)


def test_an_estimate_counts_all_requests_of_a_record() -> None:
    """As many requests and tokens as the delivery then has."""
    form = RequestForm(ENDPOINT, base_url="https://api.example/v1")
    renderer = PackedRenderer(form, BodyTemplate({"model": "m", "input": "{message}"}), None, CHUNKS)
    found = estimate(ENDPOINT, renderer, ListSource([record("0", 0, LONG), record("1", 1, "xy")]), None)
    delivery = Delivery(CHUNKS)
    manifest = delivery.run(LONG, "xy")
    assert (2, 4, manifest.usage["total_tokens"]) == (found.pending, found.requests, found.input_tokens)
    assert manifest.requests == found.requests


def test_an_average_is_made_in_a_thread() -> None:
    """Of thousands of vectors it takes a tenth of a second: nothing could be sent in that time."""
    threads: list[bool] = []

    def seen(*given: Any) -> list[Outcome]:
        threads.append(has_loop())
        return read_outcomes(*given)

    for rule, is_in_loop in ((AVERAGE, False), (CHUNKS, True)):
        delivery = Delivery(rule, read=seen)
        delivery.run(LONG)
        assert [is_in_loop] * 3 == threads
        threads.clear()


def has_loop() -> bool:
    """Tell whether this is called in the thread of the event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
