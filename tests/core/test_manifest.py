"""What one run did, and the adding up of it."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.manifest import (
    KINDS_OF_REJECTION,
    LARGEST_REST,
    LONGEST_TEXT,
    MOST_KINDS,
    Manifest,
    Tally,
)
from tests.core.delivery_parts import outcome, record

D, R, P = Status.DELIVERED, Status.REJECTED, Status.PENDING
MUCH = 1_000_000


def tallied(*outcomes: Outcome, max_inline_bytes: int = MUCH) -> Manifest:
    """Give the manifest of these outcomes."""
    tally = Tally(max_inline_bytes)
    for one in outcomes:
        tally.add(one)
    return tally.manifest("x")


def failed(code: str, message: str = "no", status: Status = R, key: str = "a", http: int | None = 400) -> Outcome:
    """Give an outcome with an error."""
    return outcome(key, status, error=RecordError(code, message, status=http))


def test_outcomes_are_counted_by_status() -> None:
    """Each once."""
    manifest = tallied(*[outcome(status=status) for status in (D, R, P, D, D, R)])
    assert (3, 2, 1) == (manifest.delivered, manifest.rejected, manifest.pending)


def test_usage_is_summed_and_lost_answers_are_counted() -> None:
    """The sum is what was billed."""
    manifest = tallied(
        outcome(usage={"total_tokens": 5}),
        outcome(usage={"total_tokens": 7}, maybe_billed=True),
        outcome(maybe_billed=True),
    )
    assert ({"total_tokens": 12}, 2) == (manifest.usage, manifest.maybe_billed)


@pytest.mark.parametrize(
    ("costs", "cost"),
    [([], None), ([0.25, 0.5], 0.75), ([0.25, None, 0.5], None), ([None], None), ([0.0], 0.0)],
)
@pytest.mark.parametrize("is_absorbed", [False, True])
def test_the_cost_is_known_when_each_is(costs: list[float | None], cost: float | None, *, is_absorbed: bool) -> None:
    """One that is not known makes the sum unknown, and never less; also when it comes from an earlier try's marks."""
    tally = Tally(MUCH)
    for one in costs:
        tally.add(outcome(usage={"total_tokens": 5}, cost=one))
    if is_absorbed:
        later = Tally(MUCH)
        later.absorb(json.loads(json.dumps(tally.summary())))
        tally = later
    assert cost == tally.manifest("x").cost


def test_marks_of_a_version_without_costs_are_of_unknown_cost() -> None:
    """They say what was used, and not what it cost."""
    tally = Tally(MUCH)
    tally.absorb({"usage": {"total_tokens": 5}, "maybe_billed": 0, "kinds": []})
    tally.add(outcome(usage={"total_tokens": 5}, cost=1.0))
    assert tally.manifest("x").cost is None


def test_what_an_earlier_try_settled_is_remembered_and_not_counted() -> None:
    """Its record is counted when the source gives it."""
    tally = Tally(MUCH)
    tally.remember(outcome(usage={"total_tokens": 5}))
    tally.count(D, 3)
    manifest = tally.manifest("x")
    assert (3, {"total_tokens": 5}, 1) == (manifest.delivered, manifest.usage, len(manifest.outcomes or ()))


def test_the_largest_kinds_of_rejection_are_named() -> None:
    """Each with its count, its first record and that one's message."""
    outcomes = [
        failed(f"code {number}", f"m{place}", key=str(place)) for number in range(20) for place in range(number + 1)
    ]
    kinds = tallied(*outcomes).rejections
    assert [20 - place for place in range(KINDS_OF_REJECTION)] == [kind["count"] for kind in kinds]
    assert kinds[0] == {
        "status": "rejected",
        "code": "code 19",
        "http_status": 400,
        "count": 20,
        "first_key": "0",
        "first_message": "m0",
    }


def test_a_pending_record_has_a_kind_of_its_own() -> None:
    """It was not the record's fault."""
    kinds = tallied(failed("http_503", status=P), failed("http_503", status=R)).rejections
    assert {"pending", "rejected"} == {kind["status"] for kind in kinds}


def test_the_first_of_each_kind_is_told() -> None:
    """So that the log has one line for it."""
    tally = Tally(0)
    outcomes = [outcome(), failed("a"), failed("a"), failed("b"), failed("a", http=422), failed("a", status=P)]
    assert [False, True, False, True, True, True] == [tally.add(one) for one in outcomes]


def test_codes_of_a_server_do_not_fill_the_memory() -> None:
    """What comes after the first kinds is counted as others, and nothing is lost of the count."""
    tally = Tally(0)
    news = sum(tally.add(failed(f"code {number}")) for number in range(10_000))
    manifest = tally.manifest("x")
    assert MOST_KINDS + 1 == news
    assert ("other", 10_000 - MOST_KINDS) == (manifest.rejections[0]["code"], manifest.rejections[0]["count"])
    assert manifest.rejected == 10_000


def test_a_kind_is_small_whatever_the_record_is() -> None:
    """Key, code and message are data, and may be long."""
    (kind,) = tallied(failed("c" * 10_000, "m" * 10_000, key="k" * 10_000)).rejections
    assert LONGEST_TEXT == len(kind["code"]) == len(kind["first_key"]) == len(kind["first_message"])


