"""The marks of settled records: what a resume reads in the place of the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.checkpoint import marks as marks_module
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.marks import Marks, MarksLog, read_marks
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.sinks.folder import Folder, list_names
from airflow_provider_openai_dest.sinks.results import ResultsSink
from tests.core.delivery_parts import outcome, record
from tests.core.memory_folder import MemoryFolder

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")
D, R = Status.DELIVERED, Status.REJECTED


@pytest.fixture(autouse=True)
def few_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make files of marks out of a few records."""
    monkeypatch.setattr(marks_module, "ROLL_RECORDS", 8)
    monkeypatch.setattr(marks_module, "LEAST_RECORDS", 4)


@pytest.fixture(params=["disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """Give a results folder of each kind."""
    return tmp_path / "results" if request.param == "disk" else MemoryFolder()


def some(first: int, last: int, status: Status = D) -> list[Outcome]:
    """Give outcomes of so many records, each with one token."""
    return [outcome(str(number), status, usage={"total_tokens": 1}) for number in range(first, last)]


def write(log: DeliveryLog, *batches: list[Outcome], closes: bool = True) -> None:
    """Write batches of rows as a try does; one that dies closes nothing."""
    rows, marks = log.marked_rows("outcomes")
    sink = ResultsSink(rows, marks=marks)
    for batch in batches:
        sink.write(batch)
        sink.flush()
    if closes:
        sink.close()


def read(log: DeliveryLog) -> tuple[SettledRecords, list[Marks], list[Outcome]]:
    """Read what is settled: all of it, and what of it was read from marks and from rows."""
    settled, from_marks, from_rows = SettledRecords(), [], []
    for one in log.settled():
        if isinstance(one, Marks):
            from_marks.append(one)
            for pair in one.newest_first():
                settled.add_end(*pair)
        else:
            from_rows.append(one)
            settled.add(one)
    return settled, from_marks, from_rows


def status_of(settled: SettledRecords, number: int) -> Status | None:
    return settled.status_of(record(str(number)))


def test_what_is_marked_is_not_read_again(folder: Folder) -> None:
    """Only the rows after the last mark are."""
    write(DeliveryLog(folder, SCOPE), some(0, 10), some(10, 13), closes=False)
    settled, marks, rows = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert (13, 10, ["10", "11", "12"]) == (
        len(settled),
        sum(len(one.pairs) // 2 for one in marks),
        [one.record.key for one in rows],
    )
    assert {D} == {status_of(settled, number) for number in range(13)}


def test_a_try_that_ends_marks_the_rest(folder: Folder) -> None:
    """So that the next one reads no rows at all."""
    write(DeliveryLog(folder, SCOPE), some(0, 10), some(10, 15))
    settled, marks, rows = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert (15, 2, []) == (len(settled), len(marks), rows)


def test_few_records_are_worth_no_marks(folder: Folder) -> None:
    """Their rows are read."""
    write(DeliveryLog(folder, SCOPE), some(0, 3))
    _, marks, rows = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert ([], 3) == (marks, len(rows))


def test_changed_data_is_seen_through_a_mark(folder: Folder) -> None:
    """The record is sent again."""
    write(DeliveryLog(folder, SCOPE), some(0, 8))
    settled, _, _ = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert (D, None) == (status_of(settled, 0), settled.status_of(record("0", data={"q": "new"})))


def test_a_summary_holds_usage_and_kinds(folder: Folder) -> None:
    """What the manifest says of earlier tries."""
    write(DeliveryLog(folder, SCOPE), [*some(0, 6), *some(6, 8, R)])
    _, (marks,), _ = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert {"total_tokens": 8} == marks.summary["usage"]
    assert [("bad", 2)] == [(kind["code"], kind["count"]) for kind in marks.summary["kinds"]]


def test_a_rejection_of_an_earlier_generation_is_passed_over(folder: Folder) -> None:
    """After a clear the record is tried again, and is not counted among the rejected."""
    write(DeliveryLog(folder, SCOPE), [*some(0, 6), *some(6, 8, R)])
    settled, (marks,), _ = read(DeliveryLog(folder, SCOPE, try_number=2, generation=1))
    assert (D, None, []) == (status_of(settled, 5), status_of(settled, 7), marks.summary["kinds"])


def test_the_newest_try_comes_first(folder: Folder) -> None:
    """A record that was rejected, and delivered by a later try, is delivered."""
    write(DeliveryLog(folder, SCOPE), some(0, 8, R))
    write(DeliveryLog(folder, SCOPE, try_number=2), some(0, 8))
    settled, marks, _ = read(DeliveryLog(folder, SCOPE, try_number=3))
    assert (2, D) == (len(marks), status_of(settled, 0))


def damaged(folder: Folder, change: Any) -> None:
    """Damage the first file of marks."""
    name = list_names(folder, "marks-")[0]
    with (folder / name).open("rb") as stream:
        content = stream.read()
    with (folder / name).open("wb") as stream:
        stream.write(change(content))


DAMAGES = {
    "cut": lambda content: content[:-9],
    "a flipped bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "empty": lambda _: b"",
    "no marks": lambda _: b'{"begin": "x"}\n',
    "bad UTF-8": lambda content: b"\xff" + content,
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_marks_cost_time_and_nothing_else(folder: Folder, case: str) -> None:
    """The rows are read in their place."""
    write(DeliveryLog(folder, SCOPE), some(0, 8), some(8, 16))
    damaged(folder, DAMAGES[case])
    settled, marks, rows = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert ([], 16, 16) == (marks, len(rows), len(settled))


def test_a_missing_file_of_marks_is_no_gap(folder: Folder) -> None:
    """What stands behind it is read from the rows, since nobody knows what was before."""
    write(DeliveryLog(folder, SCOPE), some(0, 8), some(8, 16), some(16, 24))
    first, _, third = list_names(folder, "marks-")
    with (folder / third).open("rb") as stream:
        content = stream.read()
    with (folder / first).open("wb") as stream:
        stream.write(content)
    settled, marks, rows = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert ([], 24, 24) == (marks, len(rows), len(settled))


def test_a_lost_segment_is_read_no_more_and_the_others_are() -> None:
    """The marks before it hold; behind it each segment is read by its own number."""
    folder = MemoryFolder()
    write(DeliveryLog(folder, SCOPE), *(some(first, first + 2) for first in range(0, 24, 2)))
    del folder.store.files[next(name for name in sorted(folder.store.files) if name.endswith("-000006.jsonl"))]
    settled, marks, rows = read(DeliveryLog(folder, SCOPE, try_number=2))
    assert (1, [8, 9, 10, 11, *range(14, 24)]) == (len(marks), sorted(int(one.record.key) for one in rows))
    assert [12, 13] == [number for number in range(24) if status_of(settled, number) is None]


def test_marks_that_can_not_be_written_stop_nothing() -> None:
    """They save time only; the rows stand."""
    folder = MemoryFolder()
    marks = MarksLog(folder, "marks-x")
    folder.store.failing = {"write"}
    marks.add([(one, "00") for one in some(0, 9)], 1)
    marks.close()
    assert {} == folder.store.files


def test_marks_that_can_not_be_read_are_an_error() -> None:
    """Never no marks: the next try may have better luck."""
    folder = MemoryFolder()
    write(DeliveryLog(folder, SCOPE), some(0, 8))
    log = DeliveryLog(folder, SCOPE, try_number=2)
    folder.store.failing = {"read"}
    with pytest.raises(TransientError, match="marks-"):
        list(log.settled())


@given(content=st.binary(max_size=200), place=st.integers(0, 400), bit=st.integers(0, 7))
def test_no_byte_breaks_the_reader(content: bytes, place: int, bit: int) -> None:
    """Marks are read whole, or not at all."""
    folder = MemoryFolder()
    log = MarksLog(folder, "x")
    log.add([(one, "00") for one in some(0, 5)], 5)
    log.close()
    (name,) = folder.store.files
    good = bytearray(folder.store.files[name])
    if place < len(good):
        good[place] ^= 1 << bit
    folder.store.files[name] = bytes(good) if place < 300 else content
    for marks in read_marks(folder, [name.rpartition("/")[2]]):
        assert len(marks.pairs) == 10
