"""Faults: what pydantic found, by the field in which it is, in words that name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from airflow_provider_openai_dest.rendering.body_fault import BodyFault

MOST_FAULTS = 20
"""Faults of one body that are told."""

Step = str | int


class Found(NamedTuple):
    """A fault, and its kind: the same for all records that are wrong in the same way."""

    fault: BodyFault
    kind: str


class _Place(NamedTuple):
    """Where an error is: the steps into the value, and which of several forms of it was tried."""

    error: ErrorDetails
    steps: tuple[Step, ...]
    form: Step | None


def faults_of(error: ValidationError, body: Any) -> list[Found]:
    """Give the faults of a body, by field.

    Where a value may have several forms, pydantic tells what is wrong with it for each: the form that comes nearest
    counts, which is one of the value's own kind, with the fewest errors, and of these the one whose errors lie deepest.
    """
    places = [_placed(each, body) for each in error.errors(include_url=False, include_input=False)]
    fields = groupby(places, key=lambda place: place.error["loc"][:1])
    nearest = [place for _, group in fields for place in _nearest_form(list(group))]
    return [_told(place, body) for place in nearest[:MOST_FAULTS]]


def _placed(error: ErrorDetails, body: Any) -> _Place:
    """Tell steps into the value from names of forms, which pydantic puts between them."""
    steps: list[Step] = []
    form, value = None, body
    for place, step in enumerate(error["loc"]):
        is_last_of_missing = error["type"] == "missing" and place == len(error["loc"]) - 1
        if is_last_of_missing or _leads_on(value, step):
            steps.append(step)
            value = None if is_last_of_missing else value[step]
        elif form is None:
            form = step
    return _Place(error, tuple(steps), form)


def _leads_on(value: Any, step: Step) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, Sequence) and not isinstance(value, str) and type(step) is int and step < len(value)


def _nearest_form(places: Sequence[_Place]) -> Sequence[_Place]:
    forms: dict[Any, list[_Place]] = {}
    for place in places:
        forms.setdefault(place.form, []).append(place)
    certain = forms.pop(None, [])
    if not forms:
        return certain
    top = min(len(place.steps) for place in places)
    return [*certain, *min(forms.values(), key=lambda form: _distance(form, top))]


def _distance(form: Sequence[_Place], top: int) -> tuple[bool, int, int]:
    depths = [len(place.steps) for place in form]
    is_other_kind = any(place.error["type"].endswith("_type") and len(place.steps) == top for place in form)
    return is_other_kind, len(form), -max(depths)


def _told(place: _Place, body: Any) -> Found:
    param = written(place.steps)
    kind = f"{written(step for step in place.steps if not isinstance(step, int))} {place.error['type']}"
    if place.error["type"] == "missing":
        return Found(BodyFault(param, f"{param} is missing"), kind)
    said = place.error["msg"].removeprefix("Input ").replace(" after validation", "")
    return Found(BodyFault(param, f"{param}{_shown(place.steps, body)}: {said[0].lower()}{said[1:]}"), kind)


def _shown(steps: Iterable[Step], body: Any) -> str:
    """Show a number or a truth value; a text may be long, or nobody's to read."""
    value = body
    for step in steps:
        value = value[step]
    return f"={value!r}" if isinstance(value, (bool, int, float)) and len(repr(value)) < 40 else ""


def written(steps: Iterable[Step]) -> str:
    """Write steps as the API does: ``messages[0].role``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")[:200]
