"""Tests of records given in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sources.values import ValuesSource


class Product(BaseModel):
    sku: str
    seen: datetime


class Broken(BaseModel):
    thing: Any


class Frame:
    """Looks like a data frame: iterating it gives the names of its columns."""

    columns = ("a", "b")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Counted(Sequence[Any]):
    """A sequence that counts what is asked of it, and refuses to be sliced."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        assert isinstance(index, int), "copied in slices"
        self.asked.append(index)
        if index >= self.length:
            raise IndexError(index)
        return {"n": index}


PRODUCT = Product(sku="a", seen=datetime(2026, 1, 2, tzinfo=UTC))
PRODUCT_DATA = {"sku": "a", "seen": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    ("values", "data"),
    [
        (None, []),
        ([], []),
        ((), []),
        ("", [""]),
        ([1, None, "a"], [1, None, "a"]),
        (({"a": 1}, [2]), [{"a": 1}, [2]]),
        ({"a": 1}, [{"a": 1}]),
        ({}, [{}]),
        (7, [7]),
        (0, [0]),
        (1.5, [1.5]),
        (False, [False]),
        ("a text", ["a text"]),
        ('[{"a": 1}, 2]', [{"a": 1}, 2]),
        (' \n{"a": 1} ', [{"a": 1}]),
        ("[]", []),
        ("7", ["7"]),
        ("null", ["null"]),
        ('"quoted"', ['"quoted"']),
        (PRODUCT, [PRODUCT_DATA]),
        ([PRODUCT, 1], [PRODUCT_DATA, 1]),
        (range(2), [0, 1]),
        ({"a": 1}.values(), [1]),
    ],
)
def test_values_are_read_as_what_they_are(values: Any, data: list[Any]) -> None:
    """A collection is a record for each item, JSON text is what it holds, and all else is one record."""
    assert data == [record.data for record in ValuesSource(values)]


@pytest.mark.parametrize(
    "text", ["[1, 2", "{'a': 1}", "[NaN]", '["\\ud800"]', "[" * 5000, "[1] and more", '["\ud800"]', "[1e400]"]
)
def test_text_that_begins_like_json_and_is_none_is_told(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Text that looks like JSON and is none is one record, and a warning says so without quoting it."""
    with caplog.at_level(logging.WARNING):
        [record] = ValuesSource(text)

    assert text == record.data
    assert "begins like JSON" in caplog.text
    assert text not in caplog.text


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (b"bytes", "decode it"),
        (bytearray(b"x"), "decode it"),
        ((n for n in range(3)), "give a list"),
        (iter([1]), "give a list"),
        ({1, 2}, "sorted list"),
        (frozenset("ab"), "sorted list"),
        (Frame(), "to_dict"),
    ],
)
def test_values_that_would_mislead_are_refused(values: Any, advice: str) -> None:
    """What can't be read twice, has no order, or would be iterated as something else is a wrong setting."""
    with pytest.raises(ConfigurationError, match=advice):
        ValuesSource(values)


def test_a_model_that_can_not_be_dumped_is_faulted() -> None:
    """A pydantic model that is no JSON rejects its own record and no other."""
    before, broken, after = ValuesSource([1, Broken(thing=object()), 2])

    assert broken.fault is not None
    assert ("broken_value", None) == (broken.fault.code, broken.data)
    assert (1, 2) == (before.data, after.data)


def test_values_are_read_lazily() -> None:
    """A sequence is asked for one item after the other, and only when the record is wanted."""
    values = Counted(1000)
    source = ValuesSource(values)
    records = iter(source)

    assert [0, 1] == [next(records).data["n"], next(records).data["n"]]
    assert [0, 1] == values.asked


def test_a_fingerprint_reads_no_value() -> None:
    """However many there are; it names the key, by which each of them is compared for itself."""
    values = Counted(1000)

    assert ValuesSource(values, key="n").fingerprint() == "values, key=n" != ValuesSource(values).fingerprint()
    assert [] == values.asked


def test_values_that_are_made_again_are_the_same_source() -> None:
    """An upstream task that runs again gives more of them, or others: each record tells whether it has changed."""
    assert ValuesSource([1, 2], key="n").fingerprint() == ValuesSource([3], key="n").fingerprint()


class Unsized:
    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


@pytest.mark.parametrize(("values", "total"), [(None, 0), ([1, 2], 2), ("a", 1), (Counted(5), 5), (Unsized(), None)])
def test_the_total_is_told_where_it_is_known(values: Any, total: int | None) -> None:
    """The number of records is known of sized values, without reading them."""
    assert total == ValuesSource(values).total()
