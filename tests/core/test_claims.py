"""Which records a try that died may have sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest.checkpoint.claims import Claimed, Claims, read_claims
from airflow_provider_openai_dest.delivery.budget import Amount
from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.sinks.folder import RowLog, read_rows
from tests.core.delivery_parts import record

TO_30, ENDED = {"to": 30}, {"ended": True, "lost": []}

# rows of each earlier try -> what they may have sent
TRIES: dict[str, tuple[list[list[Any]], Claimed]] = {
    "no earlier try": ([], Claimed()),
    "one that claimed nothing": ([[]], Claimed()),
    "one that died": ([[{"to": 10}, TO_30]], Claimed(30)),
    "one that ended": ([[TO_30, ENDED]], Claimed()),
    "one that ended and lost answers": ([[TO_30, ENDED | {"lost": [3, 29]}]], Claimed(0, frozenset({3, 29}))),
    "one that died, then one that ended": ([[{"to": 60}, ENDED], [TO_30]], Claimed(30)),
    "two that died": ([[TO_30], [{"to": 20}]], Claimed(30)),
    "rows of another form": ([[{"to": "30"}, {"ended": 1}, {"lost": [1]}, {"to": 5}]], Claimed(5)),
    "lost positions of another form": ([[{"ended": True, "lost": ["1", None, 2]}]], Claimed(0, frozenset({2}))),
}


@pytest.mark.parametrize("case", TRIES)
def test_what_a_try_may_have_sent_is_what_it_claimed(case: str) -> None:
    """All of it when the try died, and only the lost answers when it ended by itself."""
    tries, claimed = TRIES[case]
    assert claimed == read_claims(tries)


@pytest.mark.parametrize(("position", "may"), [(0, True), (9, True), (10, False), (17, True), (18, False)])
def test_a_position_is_claimed_or_not(position: int, may: bool) -> None:  # noqa: FBT001
    """Below the claim, or among the lost ones."""
    assert may == (position in Claimed(10, frozenset({17})))


def test_a_data_set_that_was_shifted_claims_all_that_is_not_settled(tmp_path: Path) -> None:
    """Nobody can say any more which records were meant."""
    claims = Claims(RowLog(tmp_path, "claims"), at_once=2)
    for position in range(4):
        claims.claim(record(f"b{position}", position))
    claimed = read_claims([rows(tmp_path)])
    for position, key in enumerate(["b0", "b1", "new", "b2"]):
        claimed.see(record(key, position))
    assert (True, True) == (claimed.is_shifted, 99 in claimed)


def test_a_data_set_that_has_grown_at_its_end_shifts_nothing(tmp_path: Path) -> None:
    """What was claimed stands where it was."""
    claims = Claims(RowLog(tmp_path, "claims"), at_once=2)
    for position in range(4):
        claims.claim(record(f"b{position}", position))
    claimed = read_claims([rows(tmp_path)])
    for position in range(9):
        claimed.see(record(f"b{position}", position))
    assert (False, True, False) == (claimed.is_shifted, 3 in claimed, 4 in claimed)


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(read_rows(folder, ["claims.jsonl"]))


def test_a_claim_is_durable_before_the_record_is_given(tmp_path: Path) -> None:
    """And is ahead of it, so that not every record costs a write."""
    claims = Claims(RowLog(tmp_path, "claims"), at_once=10)
    for position in range(25):
        claims.claim(record(str(position), position))
        assert rows(tmp_path)[-1]["to"] > position
    assert [(10, 0), (20, 10), (30, 20)] == [(row["to"], row["at"]) for row in rows(tmp_path)]


def test_an_end_names_the_lost_answers(tmp_path: Path) -> None:
    """In order."""
    claims = Claims(RowLog(tmp_path, "claims"))
    claims.claim(record())
    claims.end([7, 3])
    assert {"ended": True, "lost": [3, 7]} == rows(tmp_path)[-1]


def test_each_claim_says_what_was_spent_that_no_outcome_tells(tmp_path: Path) -> None:
    """So it is known of a try that died as well; what each try says last is added up."""
    spent = iter([Amount(), Amount(5, 0.5), Amount(7, 0.7), Amount()])
    claims = Claims(RowLog(tmp_path, "claims"), at_once=1, untold=lambda: next(spent))
    for position in range(3):
        claims.claim(record(str(position), position))
    first = rows(tmp_path)
    assert [None, {"tokens": 5, "cost": 0.5}, {"tokens": 7, "cost": 0.7}] == [row.get("spent") for row in first]
    other = [{"to": 9, "spent": {"tokens": 1, "cost": 2}}, {"ended": True}, {"spent": 3}, {"spent": {"tokens": "1"}}]
    assert Amount(8, 2.7) == read_claims([first, other]).spent


def test_a_try_that_sent_nothing_leaves_nothing(tmp_path: Path) -> None:
    """A retry of a finished delivery writes no claims."""
    Claims(RowLog(tmp_path, "claims")).end([])
    assert [] == list(tmp_path.iterdir())


def test_a_claim_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    """Nothing may be sent then."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError):
        Claims(RowLog(tmp_path / "file", "claims")).claim(record())
