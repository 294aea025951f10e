"""What the API said, checked and handed to each record."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_openai_dest.answers.answer import FileAnswer, read_outcomes
from airflow_provider_openai_dest.answers.nesting import DEEPEST
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from tests.core.delivery_parts import conclusion, exhausted, record, rejected, reply, request

EMBEDDING = find_endpoint("create_embedding")
RESPONSE = find_endpoint("create_response")
SPEECH = find_endpoint("create_speech")
MANUAL = EndpointTemplate(name="POST /x", path="/x", answer="any")
IGNORED = EndpointTemplate(name="webhook", path="", answer="ignored")
USAGE = {"prompt_tokens": 7, "total_tokens": 7}
LISTS_TOO_DEEP = b"[" * 300 + b"]" * 300


def vector(*numbers: float) -> str:
    """Give numbers as the API sends them."""
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def pack(*inputs: Any) -> RenderedRequest:
    """Give the one request of records with these inputs, named a, b, c and so on."""
    form = RequestForm(EMBEDDING, base_url="https://api.example/v1")
    renderer = PackedRenderer(form, BodyTemplate({"model": "m", "input": "{message.q}"}))
    records = [record(chr(97 + place), place, {"q": value}) for place, value in enumerate(inputs)]
    (rendered,) = renderer.render(records)
    assert isinstance(rendered, RenderedRequest)
    return rendered


def item(index: int, *numbers: float) -> dict[str, Any]:
    """Give one embedding of an answer."""
    return {"object": "embedding", "index": index, "embedding": vector(*numbers)}


def embeddings(*items: Any, **fields: Any) -> dict[str, Any]:
    """Give the answer of the embeddings endpoint."""
    return {"object": "list", "data": list(items), "model": "m-1", "usage": USAGE} | fields


def read(endpoint: EndpointTemplate, asked: RenderedRequest, body: Any, **headers: str) -> list[Outcome]:
    """Give the outcomes of an answer."""
    return read_outcomes(
        endpoint, asked, conclusion(reply(200, body, **{"content_type": "application/json"} | headers))
    )


def only(outcomes: list[Outcome]) -> Outcome:
    """Give the one outcome of a request for one record."""
    (outcome,) = outcomes
    return outcome


def test_each_record_gets_its_own_embedding() -> None:
    """By the index of the items, whatever their order."""
    outcomes = read(EMBEDDING, pack("x", "y", "z"), embeddings(item(2, 3.0), item(0, 1.0), item(1, 2.0)))
    assert [("a", vector(1.0)), ("b", vector(2.0)), ("c", vector(3.0))] == [
        (outcome.record.key, outcome.answer["embedding"]) for outcome in outcomes
    ]
    assert {Status.DELIVERED} == {outcome.status for outcome in outcomes}
    assert {"m-1"} == {outcome.answer["model"] for outcome in outcomes}


def test_items_without_an_index_are_in_the_order_of_the_inputs() -> None:
    """Some compatible servers leave it out."""
    outcomes = read(EMBEDDING, pack("x", "y"), embeddings({"embedding": [1.0]}, {"embedding": [2.0]}))
    assert [vector(1.0), vector(2.0)] == [outcome.answer["embedding"] for outcome in outcomes]


def test_a_record_with_a_list_of_inputs_gets_a_list() -> None:
    """As many as it gave, and the next record gets its own."""
    first, second = read(EMBEDDING, pack(["x", "y"], "z"), embeddings(item(0, 1.0), item(1, 2.0), item(2, 3.0)))
    assert [vector(1.0), vector(2.0)] == [part["embedding"] for part in first.answer["data"]]
    assert second.answer["embedding"] == vector(3.0)


def test_a_usage_stands_on_the_first_record() -> None:
    """So that the sum over all rows is what was billed."""
    outcomes = read(EMBEDDING, pack("x", "y"), embeddings(item(0, 1.0), item(1, 2.0)))
    assert [USAGE, None] == [outcome.usage for outcome in outcomes]


def test_a_usage_stands_on_the_first_record_even_when_that_is_rejected() -> None:
    """It was billed, whatever became of the record."""
    first, second = read(EMBEDDING, pack("x", "y"), embeddings(item(0, float("nan")), item(1, 2.0)))
    assert (Status.REJECTED, USAGE) == (first.status, first.usage)
    assert (Status.DELIVERED, None) == (second.status, second.usage)


def test_a_usage_is_kept_of_an_answer_that_is_rejected_as_a_whole() -> None:
    """One item too few makes none of them sure, and all of them were billed."""
    outcomes = read(EMBEDDING, pack("x", "y"), embeddings(item(0, 1.0)))
    assert [(Status.REJECTED, USAGE), (Status.REJECTED, None)] == [(one.status, one.usage) for one in outcomes]


# answers with 200 that are none, for two packed records
BAD_PACKS: dict[str, tuple[Any, str]] = {
    "HTML": (b"<!doctype html><html>", "not JSON"),
    "nothing": (b"", "not JSON"),
    "half JSON": (json.dumps(embeddings(item(0, 1.0), item(1, 2.0))).encode()[:60], "not JSON"),
    "bad UTF-8": (b'{"data": "\xff"}', "not JSON"),
    "NaN": (b'{"data": [{"index": 0, "embedding": [NaN]}, {"index": 1, "embedding": [1.0]}]}', "not JSON"),
    "a number that is infinite": (b'{"data": [1e999]}', "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "a list": ([], "no JSON object"),
    "null": (b"null", "no JSON object"),
    "a text": ("<html>", "no JSON object"),
    "no data": ({"object": "list"}, "no list 'data'"),
    "data that is no list": (embeddings() | {"data": {"0": {}}}, "no list 'data'"),
    "too few": (embeddings(item(0, 1.0)), "1 items for 2 values"),
    "too many": (embeddings(item(0, 1.0), item(1, 1.0), item(2, 1.0)), "3 items for 2 values"),
    "an index twice": (embeddings(item(0, 1.0), item(0, 1.0)), "item 1 of the answer has a wrong index"),
    "an index too high": (embeddings(item(0, 1.0), item(2, 1.0)), "item 1 of the answer has a wrong index"),
    "an index below zero": (embeddings(item(0, 1.0), item(-1, 1.0)), "item 1 of the answer has a wrong index"),
    "an index that is a text": (embeddings(item(0, 1.0), item(1, 1.0) | {"index": "1"}), "a wrong index"),
    "an index that is true": (embeddings(item(0, 1.0), item(1, 1.0) | {"index": True}), "a wrong index"),
    "an index that is a fraction": (embeddings(item(0, 1.0), item(1, 1.0) | {"index": 1.0}), "a wrong index"),
    "an item that is no object": (embeddings(item(0, 1.0), 7), "item 1 of the answer is no object"),
    "a usage that is no object": (embeddings(item(0, 1.0), item(1, 1.0), usage=[7]), "usage is no object"),
    "an integer of 5,000 digits": (b'{"data": %s}' % (b"9" * 5000), "not JSON"),
    "thousands of brackets": (b"[" * 5000, "not JSON"),
}


@pytest.mark.parametrize("case", BAD_PACKS)
def test_an_answer_that_is_none_rejects_its_records(case: str) -> None:
    """With the reason, and never as delivered; the status and the request id are kept."""
    body, reason = BAD_PACKS[case]
    outcomes = read(EMBEDDING, pack("x", "y"), body, x_request_id="req_9")
    assert [Status.REJECTED] * 2 == [outcome.status for outcome in outcomes]
    for outcome in outcomes:
        assert outcome.error is not None
        assert ("bad_answer", True) == (outcome.error.code, reason in outcome.error.message)
        assert (None, 200, "req_9") == (outcome.answer, outcome.http_status, outcome.request_id)


BAD_ITEMS = {
    "no embedding": {},
    "half a float": {"embedding": "AAA="},
    "an empty one": {"embedding": ""},
    "infinity": {"embedding": vector(float("inf"))},
    "texts": {"embedding": ["a"]},
    "fields nested too deep": {"embedding": [1.0], "extra": json.loads(LISTS_TOO_DEEP)},
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_a_broken_part_rejects_its_own_record_only(case: str) -> None:
    """The others of the same request are delivered."""
    outcomes = read(EMBEDDING, pack("x", "y"), embeddings({"index": 0} | BAD_ITEMS[case], item(1, 2.0)))
    assert [Status.REJECTED, Status.DELIVERED] == [outcome.status for outcome in outcomes]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"status": "failed", "error": {"message": "the model broke"}, "usage": USAGE},
            "status is 'failed': the model broke",
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "'incomplete': max_output_tokens",
        ),
        ({"status": "failed", "error": None}, "status is 'failed'"),
        ({"status": "failed", "error": {"message": {"a": 1}}}, "status is 'failed'"),
        ({"error": {"message": "no such model"}}, "holds an error: no such model"),
        (
            {
                "status": "completed",
                "output": [{"content": [{"type": "refusal", "refusal": "I won't"}]}],
                "usage": USAGE,
            },
            "type is 'refusal': I won't",
        ),
    ],
)
def test_an_answer_that_says_it_failed_is_a_rejection(body: dict[str, Any], reason: str) -> None:
    """With its own words; what there is of it, and its usage, is kept."""
    outcome = only(read(RESPONSE, request(), body))
    assert outcome.error is not None
    assert (Status.REJECTED, "failed_answer") == (outcome.status, outcome.error.code)
    assert reason in outcome.error.message
    assert (body, body.get("usage")) == (outcome.answer, outcome.usage)


def test_the_words_of_a_failed_answer_hold_no_secret() -> None:
    """A server may echo what it was sent."""
    body = {"status": "failed", "error": {"message": "bad key sk-proj-0123456789abcdef " + "x" * 5000}}
    outcome = only(read(RESPONSE, request(), body))
    assert outcome.error is not None
    assert "0123456789" not in outcome.error.message
    assert len(outcome.error.message) < 600


@pytest.mark.parametrize("usage", [None, {}, USAGE])
def test_a_usage_may_be_missing(usage: Any) -> None:
    """Not every server counts."""
    outcome = only(read(RESPONSE, request(), {"status": "completed", "usage": usage}))
    assert (Status.DELIVERED, usage) == (outcome.status, outcome.usage)


def test_an_undeclared_operation_may_call_anything_usage() -> None:
    """Its answer is kept as it is."""
    outcome = only(read(MANUAL, request(), {"usage": [1, 2]}))
    assert (Status.DELIVERED, {"usage": [1, 2]}, None) == (outcome.status, outcome.answer, outcome.usage)


@pytest.mark.parametrize("endpoint", [RESPONSE, MANUAL])
def test_an_answer_that_could_not_be_written_again_is_a_rejection(endpoint: EndpointTemplate) -> None:
    """Lists within lists, hundreds deep, would break the rows, the webhook or Airflow's XCom."""
    outcome = only(read(endpoint, request(), b'{"x": %s}' % LISTS_TOO_DEEP))
    assert outcome.error is not None
    assert (Status.REJECTED, f"the answer is nested more than {DEEPEST} deep") == (
        outcome.status,
        outcome.error.message,
    )


