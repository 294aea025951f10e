"""Faults: what pydantic found, by the field in which it is, in words that name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
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


class _Form(NamedTuple):
    """The name of one of several forms that a value may have; pydantic puts it between the steps."""

    name: Step


class _Place(NamedTuple):
    """Where an error is: the way to it, of steps into the value and of forms that were tried."""

    error: ErrorDetails
    way: tuple[Step | _Form, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way without the forms."""
        return tuple(step for step in self.way if not isinstance(step, _Form))


def faults_of(error: ValidationError, body: Any) -> list[Found]:
    """Give the faults of a body, by field.

    Where a value may have several forms, pydantic tells what is wrong with it for each: the form that comes nearest
    counts, which is one of the value's own kind, with the fewest errors, and of these the one whose errors lie deepest.
    """
    places = [_placed(each, body) for each in error.errors(include_url=False, include_input=False)]
    return [_told(place, body) for place in _nearest(places)[:MOST_FAULTS]]


def _placed(error: ErrorDetails, body: Any) -> _Place:
    way: list[Step | _Form] = []
    value = body
    for place, step in enumerate(error["loc"]):
        is_missing = error["type"] == "missing" and place == len(error["loc"]) - 1
        if is_missing or not _leads_on(value, step):
            way.append(step if is_missing else _Form(step))
        else:
            way.append(step)
            value = value[step]
    return _Place(error, tuple(way))


def _leads_on(value: Any, step: Step) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, Sequence) and not isinstance(value, str) and type(step) is int and step < len(value)


def _nearest(places: Sequence[_Place], depth: int = 0) -> list[_Place]:
    """Leave out the errors of forms that others come nearer than."""
    branches: dict[Step | _Form | None, list[_Place]] = {}
    for place in places:
        branches.setdefault(place.way[depth] if depth < len(place.way) else None, []).append(place)
    left = branches.pop(None, [])
    forms = [_nearest(branch, depth + 1) for step, branch in branches.items() if isinstance(step, _Form)]
    for step, branch in branches.items():
        if not isinstance(step, _Form):
            left += _nearest(branch, depth + 1)
    return [*left, *min(forms, key=partial(_distance, depth=depth))] if forms else left


def _distance(form: Sequence[_Place], depth: int) -> tuple[bool, int, int]:
    return any(_is_of_other_kind(place, depth) for place in form), len(form), -max(len(place.steps) for place in form)


def _is_of_other_kind(place: _Place, depth: int) -> bool:
    """Tell whether a value is not of this form at all: by its type, or by a word of its own or of its ``type``."""
    beyond = len(place.way) - depth - 1
    return beyond == 0 if place.error["type"].endswith("_type") else place.error["type"] == _WORD and beyond <= 1


_WORD = "literal_error"


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
