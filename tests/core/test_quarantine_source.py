"""Tests of the quarantine as a source."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_openai_dest.sources.quarantine import QuarantineSource, is_quarantine
from tests.core.memory_file import MemoryFile


def _row(key: str, position: int = 0, **more: Any) -> bytes:
    return json.dumps({"key": key, "position": position, "status": "rejected", **more}).encode() + b"\n"


def _source(*files: bytes) -> QuarantineSource:
    names = [f"quarantine-0123456789-d1-g00-t{number:02d}-abcdef.jsonl" for number in range(len(files))]
    return QuarantineSource([MemoryFile(name, data) for name, data in zip(names, files, strict=True)])


BROKEN = b'{"key": "cut of'
ROWS = (
    _row("a", 7, record={"n": 1}),
    BROKEN + b"\n",
    _row("b", 3),
    b"[]\n",
    _row("0", 5, record=[1]),
    _row("a", 7, record={"n": 2}),
    b'{"record": {"n": 3}}\n',
    BROKEN,
)


@pytest.mark.parametrize(
    ("names", "is_one"),
    [
        (["quarantine-0123456789-d1-g00-t01-abcdef.jsonl"], True),
        (
            ["undelivered-0123456789-d1-g00-t01-abcdef-000000.jsonl", "quarantine-0123456789-d2-g10-t11-abcdef.jsonl"],
            True,
        ),
        (["quarantine-0123456789-d1-g00-t01-abcdef.jsonl", "outcomes-x.jsonl"], False),
        (["quarantine-hospitals.jsonl"], False),
        (["quarantine-list.csv"], False),
        (["my-quarantine-x.jsonl"], False),
        ([], False),
    ],
)
def test_a_quarantine_is_known_by_its_names(names: list[str], *, is_one: bool) -> None:
    """Only files that a quarantine wrote are read as one."""
    assert is_one is is_quarantine([MemoryFile(name) for name in names])


def test_a_rejected_record_comes_back_under_its_own_key() -> None:
    """A replay sends the record's data under the key that it had, whatever its place in the file."""
    (record,) = _source(_row("sku-7", 41, record={"n": 1}))

    assert (record.key, record.position, record.data, record.fault) == ("sku-7", 0, {"n": 1}, None)


def test_every_row_comes_back_as_a_record() -> None:
    """No row is lost: what can't be sent again comes as a fault, and a key that several tries rejected comes once."""
    found = [(record.key, record.fault and record.fault.code) for record in _source(b"".join(ROWS))]

    assert found == [
        ("a", None),
        ("quarantine row 1", "broken_line"),
        ("b", "record_not_kept"),
        ("quarantine row 3", "broken_row"),
        ("0", None),
        ("quarantine row 6", "broken_row"),
        ("quarantine row 7", "broken_line"),
    ]


def test_the_first_row_of_a_key_counts_over_all_files() -> None:
    """Tries write a file each; a record that two of them rejected is sent once."""
    records = [*_source(_row("a", record=1), _row("a", record=2) + _row("b", record=3))]

    assert [(record.key, record.data) for record in records] == [("a", 1), ("b", 3)]


def test_a_broken_row_takes_nobody_s_key() -> None:
    """A row that can't be read has a place of its own, so that it never hides a record known by its position."""
    records = [*_source(BROKEN + b"\n" + _row("0", record=1) + _row("1", record=2))]

    assert [record.data for record in records] == [None, 1, 2]


def test_a_broken_row_finds_another_key_when_its_own_is_taken() -> None:
    """Even a record that has the name of a broken row stays beside it."""
    records = [*_source(_row("quarantine row 1", record=1) + BROKEN)]

    assert [record.key for record in records] == ["quarantine row 1", "#quarantine row 1"]


@pytest.mark.parametrize("data", [1, 0, False, "", [], {}, "text", {"record": None}])
def test_a_record_of_any_kind_comes_back(data: Any) -> None:
    """Records may be anything but null, which is how a quarantine without data looks."""
    (record,) = _source(_row("a", record=data))

    assert record.data == data
    assert record.fault is None


def test_the_contract_of_a_source_is_kept() -> None:
    """Positions count from 0 without a gap, keys are unique, and a second reading and its fingerprint are the same."""
    source = _source(b"".join(ROWS), b"".join(ROWS))
    before = source.fingerprint()
    records = [*source]

    assert [record.position for record in records] == [*range(len(records))]
    assert len({record.key for record in records}) == len(records)
    assert [repr(record) for record in source] == [repr(record) for record in records]
    assert before == source.fingerprint() != _source(b"").fingerprint()


def test_records_of_several_deliveries_stay_apart() -> None:
    """Two runs of one folder, keyed by position, both have a record 0: both come, each under a key of its own."""
    names = [f"quarantine-{scope}-d1-g00-t01-abcdef.jsonl" for scope in ("0123456789", "abcdef0123")]
    source = QuarantineSource([MemoryFile(name, _row("0", record=name)) for name in names])

    assert [("0", names[0]), ("quarantine-abcdef0123-d1 0", names[1])] == [(one.key, one.data) for one in source]


def test_a_null_record_comes_back() -> None:
    """Null is data like any other; only what was not kept can't be sent again."""
    [kept] = _source(_row("a", record=None))

    assert (None, None) == (kept.data, kept.fault)
