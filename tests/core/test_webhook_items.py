"""What is forwarded for each outcome, and the requests that carry it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.sinks.webhook_items import (
    MAX_ITEM_BYTES,
    ItemsSource,
    OutcomeRows,
    WebhookRenderer,
    as_item,
    from_record,
    from_row,
    webhook_id,
)
from airflow_provider_openai_dest.sources.record import Record
from tests.core.delivery_parts import ListSource, outcome, record

ORIGIN = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOOK = "https://hooks.example/x"


def item(one: Outcome) -> dict[str, Any]:
    """Give what is forwarded for an outcome."""
    return as_item(one, endpoint="create_response", origin=ORIGIN, results="s3://lake/outcomes-*.jsonl")


def forwardable(number: int = 0, **data: Any) -> Record:
    """Give a record that is an item, with its id as key."""
    return Record(key=webhook_id("d", str(number)), position=number, data={"key": str(number), **data})


def rendered(records: Sequence[Record], batch_size: int = 1) -> list[RenderedRequest | RefusedRecord]:
    """Render items."""
    return list(WebhookRenderer(HOOK, batch_size=batch_size, now=lambda: NOON).render(records))


def body(asked: object) -> Any:
    """Read the body of a request."""
    assert isinstance(asked, RenderedRequest)
    assert isinstance(asked.content, bytes)
    return json.loads(asked.content)


def ids(requests: Sequence[object]) -> list[str]:
    """Give the message ids of requests."""
    return [dict(asked.headers)["webhook-id"] for asked in requests if isinstance(asked, RenderedRequest)]


def test_an_item_says_what_became_of_which_record_of_which_run() -> None:
    """Key, record, answer, status, and where it came from."""
    one = outcome("sku-1", answer={"text": "yes"}, request_id="req_1")
    assert item(one) == {
        "key": "sku-1",
        "position": 0,
        "status": "delivered",
        "record": {"q": "sku-1"},
        "answer": {"text": "yes"},
        "error": None,
        "request_id": "req_1",
        "endpoint": "create_response",
        "origin": ORIGIN,
    }


def test_a_rejection_is_forwarded_too() -> None:
    """With its reason."""
    assert item(outcome("a", Status.REJECTED))["error"]["code"] == "bad"


def test_a_large_item_goes_by_reference() -> None:
    """Without record and answer, which stand in the results that it names."""
    fits, beyond = (item(outcome("a", answer={"text": "x" * size})) for size in (200_000, MAX_ITEM_BYTES))
    assert (200_000, "results" in fits) == (len(fits["answer"]["text"]), False)
    assert (None, None, "s3://lake/outcomes-*.jsonl") == (beyond["record"], beyond["answer"], beyond["results"])
    assert len(json.dumps(beyond)) < 1000


@pytest.mark.parametrize(
    "data", [{"q": float("nan")}, {1, 2}, [10**5000], "\ud800"], ids=["NaN", "a set", "huge", "surrogate"]
)
def test_a_record_that_is_no_json_is_described(data: Any) -> None:
    """The item can be sent, and says what the record was."""
    made = item(outcome("a", Status.REJECTED, record=record("a", data=data)))
    assert made["record"] is None
    assert json.dumps(made["record_repr"]).encode()


def test_an_id_is_the_same_at_every_try() -> None:
    """The same words, the same id; other words, or words that are cut otherwise, another."""
    same, again, other, cut = (
        webhook_id("d", "r", "1"),
        webhook_id("d", "r", "1"),
        webhook_id("d", "r", "2"),
        webhook_id("dr", "1"),
    )
    assert same == again
    assert len({same, other, cut}) == 3


@given(st.lists(st.text(), min_size=1))
def test_an_id_is_fit_for_a_header(words: list[str]) -> None:
    """Whatever the key of the record; and it has no dot, as the standard asks."""
    assert re.fullmatch("msg_[0-9a-f]{32}", webhook_id(*words))


def test_an_item_is_a_message() -> None:
    """With its type, the time of the event, and the id of the item."""
    one = forwardable(answer="grüß")
    (asked,) = rendered([one])
    assert {
        "type": "openai_dest.record",
        "timestamp": "2026-11-22T12:00:00+00:00",
        "data": {"id": one.key, "key": "0", "answer": "grüß"},
    } == body(asked)
    assert [one.key] == ids([asked])
    assert isinstance(asked, RenderedRequest)
    assert ("POST", HOOK, (one,)) == (asked.method, asked.url, asked.records)


def test_items_can_go_in_batches() -> None:
    """The data is a list then, each with its id; the last batch may be smaller."""
    items = [forwardable(number) for number in range(5)]
    requests = rendered(items, batch_size=2)
    assert [2, 2, 1] == [len(body(asked)["data"]) for asked in requests]
    assert [one.key for one in items] == [part["id"] for asked in requests for part in body(asked)["data"]]
    assert {"openai_dest.records"} == {body(asked)["type"] for asked in requests}


def test_a_batch_has_an_id_of_its_items() -> None:
    """The same batch at another try has the same one, another batch another."""
    items = [forwardable(number) for number in range(4)]
    assert ids(rendered(items, 2)) == ids(rendered(items, 2))
    assert len(set(ids(rendered(items, 2)) + ids(rendered(items, 1)))) == 6


def test_a_refused_batch_is_cut_in_two() -> None:
    """So that one item does not hold back the others; one alone can't be cut."""
    renderer = WebhookRenderer(HOOK, batch_size=3, now=lambda: NOON)
    (whole,) = renderer.render([forwardable(number) for number in range(3)])
    assert isinstance(whole, RenderedRequest)
    first, rest = renderer.split(whole)
    assert [1, 2] == [len(half.records) for half in (first, rest)]
    assert isinstance(body(first)["data"], list)
    assert not renderer.split(first)


