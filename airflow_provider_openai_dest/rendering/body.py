"""Body template: a JSON value whose text leaves may hold placeholders; read once, rendered for every record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError, RecordError, nearest
from airflow_provider_openai_dest.rendering.placeholders import Text, parse_text

Missing = Literal["reject", "null", "omit"]
Render = Callable[[Any], Any]

WHOLE_RECORD = "{message.json}"

_OMITTED: Any = object()


class BodyTemplate:
    """What a request's body is made of.

    :param body: a JSON value, or a text that is one placeholder or JSON. Its text leaves may hold placeholders: a
        leaf that is exactly one placeholder keeps the value's type, inside a longer text the value becomes text.
    :param fields: fields set on top of the body, which must then be an object.
    :param missing: what a record without the field gets: ``reject``, ``null``, or ``omit`` the field.

    Raises InvalidTemplateError with the place, before any record is read.
    """

    def __init__(
        self, body: Any = WHOLE_RECORD, *, fields: Mapping[str, Any] | None = None, missing: Missing = "reject"
    ) -> None:
        if missing not in get_args(Missing):
            raise ConfigurationError(f"unknown missing={missing!r}: {nearest(missing, get_args(Missing))}")
        self._missing = missing
        self._body = self._compile(_read(body) if isinstance(body, str) else body, "body")
        self._fields = {name: self._compile(value, name) for name, value in (fields or {}).items()}

    def render(self, data: Any) -> Any:
        """Give the body for one record; raises RecordError when the record does not fit the template."""
        body = self._body(data)
        if not self._fields:
            return None if body is _OMITTED else body
        if not isinstance(body, Mapping):
            raise RecordError("not_an_object", "the body must be an object, so that fields can be set on it")
        rendered = {name: render(data) for name, render in self._fields.items()}
        return {**body, **{name: value for name, value in rendered.items() if value is not _OMITTED}}

    def _compile(self, node: Any, place: str) -> Render:
        if isinstance(node, str):
            return self._compile_text(parse_text(node, place), place)
        if isinstance(node, Mapping):
            fields = {str(name): self._compile(value, f"{place}.{name}") for name, value in node.items()}
            return lambda data: _without_omitted({name: render(data) for name, render in fields.items()})
        if isinstance(node, (list, tuple)):
            items = [self._compile(value, f"{place}[{index}]") for index, value in enumerate(node)]
            return lambda data: [value for render in items if (value := render(data)) is not _OMITTED]
        if node is None or isinstance(node, (bool, int, float)):
            return lambda _data: node
        raise InvalidTemplateError(f"{place}: a {type(node).__name__} is no JSON value")

    def _compile_text(self, text: Text, place: str) -> Render:
        plain = text.plain
        if plain is not None:
            return lambda _data: plain
        only = text.only_placeholder
        find: Render = only.find if only is not None else text.fill
        inside_text = only is None

        def render(data: Any) -> Any:
            try:
                return find(data)
            except LookupError as step:
                return self._replacement(step, place, inside_text=inside_text)

        return render

    def _replacement(self, step: LookupError, place: str, *, inside_text: bool) -> Any:
        if self._missing == "reject":
            raise RecordError("missing_field", f"the record has no {step.args[0]!r}, which {place} needs") from None
        if self._missing == "omit":
            return _OMITTED
        return "" if inside_text else None


def _read(text: str) -> Any:
    if parse_text(text, "body").only_placeholder is not None:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidTemplateError(
            f"body, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); "
            "placeholders stand in quotes and still keep the value's type"
        ) from None


def _without_omitted(fields: dict[str, Any]) -> dict[str, Any]:
    if _OMITTED in fields.values():
        return {name: value for name, value in fields.items() if value is not _OMITTED}
    return fields
