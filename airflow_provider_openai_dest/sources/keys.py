"""Keys: items made records, each with a key of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.field_path import FieldPath, FieldPathError, others
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.sources.seen_keys import SeenKeys

_SCALARS = (str, int, float, Decimal, UUID, date)


def parse_key(key: str | None) -> FieldPath | None:
    """Read the ``key`` a Dag author gave; None means that the position is the key."""
    if key is None:
        return None
    if not isinstance(key, str):
        raise ConfigurationError(f"key={key!r} must be the name of a field, such as sku or a.b[0]")
    try:
        return FieldPath.parse(key)
    except FieldPathError as error:
        raise ConfigurationError(f"key: {error}; write it as a field, such as sku or a.b[0]") from None


def assign_keys(items: Iterable[Any], key: FieldPath | None) -> Iterator[Record]:
    """Yield a record for each item: data, or a :class:`RecordError` in place of data that could not be read.

    Without ``key`` a record's key is its position, and nothing is kept. With it, the key is the value found there; a
    record without one is faulted (``missing_key``), as is every later record of an equal key (``duplicate_key``, naming
    the first position). A faulted record's key is ``#<position>``. To tell duplicates, 16 bytes a record are kept.
    """
    if key is None:
        return _by_position(items)
    return _by_field(items, key)


def _by_position(items: Iterable[Any]) -> Iterator[Record]:
    for position, item in enumerate(items):
        if isinstance(item, RecordError):
            yield Record(key=str(position), position=position, data=None, fault=item)
        else:
            yield Record(key=str(position), position=position, data=item)


def _by_field(items: Iterable[Any], path: FieldPath) -> Iterator[Record]:
    seen = SeenKeys()
    for position, item in enumerate(items):
        if isinstance(item, RecordError):
            yield Record(key=_claim_substitute(seen, position), position=position, data=None, fault=item)
            continue
        try:
            key = _key_of(item, path)
            _claim(seen, key)
        except RecordError as fault:
            yield Record(key=_claim_substitute(seen, position), position=position, data=item, fault=fault)
        else:
            yield Record(key=key, position=position, data=item)


def _key_of(data: Any, path: FieldPath) -> str:
    try:
        value = path.find(data)
    except LookupError as step:
        raise RecordError("missing_key", f"the record has no field {path}{others(step)}", param=str(path)) from None
    if type(value) is str and value and value.isascii():  # nearly all of them
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, _SCALARS):
        raise RecordError("missing_key", f"the key {path} is neither text nor a number", param=str(path))
    try:
        key = str(value)
        key.encode()
    except ValueError:  # an integer above 4,300 digits, a lone surrogate
        raise RecordError("missing_key", f"the key {path} can't be written as text", param=str(path)) from None
    if not key:
        raise RecordError("missing_key", f"the key {path} is empty", param=str(path))
    return key


def _claim(seen: SeenKeys, key: str) -> None:
    first = seen.claim(key)
    if first is not None:
        raise RecordError("duplicate_key", f"the record at position {first} has the same key")


def _claim_substitute(seen: SeenKeys, position: int) -> str:
    key = f"#{position}"
    while seen.claim(key) is not None:
        key = f"#{key}"
    return key
