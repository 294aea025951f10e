"""Joining: what came for the chunks of a record, in one request or several, made the answer of that record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from airflow_provider_openai_dest.answers.vector import averaged
from airflow_provider_openai_dest.delivery.usage import add_usage
from airflow_provider_openai_dest.rendering.portions import Portions, Span
from airflow_provider_openai_dest.rendering.request import RenderedRequest

Item = dict[str, Any]


def joined(portions: Portions, own: Sequence[Item], vector_field: str) -> list[Item]:
    """Give the items of a record: all that came so far as they are while more is to come, else each with its span.

    Raises RecordError when vectors can't be averaged.
    """
    items = [*portions.items, *own]
    if portions.later is not None or not portions.spans:
        return items
    pairs = zip(items, portions.spans, strict=True)
    if portions.is_averaged:
        return list(_averages(pairs, vector_field))
    return [item | _place(span, names_input=portions.names_input) for item, span in pairs]


def with_earlier(usage: Mapping[str, Any] | None, request: RenderedRequest) -> Mapping[str, Any] | None:
    """Add to the usage of a request that of those before it for the same record."""
    portions = request.portions
    if portions is None or portions.usage is None:
        return usage
    total: dict[str, Any] = {}
    for one in (portions.usage, usage or {}):
        add_usage(total, one)
    return total


def _averages(pairs: Iterator[tuple[Item, Span]], vector_field: str) -> Iterator[Item]:
    """Give one item for each input: what its first chunk has, and the average of all of them."""
    for _, group in groupby(pairs, key=_input):
        items, spans = zip(*group, strict=True)
        vector = averaged([item[vector_field] for item in items], [span.tokens for span in spans])
        yield items[0] | {vector_field: vector, "chunks": len(items)}


def _input(pair: tuple[Item, Span]) -> int:
    return pair[1].input


def _place(span: Span, *, names_input: bool) -> Item:
    place = {"start": span.start, "end": span.end}
    return {"input": span.input} | place if names_input else place
