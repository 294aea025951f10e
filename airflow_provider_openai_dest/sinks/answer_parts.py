"""Answer parts: an answer as rows of a table, one for each of its vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pybase64 import b64decode

from airflow_provider_openai_dest.answers.vector import FLOAT_BYTES, decode_embedding

ITEMS = "data"
PLACES = ("input", "start", "end", "chunks")
"""What an item says of the text that its vector is of, by the names of the columns."""

EXACT_DIGITS = 9
"""Decimal digits that tell every float32 from its neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPart:
    """One row: the bytes of a vector, the place of its item in the answer's list, and what the item has beside it."""

    vector: bytes | None = None
    item: int | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    rest: Any = None


def answer_parts(answer: Any, vector_field: str | None) -> Sequence[AnswerPart]:
    """Give an answer's rows: one for each vector of a list of such, else one for the answer.

    A vector that can't be read stays what it is.
    """
    if not isinstance(answer, Mapping):
        return [AnswerPart(rest=answer)]
    rest = {name: value for name, value in answer.items() if name != "model"}
    items = rest.get(ITEMS)
    if vector_field is not None and isinstance(items, list) and items and len(rest) == 1:
        parts = [_part(item, vector_field, place) for place, item in enumerate(items) if isinstance(item, Mapping)]
        if len(parts) == len(items) and all(part.vector for part in parts):
            return parts
    return [_part(rest, vector_field)]


def with_numbers(answer: Any, vector_field: str) -> Any:
    """Give an answer with its vectors as lists of numbers; what can't be read stays what it is."""
    if isinstance(answer, list):
        return [with_numbers(item, vector_field) for item in answer]
    if not isinstance(answer, Mapping):
        return answer
    shown = {**answer}
    if isinstance(items := shown.get(ITEMS), list):
        shown[ITEMS] = with_numbers(items, vector_field)
    if isinstance(text := shown.get(vector_field), str) and _vector(text) is not None:
        shown[vector_field] = [float(f"{number:.{EXACT_DIGITS}g}") for number in decode_embedding(text)]
    return shown


def _part(item: Mapping[str, Any], vector_field: str | None, place: int | None = None) -> AnswerPart:
    rest = {**item}
    text = rest.get(vector_field) if vector_field is not None else None
    vector = _vector(text) if isinstance(text, str) else None
    if vector is None:
        return AnswerPart(item=place, rest=rest or None)
    del rest[str(vector_field)]
    places = {name: rest.pop(name) for name in PLACES if type(rest.get(name)) is int}
    return AnswerPart(vector=vector, item=place, places=places, rest=rest or None)


def _vector(text: str) -> bytes | None:
    try:
        vector = b64decode(text, validate=True)
    except ValueError:
        return None
    return vector if vector and not len(vector) % FLOAT_BYTES else None