def test_integers_are_exact() -> None:
    """Nothing is rounded on the way."""
    assert {"n": 2**70} == only(read(MANUAL, request(), b'{"n": %d}' % 2**70)).answer


# content type, body -> answer
MANUAL_ANSWERS: dict[str, tuple[str, bytes, Any]] = {
    "JSON": ("application/json; charset=utf-8", b'{"a": 1}', {"a": 1}),
    "JSON without a type": ("", b"[1]", [1]),
    "text": ("text/plain", "grüß".encode(), {"text": "grüß"}),
    "nothing": ("", b"", None),
    "an image": ("image/png", b"\x89PNG", FileAnswer(b"\x89PNG", "image/png")),
    "audio": ("audio/mpeg", b"ID3", FileAnswer(b"ID3", "audio/mpeg")),
    "bytes": ("application/octet-stream", b"{}", FileAnswer(b"{}", "application/octet-stream")),
}


@pytest.mark.parametrize("case", MANUAL_ANSWERS)
def test_the_content_type_says_what_an_undeclared_answer_is(case: str) -> None:
    """JSON, text or a file."""
    content_type, body, answer = MANUAL_ANSWERS[case]
    outcome = only(read(MANUAL, request(), body, content_type=content_type))
    assert (Status.DELIVERED, answer) == (outcome.status, outcome.answer)


