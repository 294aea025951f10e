"""Base URL: the one address that an Airflow connection's host, schema and port stand for."""

from __future__ import annotations

import re

from airflow_provider_openai_dest.connection.origin import refuse_segments, split_url

DEFAULT_BASE_URL = "https://api.openai.com/v1"

NOTHING_THERE = "Base URL: nothing is there; OpenAI's ends in /v1"
"""What a 404 of an address says that no record has a part in."""

_SCHEMES = ("http", "https")
_PORT = re.compile(r":([0-9]+)$")
_OPENAI_HOST = re.compile(r"(?:.+\.)?api\.openai\.com")  # the data residency regions are us.api.openai.com and so on


def join_address(host: str | None, schema: str | None, port: int | str | None) -> str | None:
    """Join the three fields; None when all are empty. Raises ``ValueError`` when they contradict each other.

    Airflow's URI form gives the same server in two ways: ``openai-dest://:key@gw.example:8443/https`` has the
    scheme in ``schema``, ``openai-dest://https://:key@gw.example:8443/v1`` has the path there.
    """
    host, schema = (host or "").strip(), (schema or "").strip()
    number = _read_port(port)
    if not host:
        if number:
            raise ValueError(f"is empty, but the port is {number}; write the whole address in it")
        return None
    scheme, mark, rest = host.partition("://")
    if not mark:
        scheme, rest = schema.lower() if schema.lower() in _SCHEMES else "https", host
    elif schema.lower() in _SCHEMES and schema.lower() != scheme.lower():
        raise ValueError(f"begins with {scheme}://, but the schema is {schema.lower()}; leave the schema empty")
    path = "" if schema.lower() in _SCHEMES else schema.strip("/")
    authority, slash, tail = rest.partition("/")
    if path and tail.strip("/"):
        raise ValueError("has a path, and the schema has another one; leave the schema empty")
    return f"{scheme}://{_with_port(authority, number)}{slash or '/'}{path or tail}"


def read_base_url(text: str, *, default_path: str = "") -> str:
    """Give the base URL in its one spelling: no slash at the end, no default port, host in lower case.

    OpenAI's own hosts get their ``/v1`` when no path is given, since nothing answers above it. Raises
    ``ValueError`` for user info, a query, a fragment, a backslash, or a path that leaves itself.

    :param default_path: path where none is given, as the kind of server has it.
    """
    parts = split_url(text.strip())
    if parts.query is not None:
        raise ValueError("has a query ('?'); give only the address up to it")
    if parts.origin.host.startswith("sk-"):
        raise ValueError("looks like an API key; the key belongs in the password")
    path = parts.path.rstrip("/")
    refuse_segments(path)
    if not path:
        path = "/v1" if _OPENAI_HOST.fullmatch(parts.origin.host) else default_path
    return f"{parts.origin}{path}"


def _read_port(port: int | str | None) -> int:
    try:
        number = int(port or 0)
    except ValueError:
        raise ValueError(f"has the port {port!r}; a port is a number") from None
    if not 0 <= number < 65536:
        raise ValueError(f"has the port {number}; ports go from 1 to 65535")
    return number


def _with_port(authority: str, port: int) -> str:
    given = _PORT.search(authority)
    if given and port and int(given[1]) != port:
        raise ValueError(f"has the port {given[1]}, but the port field says {port}; leave the port field empty")
    return authority if given or not port else f"{authority}:{port}"
