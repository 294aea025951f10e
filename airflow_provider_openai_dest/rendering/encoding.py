"""JSON out: exact or refused, never silently changed."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from airflow_provider_openai_dest.exceptions import RecordError


def encode_json(value: Any) -> bytes:
    """Write ``value`` as compact UTF-8 JSON.

    Dates and times become ISO 8601 text, ``Decimal`` and ``UUID`` their text. NaN, infinities, lone surrogates,
    bytes, circular and too deeply nested values raise RecordError ``unserializable``. The standard library is used
    and not msgspec, since msgspec writes NaN as ``null``.
    """
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError("unserializable", f"the record can't be written as JSON: {error}") from None


def _plain(value: Any) -> str:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON value")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
