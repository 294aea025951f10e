"""The contract that every Source keeps, whatever it reads."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.pages import PagesSource
from airflow_provider_openai_dest.sources.record import Record, Source
from airflow_provider_openai_dest.sources.values import ValuesSource
from tests.core.memory_file import MemoryFile, gzipped

JSON_LINES = b'{"sku": "a"}\n\n{"sku": "a"}\nnonsense\n{"sku": null}\n{"other": 1}\n{"sku": "#3"}\n7\n{"sku": "b"}'
CSV = b'sku,title\na,1\na,2\nb\n\xff,3\n,4\n"c\nc",5\nd,"6'
JSON = b'[{"sku": "a"}, {"sku": "a"}, null, [], {"sku": 5}, {"sku": 5.0}, {"sku": true}]'
VALUES: list[Any] = [
    {"sku": "a"},
    {"sku": "a"},
    None,
    "text",
    {"sku": ""},
    {"sku": 10**5000},
    {"sku": "\ud800"},
    {"sku": {}},
]


class Lazy(Sequence[Any]):
    """A sequence that is no list, as Airflow's lazy XCom is."""

    def __len__(self) -> int:
        return len(VALUES)

    def __getitem__(self, index: Any) -> Any:
        return VALUES[index]


class Endless:
    """An iterable of unknown length that can be read again."""

    def __iter__(self) -> Iterator[Any]:
        return iter(VALUES)


def _files(*files: MemoryFile) -> Callable[[str | None], Source]:
    return lambda key: FilesSource(files, key)


def _values(values: Any) -> Callable[[str | None], Source]:
    return lambda key: ValuesSource(values, key)


def _pages(key: str | None) -> Source:
    """Give a list whose pages have three items each."""

    def fetch(place: Mapping[str, str]) -> Any:
        start = int(place.get("page", 0))
        has_more = start + 3 < len(VALUES)
        return {"data": VALUES[start : start + 3], "has_more": has_more, "next_page": start + 3 if has_more else None}

    return PagesSource(lambda: nullcontext(fetch), "the list", key=key)


# name: how to make it, and how many records it has
SOURCES: dict[str, tuple[Callable[[str | None], Source], int]] = {
    "no files": (_files(), 0),
    "an empty file": (_files(MemoryFile("a.jsonl")), 0),
    "JSON Lines": (_files(MemoryFile("a.jsonl", JSON_LINES)), 8),
    "packed JSON Lines": (_files(gzipped("a.ndjson", JSON_LINES)), 8),
    "a JSON array": (_files(MemoryFile("a.json", JSON)), 7),
    "a JSON object": (_files(MemoryFile("a.json", b'{"sku": 1}')), 1),
    "a broken JSON document": (_files(MemoryFile("a.json", b'[{"sku": 1}, ')), 1),
    "CSV": (_files(MemoryFile("a.csv", CSV)), 7),
    "TSV": (_files(MemoryFile("a.tsv", CSV.replace(b",", b"\t"))), 7),
    "packed CSV": (_files(gzipped("a.csv", CSV)), 7),
    "a broken packed file": (_files(MemoryFile("a.jsonl.gz", gzip.compress(b'{"sku": 1}\n' * 9, mtime=0)[:-9])), 10),
    "many files": (_files(MemoryFile("a.jsonl", JSON_LINES), gzipped("b.csv", CSV), MemoryFile("c.json", JSON)), 22),
    "no values": (_values(None), 0),
    "a list": (_values(VALUES), 8),
    "a tuple": (_values(tuple(VALUES)), 8),
    "a lazy sequence": (_values(Lazy()), 8),
    "an iterable": (_values(Endless()), 8),
    "an object": (_values({"sku": 1}), 1),
    "a text": (_values("sku"), 1),
    "a list of pages": (_pages, 8),
    "JSON text": (_values(JSON.decode()), 7),
}


@pytest.fixture(params=[None, "sku", "sku.deep[0]"], ids=["by position", "by sku", "by a path"])
def key(request: pytest.FixtureRequest) -> str | None:
    """Give the ways in which records are known."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=SOURCES.values(), ids=list(SOURCES))
def case(request: pytest.FixtureRequest) -> tuple[Callable[[str | None], Source], int]:
    """Give each source in turn."""
    return request.param  # type: ignore[no-any-return]


def _words(records: list[Record]) -> list[tuple[str, int, Any, Any]]:
    return [(record.key, record.position, record.data, record.fault and record.fault.as_row()) for record in records]


def test_every_item_is_a_record(case: tuple[Callable[[str | None], Source], int], key: str | None) -> None:
    """Each item becomes one record, the broken ones too, and nothing raises."""
    make, count = case

    assert count == len(list(make(key)))


def test_positions_are_consecutive(case: tuple[Callable[[str | None], Source], int], key: str | None) -> None:
    """Positions count from 0 without a gap, over all files."""
    make, count = case

    assert list(range(count)) == [record.position for record in make(key)]


def test_keys_are_unique_words(case: tuple[Callable[[str | None], Source], int], key: str | None) -> None:
    """No two records share a key, none is empty, and each can be written as UTF-8."""
    make, count = case
    keys = [record.key for record in make(key)]

    assert count == len(set(keys))
    assert all(word and word.encode() for word in keys)


def test_a_source_can_be_read_again(case: tuple[Callable[[str | None], Source], int], key: str | None) -> None:
    """A second reading gives the same records, also after one that was left half-way."""
    make, _ = case
    source = make(key)
    first = _words(list(source))
    next(iter(source), None)

    assert first == _words(list(source))


def test_the_fingerprint_is_stable(case: tuple[Callable[[str | None], Source], int], key: str | None) -> None:
    """The same source has the same fingerprint before, after and in another process; another key, another one."""
    make, _ = case
    source = make(key)
    before = source.fingerprint()
    list(source)

    assert before == source.fingerprint() == make(key).fingerprint()
    assert before != make("another").fingerprint()
