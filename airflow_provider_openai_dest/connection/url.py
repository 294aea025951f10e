"""The origin pin: the URL that a path or URL of a Dag author stands for, below one connection's base URL.

This runs once a record, so the plain case is one regular expression.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from airflow_provider_openai_dest.connection.origin import (
    Origin,
    refuse_characters,
    refuse_segment,
    refuse_segments,
    split_url,
)
from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError

_SHOWN = 120

# Letters, digits and harmless signs, no segment that begins with a dot: nothing in it needs a second look.
_PLAIN = re.compile(r"/?(?:[\w~!$&'()*+,=-][\w~!$&'()*+,=.-]*/)*[\w~!$&'()*+,=-][\w~!$&'()*+,=.-]*", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def resolve_target(base_url: str, target: str) -> str:
    """Give the absolute URL of a path below ``base_url``, or of a complete URL inside its origin.

    Raises :class:`ConfigurationError`, before anything is sent, for whatever could carry the key elsewhere
    or leave the base URL's path: another scheme, host or port, ``//``, a backslash, user info, ``.`` and
    ``..`` plain or encoded, control characters, spaces, a fragment.

    :param base_url: the base URL of :class:`~.settings.ConnectionSettings`.
    :param target: ``responses``, ``/files?limit=10`` or ``https://api.openai.com/v1/responses``.
    """
    if _PLAIN.fullmatch(target):
        return f"{base_url}{target}" if target.startswith("/") else f"{base_url}/{target}"
    try:
        return _resolve_with_care(base_url, target)
    except ValueError as fault:
        raise ConfigurationError(
            f"The endpoint {_shown(target)} {fault}. "
            f"Give a path that begins with '/', below {base_url}, or a URL that begins with {_origin(base_url)}/"
        ) from None


def encode_path_value(value: str) -> str:
    """Percent-encode a record's value for one segment of a path, so that it never adds or removes one.

    Whatever it returns, :func:`resolve_target` takes. Raises :class:`RecordError` with the code
    ``unsafe_path_value`` for a value that is empty, ``.`` or ``..``, or that has a slash, a backslash or a control
    character, plain or encoded: servers differ in how often they decode.
    """
    try:
        if not value:
            raise ValueError("is empty")
        encoded = quote(value, safe="")
        refuse_segment(encoded)
    except ValueError as fault:
        raise _unsafe(value, fault) from None
    return encoded


def encode_query_value(value: str) -> str:
    """Percent-encode a record's value for a query, so that it never adds a parameter or ends the query."""
    try:
        return quote(value, safe="")
    except UnicodeEncodeError as fault:
        raise _unsafe(value, fault) from None


def _resolve_with_care(base_url: str, target: str) -> str:
    refuse_characters(target)
    if target.startswith("@"):
        raise ValueError("begins with '@', which names another host")
    if _SCHEME.match(target):
        return _resolve_url(base_url, target)
    path, mark, query = target.partition("?")
    _refuse_path(path)
    return f"{base_url}{'' if path.startswith('/') else '/'}{path}{mark}{query}"


def _resolve_url(base_url: str, target: str) -> str:
    parts = split_url(target)
    origin = _origin(base_url)
    if parts.origin != origin:
        raise ValueError(f"is not at {origin}, and the key of this connection is for nowhere else")
    _refuse_path(parts.path)
    return f"{origin}{parts.path}" + ("" if parts.query is None else f"?{parts.query}")


def _refuse_path(path: str) -> None:
    if path in ("", "/"):
        raise ValueError("has no path")
    if "[" in path or "]" in path:
        raise ValueError("has a bracket in its path; write %5B and %5D")
    refuse_segments(path)


@lru_cache(maxsize=32)
def _origin(base_url: str) -> Origin:
    return split_url(base_url).origin


def _shown(target: str) -> str:
    """Show enough of a target to find it, but no query and nothing before an '@'."""
    path = target.split("?", 1)[0]
    _, at, rest = path.rpartition("@")
    shown = redact(f"***@{rest}" if at else path)
    return repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...")


def _unsafe(value: str, fault: ValueError) -> RecordError:
    reason = "can't be written as UTF-8" if isinstance(fault, UnicodeError) else str(fault)
    return RecordError("unsafe_path_value", f"A value of {len(value)} characters {reason}, so it can't stand in a URL")
