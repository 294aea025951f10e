"""ValuesSource: records given in memory, such as the XCom of an upstream task."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.json_text import JSON_ERRORS, read_json
from airflow_provider_openai_dest.sources.keys import assign_keys, parse_key
from airflow_provider_openai_dest.sources.record import Record

log = logging.getLogger(__name__)


class ValuesSource:
    """The records of values given in memory; the values are neither copied nor changed.

    A list, or any iterable that can be read again (Airflow's lazy XCom sequence), is a record for each item. A text
    that is a JSON array or object is read as such. One object, any other text, a number or a truth value is one record.
    None is no record. A pydantic model counts as the JSON object that it dumps.

    :param values: what to send.
    :param key: the field that identifies a record, such as ``sku`` or ``a.b[0]``; None is the position.
    """

    def __init__(self, values: Any, key: str | None = None) -> None:
        self._items = _items_of(values)
        self._key = parse_key(key)

    def __iter__(self) -> Iterator[Record]:
        """Give the records in order."""
        return assign_keys(map(_plain, self._items), self._key)

    def fingerprint(self) -> str:
        """Give the name of the key alone: what the values are is compared record by record."""
        return f"values, key={self._key}"

    def total(self) -> int | None:
        """Give the number of records, or None where it is not known before they are read."""
        return len(self._items) if isinstance(self._items, Sized) else None


def _items_of(values: Any) -> Iterable[Any]:
    if values is None:
        return ()
    if isinstance(values, str):
        return _items_of_text(values)
    if isinstance(values, Mapping) or hasattr(values, "model_dump") or not isinstance(values, Iterable):
        return (values,)
    if fault := _fault_of(values):
        raise ConfigurationError(f"the records are a {type(values).__name__}, {fault}")
    return values


def _fault_of(values: Iterable[Any]) -> str | None:
    if isinstance(values, (bytes, bytearray, memoryview)):
        return "which is no JSON value; decode it, or keep it in a file"
    if isinstance(values, Iterator):
        return "which can be read only once; give a list"
    if isinstance(values, AbstractSet):
        return "which has no order, so that positions would change on a retry; give a sorted list"
    if hasattr(values, "columns"):
        return "which is iterated by its column names; give frame.to_dict('records')"
    return None


def _items_of_text(text: str) -> Sequence[Any]:
    if text.lstrip()[:1] not in ("[", "{"):
        return (text,)
    try:
        value = read_json(text)
    except JSON_ERRORS:
        log.warning("The records are a text that begins like JSON and is none: it is sent as one record of text")
        return (text,)
    return value if isinstance(value, list) else (value,)


def _plain(item: Any) -> Any:
    dump = getattr(item, "model_dump", None)
    if dump is None:
        return item
    try:
        return dump(mode="json")
    except ValueError as error:
        reason = f"the {type(item).__name__} can't be written as JSON: {type(error).__name__}"
        return RecordError("broken_value", reason)
