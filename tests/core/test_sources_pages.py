"""The items of a list that comes page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.sources.pages import FetchPage, PagesSource

Place = dict[str, str]


class Listing:
    """A server's pages, one after the other, and the places that were asked for."""

    def __init__(self, *pages: Any) -> None:
        self.pages = list(pages)
        self.asked: list[Place] = []
        self.is_open = False

    @contextmanager
    def opened(self) -> Iterator[FetchPage]:
        """Give what fetches them."""
        self.is_open = True
        pages = iter(self.pages)

        def fetch(place: Mapping[str, str]) -> Any:
            self.asked.append(dict(place))
            return next(pages)

        try:
            yield fetch
        finally:
            self.is_open = False

    def source(self, **settings: Any) -> PagesSource:
        """Give the source that reads them."""
        return PagesSource(self.opened, "the list /files", **settings)


def page(*names: str, **fields: Any) -> dict[str, Any]:
    """Give a page of items with these ids."""
    return {"object": "list", "data": [{"id": name} for name in names]} | fields


# pages, and the places that are asked for
LISTS: dict[str, tuple[list[dict[str, Any]], list[Place]]] = {
    "by the last id": (
        [page("a", "b", last_id="B", has_more=True), page("c", last_id="c", has_more=False)],
        [{}, {"after": "B"}],
    ),
    "by the last item": ([page("a", "b", has_more=True), page("c", has_more=False)], [{}, {"after": "b"}]),
    "by next_page": (
        [page("a", "b", next_page="p2", has_more=True), page("c", next_page=None, has_more=False)],
        [{}, {"page": "p2"}],
    ),
    "by next": ([page("a", "b", next="n", has_more=True), page("c", next=None, has_more=False)], [{}, {"after": "n"}]),
    "by next alone": ([page("a", "b", next="n"), page("c")], [{}, {"after": "n"}]),
    "one page": ([page("a", "b", "c")], [{}]),
    "an empty page between": (
        [page("a", "b", has_more=True), page(last_id="x", has_more=True), page("c", has_more=False)],
        [{}, {"after": "b"}, {"after": "x"}],
    ),
    "a place after the end": ([page("a", "b", "c", next_page="p2", has_more=False)], [{}]),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_is_read_to_its_end(case: str) -> None:
    """Wherever its pages say that they go on."""
    pages, places = LISTS[case]
    listing = Listing(*pages)
    assert ["a", "b", "c"] == [record.key for record in listing.source()]
    assert (places, False) == (listing.asked, listing.is_open)


def test_one_page_is_read_at_a_time() -> None:
    """The next one is asked for when it is needed, and nothing stays open when nobody reads on."""
    listing = Listing(page("a", "b", has_more=True), page("c"))
    records = iter(listing.source())
    assert ("a", [{}], True) == (next(records).key, listing.asked, listing.is_open)
    del records
    assert not listing.is_open


def test_items_have_their_own_key_and_field() -> None:
    """Where a list has other names for them."""
    listing = Listing({"object": "page", "buckets": [{"start": 7}, {"start": 8}, {"id": "x"}]})
    records = [*listing.source(key="start", items="buckets")]
    assert ["7", "8", "#2"] == [record.key for record in records]
    assert records[2].fault is not None


@pytest.mark.parametrize(("field", "parameter"), [("next_page", "page"), ("next", "after"), ("last_id", "after")])
def test_a_list_without_an_end_is_told(field: str, parameter: str) -> None:
    """The same place twice would go on for ever; what came until then was read."""
    listing = Listing(*[page("a", **{field: "x"}, has_more=True)] * 9)
    with pytest.raises(TransientError, match="never end"):
        list(listing.source())
    assert [{}, {parameter: "x"}] == listing.asked


def test_a_longer_circle_is_told_as_well() -> None:
    """Not only the place before is known."""
    listing = Listing(*[page("a", next=place, has_more=True) for place in "abcb"])
    with pytest.raises(TransientError, match="never end"):
        list(listing.source())


@pytest.mark.parametrize("broken", [{"id": "file"}, [], None, {"data": {}}, {"data": None}], ids=repr)
def test_what_is_no_page_is_told(broken: Any) -> None:
    """With the field that was looked for."""
    with pytest.raises(ConfigurationError, match="'data'"):
        list(Listing(broken).source())


@pytest.mark.parametrize("items", [[], [7], [{"name": "a"}]], ids=repr)
def test_more_without_a_place_is_told(items: list[Any]) -> None:
    """Half of a list is not all of it."""
    with pytest.raises(TransientError, match="not where they begin"):
        list(Listing({"data": items, "has_more": True}).source())
