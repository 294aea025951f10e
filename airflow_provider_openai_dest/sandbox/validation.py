"""Field and Shape: what a request body may look like, as declarations, and the refusals that the API words alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from airflow_provider_openai_dest.sandbox.answers import ApiError

Body = Mapping[str, Any]

_KINDS: Mapping[str, tuple[str, type | tuple[type, ...]]] = {
    "string": ("a string", str),
    "integer": ("an integer", int),
    "number": ("a number", (int, float)),
    "boolean": ("a boolean", bool),
    "object": ("an object", dict),
    "array": ("an array", list),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What one field of a body may hold.

    ``kinds`` are JSON's own words. ``at_least`` and ``at_most`` bound a number, ``shortest`` and ``longest`` the
    characters of a string or the items of an array. ``fields`` declares the inside of an object.
    """

    kinds: tuple[str, ...]
    required: bool = False
    nullable: bool = False
    choices: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    shortest: int | None = None
    longest: int | None = None
    fields: Mapping[str, Field] | None = None


Text = partial(Field, kinds=("string",))
Whole = partial(Field, kinds=("integer",))
Number = partial(Field, kinds=("number",))
Flag = partial(Field, kinds=("boolean",))
Object = partial(Field, kinds=("object",))
Array = partial(Field, kinds=("array",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one request body may look like; ``checks`` look at what a table can't say (two fields together)."""

    fields: Mapping[str, Field]
    is_open: bool = True
    checks: tuple[Callable[[Body], None], ...] = ()

    def check(self, body: Any) -> dict[str, Any]:
        """Give the body without its nulls, or refuse it with a 400 that names the first fault."""
        if not isinstance(body, dict):
            refuse(f"Invalid body: expected an object, but got {_kind_of(body)} instead.", None, "invalid_type")
        _check_fields(body, self.fields, "", is_open=self.is_open)
        present = {name: value for name, value in body.items() if value is not None}
        for check in self.checks:
            check(present)
        return present


def refuse(message: str, param: str | None, code: str | None = None) -> NoReturn:
    """Refuse the request with a 400 in the API's form."""
    raise ApiError(400, message, param=param, code=code)


def refuse_stream(body: Body) -> None:
    """Refuse ``stream``: the sandbox answers whole."""
    if body.get("stream"):
        refuse("The sandbox doesn't stream: leave 'stream' out.", "stream", "unsupported_value")


def _check_fields(body: Body, fields: Mapping[str, Field], prefix: str, *, is_open: bool) -> None:
    for name, field in fields.items():
        if field.required and body.get(name) is None:
            refuse(f"Missing required parameter: '{prefix}{name}'.", prefix + name, "missing_required_parameter")
    for name in body:
        if name not in fields and not is_open:
            refuse(f"Unknown parameter: '{prefix}{name}'.", prefix + name, "unknown_parameter")
    for name, field in fields.items():
        if name in body and not (field.nullable and body[name] is None):
            _check_value(body[name], field, prefix + name)


def _check_value(value: Any, field: Field, name: str) -> None:
    if not any(_is_of_kind(value, kind) for kind in field.kinds):
        wanted = " or ".join(_KINDS[kind][0] for kind in field.kinds)
        message = f"expected {wanted}, but got {_kind_of(value)} instead."
        refuse(f"Invalid type for '{name}': {message}", name, "invalid_type")
    if isinstance(value, str) and field.choices and value not in field.choices:
        known = ", ".join(f"'{choice}'" for choice in field.choices)
        refuse(f"Invalid value: '{value[:100]}'. Supported values are: {known}.", name, "invalid_value")
    if isinstance(value, (str, list)):
        _check_length(value, field, name)
    elif isinstance(value, dict):
        _check_fields(value, field.fields or {}, f"{name}.", is_open=True)
    elif not isinstance(value, bool):
        _check_bounds(value, field, name)


def _check_bounds(value: float, field: Field, name: str) -> None:
    kind = "integer" if isinstance(value, int) else "decimal"
    for bound, is_outside, side, word, sign in (
        (field.at_least, field.at_least is not None and value < field.at_least, "below", "min", ">="),
        (field.at_most, field.at_most is not None and value > field.at_most, "above", "max", "<="),
    ):
        if is_outside:
            message = f"{kind} {side} {word}imum value. Expected a value {sign} {bound}, but got {value} instead."
            refuse(f"Invalid '{name}': {message}", name, f"{kind}_{side}_{word}_value")


def _check_length(value: str | list[Any], field: Field, name: str) -> None:
    kind, length = _kind_of(value), len(value)
    _, noun = kind.split()
    if field.shortest is not None and length < field.shortest:
        code = f"{noun}_below_min_length" if length else f"empty_{noun}"
        message = f"{noun} too short. Expected {kind} with minimum length {field.shortest}"
    elif field.longest is not None and length > field.longest:
        code = f"{noun}_above_max_length"
        message = f"{noun} too long. Expected {kind} with maximum length {field.longest}"
    else:
        return
    refuse(f"Invalid '{name}': {message}, but got {kind} with length {length} instead.", name, code)


def _is_of_kind(value: Any, kind: str) -> bool:
    # In Python a bool is an int; in JSON it isn't.
    return isinstance(value, _KINDS[kind][1]) and (kind == "boolean" or not isinstance(value, bool))


def _kind_of(value: Any) -> str:
    return next((phrase for kind, (phrase, _) in _KINDS.items() if _is_of_kind(value, kind)), "null")
