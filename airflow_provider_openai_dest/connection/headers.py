"""Headers: the names and values that may be sent, and those that a connection must not set."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2: token
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")  # RFC 9110, section 5.5, without obs-text

_OF_THE_TRANSPORT = "is set by the transport"
_OF_THE_BODY = "follows from the body"
_OF_THE_CONNECTION = "is a secret, and belongs in the headers of the connection"

# Headers that no connection sets itself, and why; in lower case.
RESERVED = {
    "connection": _OF_THE_TRANSPORT,
    "content-encoding": _OF_THE_BODY,
    "content-length": _OF_THE_BODY,
    "content-type": _OF_THE_BODY,
    "expect": _OF_THE_TRANSPORT,
    "host": "follows from the URL",
    "proxy-authorization": "belongs in the proxy's URL",
    "te": _OF_THE_TRANSPORT,
    "trailer": _OF_THE_TRANSPORT,
    "transfer-encoding": _OF_THE_TRANSPORT,
    "upgrade": _OF_THE_TRANSPORT,
}

# What no request to the API may set either: the connection has a field for it.
RESERVED_OF_REQUESTS = {
    **RESERVED,
    "authorization": "is made of the API key",
    "openai-organization": "has its own field in the connection, Organization",
    "openai-project": "has its own field in the connection, Project",
}

# What no task may set either: its arguments are shown, and kept, in plain text.
RESERVED_OF_TASKS = {
    **RESERVED_OF_REQUESTS,
    "api-key": _OF_THE_CONNECTION,
    "cookie": _OF_THE_CONNECTION,
    "x-api-key": _OF_THE_CONNECTION,
    "keep-alive": _OF_THE_TRANSPORT,
    "proxy-connection": _OF_THE_TRANSPORT,
}

_SENSITIVE = re.compile(r"auth|cookie|credential|key|password|secret|session|signature|token", re.IGNORECASE)


def is_header_name(name: str) -> bool:
    """Tell whether a text can be the name of a header."""
    return _NAME.fullmatch(name) is not None


def is_header_value(value: str) -> bool:
    """Tell whether a text can be sent as a header value: printable ASCII, no line break, no blank at the ends."""
    return _VALUE.fullmatch(value) is not None


def header_faults(headers: Mapping[str, str], reserved: Mapping[str, str] = RESERVED) -> list[str]:
    """Give every fault of some headers, one clause each; values are never part of it.

    :param reserved: names in lower case that may not be set, each with the reason.
    """
    faults = []
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if not is_header_name(name):
            faults.append(f"the name {name!r} is no header name")
        elif lower in reserved:
            faults.append(f"{name!r} can't be set here, it {reserved[lower]}")
        elif lower in seen:
            faults.append(f"{name!r} is there twice")
        elif not is_header_value(value):
            faults.append(f"the value of {name!r} must be printable ASCII without a line break")
        seen.add(lower)
    return faults


def secret_values(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Give the values of those headers whose name says that they are credentials."""
    return tuple(value for name, value in headers.items() if _SENSITIVE.search(name))