@pytest.mark.parametrize("key", ["sku 1", "a.b", "ключ", "x" * 5000, "msg_1", "a\r\nb: c"])
def test_a_key_that_is_no_id_is_made_one(key: str) -> None:
    """A file of quarantined records is a source of items, too, and its keys are the author's."""
    (asked,) = rendered([Record(key=key, position=0, data={"q": 1})])
    assert [webhook_id(key)] == ids([asked])


def test_a_field_of_the_record_does_not_replace_the_id() -> None:
    """The item's own id wins."""
    one = forwardable(id="mine")
    (asked,) = rendered([one])
    assert one.key == body(asked)["data"]["id"]


def test_a_record_that_is_no_object_is_wrapped() -> None:
    """An item is an object."""
    (asked,) = rendered([Record(key=webhook_id("a"), position=0, data=[1, 2])])
    assert body(asked)["data"]["record"] == [1, 2]


def test_a_faulted_record_is_refused() -> None:
    """Nothing is sent for it, and the others go on."""
    fault = RecordError("broken_line", "line 3")
    faulted = Record(key="a", position=0, data=None, fault=fault)
    unwritable = Record(key="b", position=1, data={"q": float("nan")})
    first, second, third = rendered([faulted, unwritable, forwardable(2)])
    assert isinstance(first, RefusedRecord)
    assert isinstance(second, RefusedRecord)
    assert (fault, "unserializable") == (first.error, second.error.code)
    assert isinstance(third, RenderedRequest)


def test_rows_of_results_are_items() -> None:
    """A row that is none is a faulted record, and the others go on."""
    rows = ListSource([record("0", 0, outcome("a").as_row()), record("1", 1, {"no": "row"}), record("2", 2, [])])
    made = list(ItemsSource(rows, lambda row: record(from_row(row).record.key)))
    assert [("a", None), ("1", "broken_row"), ("2", "broken_row")] == [
        (one.key, one.fault and one.fault.code) for one in made
    ]


def test_the_last_outcome_of_a_record_is_forwarded() -> None:
    """A record that was rejected and delivered after a clear is one item; a row that was cut is passed over."""
    rows = [
        record("0", 0, outcome("a").as_row()),
        record("1", 1, outcome("b", Status.REJECTED).as_row()),
        record("2", 2, {"key": "a", "status": 5}),
        record("3", 3, outcome("a", Status.REJECTED).as_row()),
        Record(key="4", position=4, data=None, fault=RecordError("broken_line", "line 5")),
    ]
    source = OutcomeRows(ListSource(rows))
    assert ["0", "1", "2"] == [one.key for one in source]
    assert source.fingerprint() == "list"


def test_any_record_is_an_item() -> None:
    """It counts as delivered, and has no answer."""
    one = from_record(record("a"))
    assert (Status.DELIVERED, None, {"q": "a"}) == (one.status, one.answer, one.record.data)


def test_a_source_of_items_is_the_source_itself() -> None:
    """Its fingerprint is that of what it reads."""
    assert ItemsSource(ListSource(), lambda one: one).fingerprint() == "list"
