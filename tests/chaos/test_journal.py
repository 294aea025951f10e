"""The journal: whatever byte of it is cut off or changed, the rest is kept, nothing is made up, and it is told."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_openai_dest.checkpoint.claims import Claims
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.manifest import Tally
from airflow_provider_openai_dest.sinks.results import ResultsSink
from airflow_provider_openai_dest.sources.record import Record
from tests.chaos.object_folder import ObjectFolder

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")
RECORDS = [Record(key=f"key-{number}", position=number, data={"q": f"text {number}"}) for number in range(1200)]
"""So many that there are marks (``checkpoint/marks.py``: at least 1,024)."""

STORAGES = ("disk", "object storage")
WAYS = ("cut", "flipped")
Folder = Path | ObjectFolder


def as_folder(path: Path, storage: str) -> Folder:
    return path if storage == "disk" else ObjectFolder(str(path))


def outcome_of(record: Record) -> Outcome:
    """Reject each seventh."""
    if record.position % 7:
        answer, usage = {"embedding": "AACAPw=="}, {"total_tokens": 3}
        return Outcome(record=record, status=Status.DELIVERED, answer=answer, usage=usage, attempts=1)
    return Outcome(record=record, status=Status.REJECTED, error=RecordError("bad", "no", status=400), attempts=1)


@cache
def written(storage: str) -> Path:
    """Write a delivery once; each example damages a copy of it."""
    path = Path(tempfile.mkdtemp(prefix="journal-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    log = DeliveryLog(as_folder(path, storage), SCOPE)
    claims = Claims(log.rows("claims"))
    rows, marks = log.marked_rows("outcomes")
    sink = ResultsSink(rows, marks=marks)
    for start in range(0, len(RECORDS), 100):
        claims.claim(RECORDS[start + 99])
        sink.write([outcome_of(record) for record in RECORDS[start : start + 100]])
        sink.flush()
    sink.close()
    return path


@contextmanager
def damaged(
    storage: str, kind: str, data: st.DataObject, ways: tuple[str, ...] = WAYS
) -> Iterator[tuple[Folder, set[str]]]:
    """Give a copy in which one file of a kind is damaged, and the keys of the rows that were not touched."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "results"
        shutil.copytree(written(storage), path)
        file = data.draw(st.sampled_from(sorted(path.glob(f"{kind}-*"))), label="file")
        content = file.read_bytes()
        place = data.draw(st.integers(0, min(len(content), 600) - 1) | st.integers(0, len(content) - 1), label="place")
        if data.draw(st.sampled_from(ways), label="way") == "cut":
            after, touched = content[:place], content[place:].count(b"\n")
        else:
            bit = data.draw(st.integers(0, 7), label="bit")
            after = content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]
            touched = 1
        file.write_bytes(after)
        first = content[:place].count(b"\n")
        lines = content.splitlines()
        hit = set(range(first, first + max(1, touched) + 1)) if kind == "outcomes" else set()
        whole = {key_in(line) for number, line in enumerate(lines) if number not in hit} if hit else set()
        others = set().union(*(keys_of(other) for other in path.glob("outcomes-*") if other != file))
        yield as_folder(path, storage), whole | others


def keys_of(file: Path) -> list[str]:
    return [key_in(line) for line in file.read_bytes().splitlines()]


def key_in(line: bytes) -> str:
    """Give the key of a row, the second text in it; of a damaged one, whatever stands there."""
    return line.decode(errors="replace").split('"', 4)[3:4][0] if line.count(b'"') > 3 else ""


def read(folder: Folder) -> dict[str, Status | None]:
    """Read what a next try knows of each record."""
    log = DeliveryLog(folder, SCOPE, try_number=2)
    settled, tally = SettledRecords(), Tally(0)
    for one in log.settled():
        if isinstance(one, Outcome):
            settled.add(one)
        else:
            for hashed, end in one.newest_first():
                settled.add_end(hashed, end)
            tally.absorb(one.summary)
    return {record.key: settled.status_of(record) for record in RECORDS}


