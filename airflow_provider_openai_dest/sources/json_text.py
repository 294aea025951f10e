"""Strict reading of JSON text, and why a text could not be read."""

from __future__ import annotations

import msgspec

# What reading strange text raises: msgspec's own errors (ValueErrors only from msgspec 0.21 on), UnicodeErrors, which
# are ValueErrors, and RecursionError for what is nested about 1,000 deep.
JSON_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)

# NaN and Infinity are refused, integers of up to 4,300 digits are kept as they are.
read_json = msgspec.json.Decoder().decode


def reason_of(error: Exception) -> str:
    """Say why a text is no JSON, without quoting any of it."""
    if isinstance(error, UnicodeError):
        return f"not UTF-8: {getattr(error, 'reason', 'broken text')}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)
