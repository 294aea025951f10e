"""Keys: items made records, each with a key of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.field_path import FieldPath, FieldPathError
from airflow_provider_openai_dest.sources.record import Record

_SCALARS = (str, int, float, Decimal, UUID, date)
_LONGEST_KEPT = 64


def parse_key(key: str | None) -> FieldPath | None:
    """Read the ``key`` a Dag author gave; None means that the position is the key."""
    if key is None:
        return None
    try:
        return FieldPath.parse(key)
    except FieldPathError as error:
        raise ConfigurationError(f"key: {error}; write it as a field, such as sku or a.b[0]") from None


def assign_keys(items: Iterable[Any], key: FieldPath | None) -> Iterator[Record]:
    """Yield a record for each item: data, or a :class:`RecordError` in place of data that could not be read.

    Without ``key`` a record's key is its position, and nothing is kept. With it, the key is the value found there; a
    record without one is faulted (``missing_key``), as is every later record of an equal key (``duplicate_key``, naming
    the first position). A faulted record's key is ``#<position>``. To tell duplicates, a key of up to 64 characters is
    kept as it is and a longer one as 16 bytes: about 150 bytes a record.
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
    seen: dict[str | bytes, int] = {}
    for position, item in enumerate(items):
        if isinstance(item, RecordError):
            yield Record(key=_claim_substitute(seen, position), position=position, data=None, fault=item)
            continue
        try:
            key = _key_of(item, path)
            _claim(seen, key, position)
        except RecordError as fault:
            yield Record(key=_claim_substitute(seen, position), position=position, data=item, fault=fault)
        else:
            yield Record(key=key, position=position, data=item)


def _key_of(data: Any, path: FieldPath) -> str:
    try:
        value = path.find(data)
    except LookupError:
        raise RecordError("missing_key", f"the record has no field {path}", param=str(path)) from None
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


def _claim(seen: dict[str | bytes, int], key: str, position: int) -> None:
    first = seen.setdefault(_kept(key), position)
    if first != position:
        raise RecordError("duplicate_key", f"the record at position {first} has the same key")


def _claim_substitute(seen: dict[str | bytes, int], position: int) -> str:
    key = f"#{position}"
    while seen.setdefault(_kept(key), position) != position:
        key = f"#{key}"
    return key


def _kept(key: str) -> str | bytes:
    return key if len(key) <= _LONGEST_KEPT else blake2b(key.encode(), digest_size=16).digest()