EXPECTED = {record.key: outcome_of(record).status for record in RECORDS}
IS_CHAOS = settings.get_current_profile_name() == "chaos"
quietly = settings(
    max_examples=2000 if IS_CHAOS else 20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("storage", STORAGES)
def test_an_undamaged_journal_is_read_whole(storage: str) -> None:
    """From marks, where there are some, and from rows."""
    assert read(as_folder(written(storage), storage)) == EXPECTED
    assert list(written(storage).glob("marks-*"))


@pytest.mark.parametrize("storage", STORAGES)
@given(data=st.data())
@quietly
def test_damaged_rows_lose_only_themselves(storage: str, data: st.DataObject, caplog: pytest.LogCaptureFixture) -> None:
    """No exception; no record gets a status that it never had; the rows that were not touched hold.

    But for one whose key another row has now, by a flipped bit: that is as if its record had changed.
    """
    with damaged(storage, "outcomes", data) as (folder, whole):
        for marks in written_marks(folder):
            marks.unlink()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = read(folder)
        keys = Counter(key for file in plain(folder).glob("outcomes-*") for key in keys_of(file))
    assert {key: status for key, status in found.items() if status not in (None, EXPECTED[key])} == {}
    assert {key for key in whole if found[key] is None and keys[key] == 1} == set()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("way", ["cut", "flipped"])
@given(data=st.data())
@quietly
def test_damaged_rows_are_told(way: str, storage: str, data: st.DataObject, caplog: pytest.LogCaptureFixture) -> None:
    """When a row that was there is not taken any more, the log names its file; a file cut between two rows is whole."""
    with damaged(storage, "outcomes", data, (way,)) as (folder, _):
        for marks in written_marks(folder):
            marks.unlink()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = read(folder)
        is_cut_between = way == "cut" and all(map(ends_with_a_row, plain(folder).glob("outcomes-*")))
    lost = {key for key, status in found.items() if status is None}
    assert not lost or is_cut_between or "outcomes-" in caplog.text


@pytest.mark.parametrize("storage", STORAGES)
@given(data=st.data())
@quietly
def test_damaged_marks_cost_time_only(storage: str, data: st.DataObject) -> None:
    """The rows are read in their place: every record keeps its status."""
    with damaged(storage, "marks", data) as (folder, _):
        assert read(folder) == EXPECTED


@given(data=st.data())
@quietly
def test_rows_that_are_gone_are_not_settled_by_their_marks(data: st.DataObject) -> None:
    """A file of rows that was cut off, as a power failure does, is not made whole by marks: the answers are lost."""
    with damaged("disk", "outcomes", data, ("cut",)) as (folder, whole):
        found = read(folder)
        [file] = plain(folder).glob("outcomes-*")
        there = whole | (
            {key_in(file.read_bytes().splitlines()[-1])} if ends_with_a_row(file) and file.stat().st_size else set()
        )
    assert {key for key, status in found.items() if status is not None} - there == set()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("way", ["cut", "flipped"])
@given(data=st.data())
@quietly
def test_damaged_claims_are_told(way: str, storage: str, data: st.DataObject, caplog: pytest.LogCaptureFixture) -> None:
    """What was claimed before the damage is still claimed, or the log tells of it."""
    with damaged(storage, "claims", data, (way,)) as (folder, _):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            claimed = DeliveryLog(folder, SCOPE, try_number=2).claimed()
        is_cut_between = way == "cut" and all(map(ends_with_a_row, plain(folder).glob("claims-*")))
    assert all(record.position in claimed for record in RECORDS) or is_cut_between or "claims-" in caplog.text


def plain(folder: Folder) -> Path:
    return Path(str(folder))


def written_marks(folder: Folder) -> list[Path]:
    return list(plain(folder).glob("marks-*"))


def ends_with_a_row(file: Path) -> bool:
    """Tell whether the last row of a file is whole, with or without the end of its line; so is a file without rows."""
    lines = file.read_bytes().splitlines()
    try:
        return not lines or bool(msgspec.json.decode(lines[-1]))
    except msgspec.DecodeError:
        return False
