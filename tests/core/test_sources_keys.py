"""Tests of keys: where they come from, and that no two records share one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.keys import assign_keys, parse_key
from airflow_provider_openai_dest.sources.record import Record


def _records(items: Iterable[Any], key: str | None) -> list[Record]:
    return list(assign_keys(items, parse_key(key)))


def test_without_a_key_the_position_is_it() -> None:
    """Records without a key field are known by their place, the broken ones too."""
    records = _records(["a", RecordError("broken_line", "x"), "c"], None)

    assert ["0", "1", "2"] == [record.key for record in records]
    assert [None, "broken_line", None] == [record.fault and record.fault.code for record in records]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("a b", "a b"),
        (7, "7"),
        (-1.5, "-1.5"),
        (1.0, "1.0"),
        (True, "true"),
        (False, "false"),
        (2**80, "1208925819614629174706176"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
    ],
)
def test_a_plain_value_is_a_key(value: Any, key: str) -> None:
    """Text, numbers and truth values, and what SQL gives for them, are keys as they are written."""
    [record] = _records([{"id": value}], "id")

    assert (key, None) == (record.key, record.fault)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({}, "has no field id"),
        ("text", "has no field id"),
        (None, "has no field id"),
        ({"id": None}, "neither text nor a number"),
        ({"id": ["a"]}, "neither text nor a number"),
        ({"id": {}}, "neither text nor a number"),
        ({"id": b"a"}, "neither text nor a number"),
        ({"id": ""}, "is empty"),
        ({"id": "\ud800"}, "can't be written as text"),
        ({"id": 10**5000}, "can't be written as text"),
    ],
)
def test_a_record_without_a_key_is_faulted(item: Any, reason: str) -> None:
    """A record whose key is missing or no plain value is rejected, known by its position, and keeps its data."""
    _, record = _records([{"id": "first"}, item], "id")

    assert record.fault is not None
    assert ("missing_key", "id") == (record.fault.code, record.fault.param)
    assert reason in record.fault.message
    assert ("#1", item) == (record.key, record.data)


@pytest.mark.parametrize("key", ["a", "a" * 64, "a" * 65, "é" * 500])
def test_an_equal_key_names_the_first_position(key: str) -> None:
    """Of records with an equal key the first is kept; the later ones are rejected, and name its position."""
    items = [{"id": "x"}, {"id": key}, {"id": "y"}, {"id": key}, {"id": key}, {"id": f"{key}."}]
    records = _records(items, "id")

    assert ["x", key, "y", "#3", "#4", f"{key}."] == [record.key for record in records]
    assert [None, None, None, "duplicate_key", "duplicate_key", None] == [
        record.fault and record.fault.code for record in records
    ]
    assert "position 1" in str(records[4].fault)


def test_a_number_and_its_text_are_one_key() -> None:
    """Keys are text, so 1 and "1" are equal."""
    _, second = _records([{"id": 1}, {"id": "1"}], "id")

    assert second.fault is not None
    assert second.fault.code == "duplicate_key"


def test_a_substitute_key_never_takes_a_real_one() -> None:
    """A faulted record whose substitute key is taken by a real one gets another."""
    records = _records([{"id": "#2"}, {"id": "##2"}, {}, {"id": "#2"}], "id")

    assert ["#2", "##2", "###2", "#3"] == [record.key for record in records]


@given(st.lists(st.sampled_from(["#0", "#1", "#2", "##2", "", "a", None, 1, True, "é" * 40, "é" * 40 + "x"])))
def test_keys_are_unique_whatever_the_values(values: list[Any]) -> None:
    """Whatever stands in the key field, keys are unique, and a record without a fault has its own value as key."""
    records = _records([{"id": value} for value in values], "id")

    assert len(values) == len({record.key for record in records})
    assert all(record.fault or record.key.lower() == str(record.data["id"]).lower() for record in records)


@pytest.mark.parametrize("key", ["", "a b", "a[", ".a"])
def test_a_key_that_is_no_path_is_a_wrong_setting(key: str) -> None:
    """A key that can't be read fails the task at once, and shows how one is written."""
    with pytest.raises(ConfigurationError, match="such as sku or"):
        parse_key(key)


@pytest.mark.parametrize(("key", "bytes_a_record"), [(None, 1), ("id", 48)])
def test_the_memory_for_keys_is_bounded(key: str | None, bytes_a_record: int) -> None:
    """Without a key nothing is kept; with long ones, less than 48 bytes a record, the growing included."""
    count = 5_000
    items = ({"id": f"{'long ' * 50}{number}"} for number in range(count))
    tracemalloc.start()
    try:
        for _ in assign_keys(items, parse_key(key)):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < count * bytes_a_record + 10_000