LONG_TEXTS = st.builds(
    lambda text, times: text * times,
    st.text(min_size=1, max_size=8) | st.sampled_from(["日", "😀", '"', "\\", "\n", "\ud800", "\x7f", "m"]),
    st.sampled_from([1, 100, 3_000]),
)
USAGES = st.recursive(
    st.integers(0, 2**53 - 1),
    lambda inner: st.dictionaries(LONG_TEXTS, inner, max_size=8),
    max_leaves=30,
)
OUTCOMES = st.builds(
    lambda status, texts, usage, http: outcome(
        texts[0],
        status,
        error=None if status is D else RecordError(texts[1], texts[2], param=texts[2], status=http),
        answer=texts[2],
        usage={texts[1]: usage, "total_tokens": 1},
    ),
    st.sampled_from([D, R, P]),
    st.tuples(LONG_TEXTS, LONG_TEXTS, LONG_TEXTS),
    USAGES,
    st.none() | st.integers(100, 599),
)


@given(st.lists(OUTCOMES, max_size=40), st.sampled_from([0, 1_000, 48 * 1024]))
def test_a_manifest_keeps_its_bound_whatever_the_answers_are(outcomes: list[Outcome], bound: int) -> None:
    """Its JSON, as Airflow writes it, is what max_xcom_bytes allows for the outcomes, and 32 kB for all else."""
    row = tallied(*outcomes, max_inline_bytes=bound).as_dict()
    inline = row.pop("outcomes")
    assert inline is None or len(json.dumps(inline)) <= max(bound, len("[]"))
    assert len(json.dumps(row)) < LARGEST_REST


@pytest.mark.parametrize("sign", ["m", "日", "😀", '"', "\x00", "\ud800"])
def test_the_worst_of_all_answers_keeps_the_bound(sign: str) -> None:
    """Ten kinds of the longest texts, and a usage of many names."""
    usage = {f"{number}{sign * 2_000}": {f"{name}": 1 for name in range(20)} for number in range(50)}
    outcomes = [failed(f"{number}{sign * 5_000}", sign * 5_000, key=sign * 5_000) for number in range(12)]
    manifest = tallied(*outcomes, outcome(usage={"total_tokens": 7, **usage}), max_inline_bytes=0)
    assert len(json.dumps(manifest.as_dict())) < LARGEST_REST
    assert (10, {"total_tokens": 7}) == (len(manifest.rejections), manifest.usage)


def test_small_outcomes_are_inline_in_the_order_of_the_input() -> None:
    """Whatever the order of their ends; a pending one is none."""
    outcomes = [
        outcome(str(position), status, record=record(str(position), position))
        for position, status in [(2, D), (0, R), (3, P), (1, D)]
    ]
    assert [0, 1, 2] == [row["position"] for row in tallied(*outcomes).outcomes or ()]


@pytest.mark.parametrize("text", ["plain", "日本語"])
def test_the_bound_is_exact_in_airflows_own_spelling(text: str) -> None:
    """As many bytes as the bound are inline, one more is not."""
    outcomes = [outcome(str(number), answer=text) for number in range(3)]
    size = len(json.dumps(tallied(*outcomes).outcomes))
    assert tallied(*outcomes, max_inline_bytes=size).outcomes is not None
    assert tallied(*outcomes, max_inline_bytes=size - 1).outcomes is None


def test_no_outcomes_are_an_empty_list() -> None:
    """And not unknown, whatever the bound."""
    assert tallied(max_inline_bytes=0).outcomes == []


def test_a_million_outcomes_take_no_memory() -> None:
    """What is kept of ten thousand is what is kept of a hundred."""
    tally = Tally(48 * 1024)
    outcomes = [failed(f"code {number}", key=str(number)) for number in range(300)]

    def add(times: int) -> int:
        for _ in range(times):
            for one in outcomes:
                tally.add(one)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before, after = add(2), add(40)
    tracemalloc.stop()
    assert after - before < 20_000


@pytest.mark.parametrize(
    ("fields", "is_settled"),
    [({}, True), ({"rejected": 5}, True), ({"pending": 1}, False), ({"whole_input": False}, False)],
)
def test_a_run_is_settled_when_every_record_has_an_end(fields: dict[str, Any], is_settled: bool) -> None:  # noqa: FBT001
    """And when all of the source was read."""
    assert is_settled is Manifest(endpoint="x", **fields).is_settled


def test_what_nobody_read_is_pending() -> None:
    """When the size of the source is known after all."""
    manifest = Manifest(endpoint="x", input=3, delivered=2, pending=1, whole_input=False)
    manifest.add_unread(10)
    assert (10, 2, 8, True) == (manifest.input, manifest.delivered, manifest.pending, manifest.whole_input)


def test_the_json_form_holds_every_field() -> None:
    """Also answers that are nested as deep as answers may be."""
    answer: Any = 1
    for _ in range(190):
        answer = [answer]
    row = json.loads(json.dumps(tallied(outcome(answer=answer)).as_dict()))
    assert (1, answer) == (row["delivered"], row["outcomes"][0]["answer"])
