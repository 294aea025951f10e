"""Values out, as JSON or within a text: exact or refused, never silently changed."""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from airflow_provider_openai_dest.exceptions import RecordError


def encode_json(value: Any) -> bytes:
    """Write ``value`` as compact UTF-8 JSON.

    Dates and times become ISO 8601 text, ``Decimal`` and ``UUID`` their text. NaN, infinities, lone surrogates,
    bytes, names that are no text, circular and too deeply nested values raise RecordError ``unserializable``. The
    standard library writes what is not plain for certain, since msgspec writes NaN as ``null``.
    """
    if _is_plain(value):
        try:
            return _encode_plain(value)
        except (ValueError, OverflowError, RecursionError):  # the slow way tells what is wrong, or can do it
            pass
    return encode_text(_write(value))


def _is_plain(value: Any) -> bool:
    """Tell whether a value is made of the types alone that JSON has, without NaN, and within bounds that end."""
    if type(value) in _ATOMS:
        return True
    rest, seen = [value], 0
    while rest:
        node = rest.pop()
        kind = type(node)
        if kind is dict:
            for name, item in node.items():
                if type(name) is not str:
                    return False
                if type(item) not in _ATOMS:
                    rest.append(item)
        elif kind is list or kind is tuple:
            rest += [item for item in node if type(item) not in _ATOMS]
        elif kind is not float or not isfinite(node):
            return False
        seen += 1
        if seen > MOST_NODES:
            return False
    return True


_ATOMS = frozenset({str, int, bool, type(None)})
_encode_plain = msgspec.json.Encoder().encode
MOST_NODES = 10_000
"""Lists, objects and numbers that are looked at: a value may contain itself."""


def encode_text(text: str) -> bytes:
    """Write a text as UTF-8; raises RecordError ``unserializable`` for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _unserializable(f"lone surrogate U+{ord(text[error.start]):04X}") from None


def as_text(value: Any) -> str:
    """Write a value into a longer text: a text, a date or a ``Decimal`` as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, _WRITTEN_AS_TEXT):
        return _plain(value)
    return encode_json(value).decode()


def _write(value: Any) -> str:
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unserializable(error) from None
    _refuse_names(value)
    return text


def _plain(value: Any) -> str:
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal) and not value.is_finite():
        raise _unserializable(f"{value} is no JSON number")
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON value")


def _refuse_names(value: Any) -> None:
    """Refuse names that are no text: the encoder writes 1 and "1" alike. ``value`` must be known to have an end."""
    rest = [value]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            for name in node:
                if not isinstance(name, str):
                    raise _unserializable(f"a field's name must be text, not {type(name).__name__}")
            rest += node.values()
        elif isinstance(node, (list, tuple)):
            rest += node


def _unserializable(reason: object) -> RecordError:
    return RecordError("unserializable", f"the value can't be written as JSON: {reason}")


_WRITTEN_AS_TEXT = (date, time, Decimal, UUID)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
