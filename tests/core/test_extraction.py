"""The fields of an answer that are wanted, in the place of all of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_openai_dest.answers.extraction import Extraction
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import ConfigurationError
from tests.core.delivery_parts import record

ANSWER = {"id": "r", "data": [{"embedding": "AACAPw=="}], "text": None, "usage": {"total_tokens": 3}}
DELIVERED = Outcome(
    record=record("a"), status=Status.DELIVERED, answer=ANSWER, request_id="req", usage={"total_tokens": 3}
)

# paths, and what they keep of the answer
KEPT: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "a vector": ({"vector": "data[0].embedding"}, {"vector": "AACAPw=="}),
    "from the end": ({"last": "data[-1]"}, {"last": {"embedding": "AACAPw=="}}),
    "in quotes": ({"a b": '["id"]'}, {"a b": "r"}),
    "one that is missing": ({"id": "id", "none": "data[1].embedding"}, {"id": "r", "none": None}),
    "one that is null": ({"text": "text"}, {"text": None}),
}


@pytest.mark.parametrize("case", KEPT)
def test_these_fields_stand_in_the_place_of_the_answer(case: str) -> None:
    """In the order in which they are named; what is beside the answer stays."""
    paths, kept = KEPT[case]
    assert replace(DELIVERED, answer=kept) == Extraction(paths).keep(DELIVERED)


@pytest.mark.parametrize("answer", [ANSWER, None, [], "text"], ids=repr)
def test_an_answer_that_has_none_of_them_is_rejected_and_kept_whole(answer: Any) -> None:
    """It was paid for."""
    kept = Extraction({"a": "output[0]", "b": "x"}).keep(replace(DELIVERED, answer=answer))
    assert (Status.REJECTED, answer) == (kept.status, kept.answer)
    assert kept.error is not None
    assert ("missing_answer_field", True) == (kept.error.code, kept.error.message.endswith("output[0], x"))


@pytest.mark.parametrize("status", [Status.REJECTED, Status.PENDING])
def test_what_is_not_delivered_stays_as_it_is(status: Status) -> None:
    """As much as the API gave before it failed is kept."""
    outcome = replace(DELIVERED, status=status)
    assert outcome is Extraction({"a": "x"}).keep(outcome)


@pytest.mark.parametrize("paths", [{}, [], "data", None], ids=repr)
def test_what_is_no_object_of_paths_is_refused(paths: Any) -> None:
    """With how it is written."""
    with pytest.raises(ConfigurationError, match=r"extract: .* such as"):
        Extraction(paths)


def test_all_faults_are_told_at_once() -> None:
    """With the name and the column."""
    paths: Any = {"a": "data[0", "b": "", "c": 7, "": "x", "d": "fine"}
    with pytest.raises(ConfigurationError) as caught:
        Extraction(paths)
    assert 4 == len(caught.value.faults)
    assert "'data[0' at column 4" in caught.value.faults[0]


def test_the_name_of_a_vector_is_known() -> None:
    """So that it is a column of its own in Parquet."""
    extraction = Extraction({"id": "id", "vector": "data[0].embedding"})
    assert ("vector", None, None) == tuple(map(extraction.name_of, ("embedding", "text", None)))
