"""Which records earlier tries have settled."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords, digest
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.sources.record import Record
from tests.core.delivery_parts import outcome, record

D, R = Status.DELIVERED, Status.REJECTED
OLD, NEW = {"q": "old"}, {"q": "new"}


def end(status: Status, data: Any = None) -> Outcome:
    """Give an outcome as it is read from a row."""
    return outcome("a", status, record_digest=None if data is None else digest(encode_json(data)))


# outcomes of one record, the newest first; what add says to each; what holds for the record with the new data
HISTORIES: dict[str, tuple[list[Outcome], list[bool], Status | None]] = {
    "nothing": ([], [], None),
    "delivered": ([end(D, NEW)], [True], D),
    "rejected": ([end(R, NEW)], [True], R),
    "rejected, then delivered": ([end(D, NEW), end(R, NEW)], [True, False], D),
    "delivered, then rejected by a late try": ([end(R, NEW), end(D, NEW)], [True, True], D),
    "delivered twice": ([end(D, NEW), end(D, NEW)], [True, False], D),
    "delivered before the record changed": ([end(D, OLD)], [True], None),
    "rejected before the record changed": ([end(R, OLD)], [True], None),
    "delivered before and after it changed": ([end(D, NEW), end(D, OLD)], [True, False], D),
    "delivered before, rejected after it changed": ([end(R, NEW), end(D, OLD)], [True, False], R),
    "delivered without a digest": ([end(D)], [True], D),
    "rejected without a digest, then delivered": ([end(D, NEW), end(R)], [True, False], D),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_one_outcome_holds_for_a_record(case: str) -> None:
    """A delivered one wins over a rejected one, and those of other data are void."""
    outcomes, said, status = HISTORIES[case]
    settled = SettledRecords()
    assert said == [settled.add(one) for one in outcomes]
    assert status is settled.status_of(record("a", data=NEW))


def test_keys_tell_records_apart() -> None:
    """Equal data under another key is another record."""
    settled = SettledRecords()
    settled.add(end(D, NEW))
    assert settled.status_of(record("b", data=NEW)) is None


@pytest.mark.parametrize("data", [{"q": float("nan")}, {"q": "\ud800"}, None], ids=["NaN", "a surrogate", "no data"])
def test_data_that_is_no_json_is_known_by_its_key(data: Any) -> None:
    """It has no digest to compare."""
    settled = SettledRecords()
    settled.add(end(R))
    assert R is settled.status_of(Record(key="a", position=0, data=data))


def test_a_record_takes_little_memory() -> None:
    """Under 50 bytes, however long the key is: a million records are resumed."""
    settled, number = SettledRecords(), 10_000
    outcomes = [outcome(str(key), record_digest=f"{key:014x}") for key in range(number)]
    tracemalloc.start()
    for one in outcomes:
        settled.add(one)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / number < 50
