"""What became of one record, as a row and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.record import Record

DELIVERED = Outcome(
    record=Record(key="a", position=3, data=None),
    status=Status.DELIVERED,
    answer={"id": 1},
    http_status=200,
    request_id="req_1",
    attempts=2,
    usage={"total_tokens": 5},
    maybe_billed=True,
)
REJECTED = Outcome(
    record=Record(key="a", position=3, data=None),
    status=Status.REJECTED,
    error=RecordError("bad", "no", param="q", status=400),
    attempts=1,
)
BROKEN_ROWS: dict[str, Any] = {
    "no object": [1],
    "null": None,
    "no key": {"position": 0, "status": "delivered"},
    "a number for a key": {"key": 1, "position": 0, "status": "delivered"},
    "a text for a position": {"key": "a", "position": "0", "status": "delivered"},
    "an unknown status": {"key": "a", "position": 0, "status": "deliverred"},
    "a pending row": {"key": "a", "position": 0, "status": "pending"},
    "an error without a message": {"key": "a", "position": 0, "status": "rejected", "error": {"code": "x"}},
    "a text for usage": {"key": "a", "position": 0, "status": "delivered", "usage": "5"},
}


@pytest.mark.parametrize("outcome", [DELIVERED, REJECTED], ids=["delivered", "rejected"])
def test_a_row_holds_all_of_an_outcome(outcome: Outcome) -> None:
    """What is written is read back, but for the record's own data, which stands beside it."""
    row = json.loads(json.dumps(outcome.as_row()))
    read = Outcome.from_row(row)
    assert outcome.as_row() == read.as_row()


def test_a_cost_stands_in_a_row_where_it_is_known() -> None:
    """Else the row has no such field."""
    assert "cost" not in DELIVERED.as_row()
    priced = replace(DELIVERED, cost=0.0)
    assert 0.0 == priced.as_row()["cost"] == Outcome.from_row(priced.as_row()).cost


def test_a_row_brings_its_record_back() -> None:
    """The record's data, when it was kept."""
    row = {**DELIVERED.as_row(), "record": {"q": 1}, "record_digest": "0aff"}
    expected = replace(DELIVERED, record=Record(key="a", position=3, data={"q": 1}), record_digest="0aff")
    assert expected == Outcome.from_row(row)


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_a_row_that_is_none_is_told(case: str) -> None:
    """A damaged file, or another one, is a RecordError and no crash."""
    with pytest.raises(RecordError, match="no row of the results"):
        Outcome.from_row(BROKEN_ROWS[case])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(DELIVERED.as_row())), json_values)
def test_no_value_breaks_the_reading(field: str, value: Any) -> None:
    """Any field may be damaged: the row is read or told to be none."""
    try:
        Outcome.from_row({**DELIVERED.as_row(), field: value})
    except RecordError as error:
        assert error.code == "broken_row"
