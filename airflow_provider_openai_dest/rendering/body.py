"""Body template: a JSON value whose text leaves may hold placeholders; read once, rendered for every record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError, RecordError, nearest
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.placeholders import parse_text
from airflow_provider_openai_dest.sources.field_path import missing_field

Missing = Literal["reject", "null", "omit"]
Render = Callable[[Any], Any]

WHOLE_RECORD = "{message.json}"
MAX_DEPTH = 100
"""Levels that a template may be nested; the records' own values may go deeper."""

_OMITTED: Any = object()
_JSON = re.compile(r"""\s*(?:\{(?!message|record)|\[|")""")


class Verbatim(NamedTuple):
    """A value in a template that is taken as it is, whatever its texts look like."""

    value: Any


class BodyTemplate:
    """What a request's body is made of.

    :param body: a JSON value, or a text that is one placeholder or JSON. Its text leaves may hold placeholders: a
        leaf that is exactly one placeholder keeps the value's type, inside a longer text the value becomes text.
    :param fields: fields set on top of the body, which must then be an object.
    :param missing: what a record without the field gets: ``reject``, ``null`` (nothing, inside a longer text), or
        ``omit`` the whole leaf.
    :param name: what messages call this template.
    :param is_text: a text is the body as it is, and no JSON.

    Raises InvalidTemplateError with the place, before any record is read.
    """

    def __init__(
        self,
        body: Any = WHOLE_RECORD,
        *,
        fields: Mapping[str, Any] | None = None,
        missing: Missing = "reject",
        name: str = "body",
        is_text: bool = False,
    ) -> None:
        if missing not in get_args(Missing):
            raise ConfigurationError(f"unknown missing={missing!r}: {nearest(missing, get_args(Missing))}")
        self._missing = missing
        self._body = self._compile(_read(body, name) if isinstance(body, str) and not is_text else body, name)
        self._fields = {name: self._compile(value, name) for name, value in (fields or {}).items()}

    def render(self, data: Any) -> Any:
        """Give the body for one record; raises RecordError when the record does not fit the template."""
        body = self._body(data)
        if not self._fields:
            return None if body is _OMITTED else body
        if not isinstance(body, Mapping):
            raise RecordError("not_an_object", "the body must be an object, so that fields can be set on it")
        return {**body, **_rendered(self._fields, data)}

    def names(self) -> set[str] | None:
        """Give the fields that a body may have; None when the records say it themselves."""
        parts = _parts(self._body)
        return None if parts is None else {*parts, *self._fields}

    def is_null(self, name: str) -> bool:
        """Tell whether a field is null for every record."""
        return self.constants().get(name, "") is None

    def constants(self) -> dict[str, Any]:
        """Give the fields that are the same for all records."""
        known = {**(_parts(self._body) or {}), **self._fields}
        return {name: render.value for name, render in known.items() if isinstance(render, _Constant)}

    def varying(self) -> list[str]:
        """Name the fields that differ from one record to another; ``body`` is all of it, where it names none."""
        parts = _parts(self._body)
        known = {**({"body": self._body} if parts is None else parts), **self._fields}
        return [name for name, render in known.items() if not isinstance(render, _Constant)]

    def _compile(self, node: Any, place: str, depth: int = 0) -> Render:
        if depth > MAX_DEPTH:
            raise InvalidTemplateError(f"{place[:80]}...: nested more than {MAX_DEPTH} levels deep")
        if isinstance(node, str):
            return self._compile_text(node, place)
        if isinstance(node, Verbatim):
            return _constant(node.value, place)
        if isinstance(node, Mapping):
            names_alone = dict.fromkeys(node)
            _refuse_unwritable(names_alone, place)
            return _object({name: self._compile(value, f"{place}.{name}", depth + 1) for name, value in node.items()})
        if isinstance(node, (list, tuple)):
            return _list([self._compile(value, f"{place}[{index}]", depth + 1) for index, value in enumerate(node)])
        return _constant(node, place)

    def _compile_text(self, leaf: str, place: str) -> Render:
        text = parse_text(leaf, place)
        if text.plain is not None:
            return _constant(text.plain, place)
        only = text.only_placeholder
        absent = "" if self._missing == "null" else None
        find: Render = only.find if only is not None else partial(text.fill, absent=absent)

        def render(data: Any) -> Any:
            try:
                return find(data)
            except LookupError as step:
                return self._replacement(step, place)

        return render

    def _replacement(self, step: LookupError, place: str) -> Any:
        if self._missing == "reject":
            raise missing_field(step, place) from None
        return None if self._missing == "null" else _OMITTED


def default_body(endpoint: EndpointTemplate, fields: Mapping[str, Any]) -> Any:
    """Give the body where none is written: the fields alone when they make a whole one, else the whole record."""
    if endpoint.content == "none" or (fields and set(endpoint.required) <= set(fields)):
        return {}
    return WHOLE_RECORD


class _Constant:
    """A part of the template without placeholders: the same value for every record."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, _data: Any) -> Any:
        return self.value


def _constant(value: Any, place: str) -> Render:
    _refuse_unwritable(value, place)
    return _Constant(value)


def _refuse_unwritable(value: Any, place: str) -> None:
    try:
        encode_json(value)
    except RecordError as error:
        raise InvalidTemplateError(f"{place}: {error.message}") from None


def _object(fields: dict[str, Render]) -> Render:
    if all(isinstance(render, _Constant) for render in fields.values()):
        return _Constant(_rendered(fields, None))
    return partial(_rendered, fields)


def _parts(body: Render) -> dict[str, Render] | None:
    """Give what the fields of a body are rendered by; None when it is no object of the template's own."""
    if isinstance(body, _Constant) and isinstance(body.value, Mapping):
        return {name: _Constant(value) for name, value in body.value.items()}
    return body.args[0] if isinstance(body, partial) and body.func is _rendered else None


def _rendered(fields: dict[str, Render], data: Any) -> dict[str, Any]:
    return {name: value for name, render in fields.items() if (value := render(data)) is not _OMITTED}


def _list(items: list[Render]) -> Render:
    if all(isinstance(render, _Constant) for render in items):
        return _Constant([render(None) for render in items])
    return lambda data: [value for render in items if (value := render(data)) is not _OMITTED]


def _read(text: str, name: str) -> Any:
    """Read a template that was given as text: one placeholder, or JSON."""
    if not _JSON.match(text) and parse_text(text.strip(), name).only_placeholder is not None:
        return text.strip()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidTemplateError(
            f"{name}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); "
            "placeholders stand in quotes and still keep the value's type"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidTemplateError(f"{name}: can't be read as JSON: {error}") from None
