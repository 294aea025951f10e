"""The rows of what was delivered and of what was rejected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sinks.folder import RowLog, list_names, read_rows
from airflow_provider_openai_dest.sinks.results import MAX_REPR, QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sources.record import Record
from tests.core.delivery_parts import outcome, record
from tests.core.memory_folder import MemoryFolder

R = Status.REJECTED


def written(
    kind: type[ResultsSink | QuarantineSink], *outcomes: Outcome, keep_records: bool = True
) -> list[dict[str, Any]]:
    """Give the rows that a sink writes for these outcomes."""
    folder = MemoryFolder()
    sink = kind(RowLog(folder, "rows"), keep_records=keep_records)
    sink.write(outcomes)
    sink.flush()
    return list(read_rows(folder, list_names(folder, "")))


def nested(depth: int) -> Any:
    """Give lists within each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_every_outcome_is_a_row_with_its_record() -> None:
    """Delivered and rejected, in the order of their coming."""
    rows = written(ResultsSink, outcome("a", answer={"n": 2**70}), outcome("b", R))
    assert [("a", "delivered", {"q": "a"}, {"n": 2**70}), ("b", "rejected", {"q": "b"}, None)] == [
        (row["key"], row["status"], row["record"], row["answer"]) for row in rows
    ]


def test_the_quarantine_has_the_rejected_only() -> None:
    """With the reason; an answer or a usage is none of its matters."""
    (row,) = written(QuarantineSink, outcome("a"), outcome("b", R, request_id="req_1"))
    assert ("b", "req_1", {"q": "b"}) == (row["key"], row["request_id"], row["record"])
    assert {"code": "bad", "message": "no", "param": None, "status": 400} == row["error"]
    assert not {"answer", "usage"} & set(row)


@pytest.mark.parametrize("kind", [ResultsSink, QuarantineSink])
def test_records_can_be_left_out(kind: type[ResultsSink]) -> None:
    """Key and position stay, and a digest that tells nothing of the record but whether it is still the same."""
    (row,) = written(kind, outcome("b", R), keep_records=False)
    assert not {"record", "record_repr"} & set(row)
    assert len(row["record_digest"]) == 14


@pytest.mark.parametrize("keep_records", [True, False])
def test_a_row_knows_its_record_again(keep_records: bool) -> None:  # noqa: FBT001
    """The record is settled as long as it holds what it held."""
    one = outcome("a", record=record("a", data={"b": 1, "a": [0.1, "ü", None]}))
    settled = SettledRecords()
    for row in written(ResultsSink, one, keep_records=keep_records):
        settled.add(Outcome.from_row(row))
    assert Status.DELIVERED is settled.status_of(one.record)
    assert settled.status_of(record("a", data={"b": 2})) is None


# data that is no JSON, or none that could be read again, and how it is described
STRANGE: dict[str, tuple[Any, str]] = {
    "NaN": ({"q": float("nan")}, "{'q': nan}"),
    "a surrogate": ({"q": "\ud800"}, "{'q': '\\ud800'}"),
    "bytes": (b"\xff", "b'\\xff'"),
    "a set": ({1}, "{1}"),
    "a huge integer": ([10**5000], "a list that can't be shown"),
    "hundreds deep": (nested(300), "[[[["),
    "thousands deep": (nested(20_000), "a list that can't be shown"),
    "megabytes": ({"q": float("nan"), "t": "x" * 3_000_000}, "{'q': nan, 't': 'xxx"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_data_that_is_no_json_stands_as_a_text_for_people(case: str) -> None:
    """The row can be written and read, and says what the data was."""
    data, described = STRANGE[case]
    (row,) = written(QuarantineSink, outcome("a", R, record=Record(key="a", position=0, data=data)))
    assert row["record"] is None
    assert row["record_repr"].startswith(described)
    assert len(row["record_repr"]) <= MAX_REPR


def test_the_words_of_an_error_may_quote_anything() -> None:
    """A file name of a record, with a lone surrogate, stands in the reason."""
    error = RecordError("file_not_found", "can't read \ud800.png", param="\udfff")
    (row,) = written(QuarantineSink, outcome("a", R, error=error))
    assert ("can't read \\ud800.png", "\\udfff") == (row["error"]["message"], row["error"]["param"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(json_values)
@example(nested(199))
@example("\ud800")
def test_a_record_is_kept_exactly_or_described(data: Any) -> None:
    """Never changed, and never without a row."""
    (row,) = written(QuarantineSink, outcome("a", R, record=Record(key="a", position=0, data=data)))
    assert ("record_repr" in row and row["record"] is None) or row["record"] == data
