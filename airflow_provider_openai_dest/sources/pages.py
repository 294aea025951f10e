"""Pages: the items of a list that an API gives page by page, as a source. One page is held at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.sources.keys import assign_keys, parse_key
from airflow_provider_openai_dest.sources.record import Record

FetchPage = Callable[[Mapping[str, str]], Any]
"""Takes the parameters that say where to go on, none for the first page, and gives the page."""


class PagesSource:
    """The items of a list.

    A page says where the next one begins by ``has_more`` with ``last_id``, or the last item's ``id``, by ``next``, or
    by ``next_page``. One that says none of it is the last. A place that was named before is a TransientError, since
    the list would never end.

    :param open_pages: opens what fetches the pages, as often as the list is read.
    :param name: what the list is called in messages and in the fingerprint.
    :param key: field that identifies an item.
    :param items: field of a page that holds the items.
    """

    def __init__(
        self,
        open_pages: Callable[[], AbstractContextManager[FetchPage]],
        name: str,
        *,
        key: str | None = "id",
        items: str = "data",
    ) -> None:
        self._open_pages = open_pages
        self._name = name
        self._key = parse_key(key)
        self._field = items

    def __iter__(self) -> Iterator[Record]:
        """Read the list from its start."""
        return assign_keys(self._items(), self._key)

    def fingerprint(self) -> str:
        """Name the list and the key."""
        return f"{self._name} by {self._key or 'position'}"

    def _items(self) -> Iterator[Any]:
        seen: set[tuple[str, str]] = set()
        place: dict[str, str] | None = {}
        with self._open_pages() as fetch:
            while place is not None:
                page = fetch(place)
                items = self._items_of(page)
                yield from items
                place = self._place_after(page, items)
                if place and not seen.isdisjoint(place.items()):
                    raise TransientError(f"{self._name}: the list would never end, it gives {place} again")
                seen.update((place or {}).items())

    def _items_of(self, page: Any) -> list[Any]:
        items = page.get(self._field) if isinstance(page, Mapping) else None
        if not isinstance(items, list):
            raise ConfigurationError(f"{self._name}: the answer has no list {self._field!r}; items= names another")
        return items

    def _place_after(self, page: Mapping[str, Any], items: list[Any]) -> dict[str, str] | None:
        """Give the parameters of the next page; None after the last one."""
        for field, parameter in _NEXT.items():
            if page.get(field) and page.get("has_more", True):
                return {parameter: str(page[field])}
        if not page.get("has_more"):
            return None
        last = page.get("last_id") or (items[-1].get("id") if items and isinstance(items[-1], Mapping) else None)
        if not last:
            raise TransientError(f"{self._name}: a page says that there are more, and not where they begin")
        return {"after": str(last)}


_NEXT = {"next_page": "page", "next": "after"}
"""What a page calls the place of the next one, and the parameter that takes it."""