@pytest.mark.parametrize(
    ("endpoint", "content_type", "body"),
    [
        (MANUAL, "text/html", b"<html>"),
        (MANUAL, "text/plain", b"\xff"),
        (SPEECH, "text/html; charset=utf-8", b"<html>"),
    ],
    ids=["a page", "a text that is no UTF-8", "a page for a file"],
)
def test_a_login_page_is_no_answer(endpoint: EndpointTemplate, content_type: str, body: bytes) -> None:
    """Nor a file, though it came with 200."""
    assert only(read(endpoint, request(), body, content_type=content_type)).status is Status.REJECTED


def test_a_file_is_handed_on_as_bytes() -> None:
    """A sink puts a path in their place."""
    assert only(read(SPEECH, request(), b"ID3\xff", content_type="audio/mpeg")).answer == FileAnswer(
        b"ID3\xff", "audio/mpeg"
    )


def test_what_a_webhook_answers_is_not_looked_at() -> None:
    """Its status says all."""
    outcome = only(read(IGNORED, request(), b"<html>\xff"))
    assert (Status.DELIVERED, None) == (outcome.status, outcome.answer)


@pytest.mark.parametrize(
    ("end", "status"),
    [(rejected(), Status.REJECTED), (exhausted(), Status.PENDING), (conclusion(verdict=Verdict.ABORT), Status.PENDING)],
    ids=["refused", "exhausted", "stopped"],
)
def test_a_request_without_an_answer_has_outcomes_too(end: Any, status: Status) -> None:
    """One for each of its records: rejected when they were refused, else pending."""
    assert [status] * 3 == [outcome.status for outcome in read_outcomes(RESPONSE, request("a", "b", "c"), end)]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "index", "embedding", "usage", "status", "error", "b64_json"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    endpoint=st.sampled_from([EMBEDDING, RESPONSE, SPEECH, MANUAL, IGNORED]),
    body=st.binary(max_size=30) | json_values.map(msgspec.json.encode),
    content_type=st.sampled_from(["application/json", "text/plain", "text/html", "image/png", ""]),
)
@example(endpoint=MANUAL, body=LISTS_TOO_DEEP, content_type="application/json")
def test_no_answer_breaks_the_reading(endpoint: EndpointTemplate, body: bytes, content_type: str) -> None:
    """Whatever comes with 200, each record has one outcome, and each can be written."""
    asked = pack("x", "y") if endpoint is EMBEDDING else request("a", "b")
    response = httpx.Response(200, content=body, headers={"content-type": content_type})
    outcomes = read_outcomes(endpoint, asked, conclusion(response))
    assert ["a", "b"] == [outcome.record.key for outcome in outcomes]
    for outcome in outcomes:
        assert (outcome.error is None) == (outcome.status is Status.DELIVERED)
        if not isinstance(outcome.answer, FileAnswer):
            json.dumps(outcome.as_row())
            msgspec.json.decode(msgspec.json.encode(outcome.as_row()))
