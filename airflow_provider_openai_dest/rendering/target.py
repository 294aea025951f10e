"""Target: the URL of a request, from the endpoint's path, the body's fields and the record."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

from airflow_provider_openai_dest.connection.url import encode_path_value, resolve_target
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.multipart import flat_fields
from airflow_provider_openai_dest.rendering.placeholders import Placeholder, as_text, parse_text

_BODY_FIELD = re.compile(r"\{([a-z_]+)\}")


class Target:
    """A path below the connection's base URL, or a complete URL inside its origin.

    ``{file_id}`` is filled from the body field of that name, ``{message.field}`` from the record; every value is
    percent-encoded, so that it can never leave its place in the URL. A URL that leaves the origin is refused here,
    when the template is read.
    """

    def __init__(self, base_url: str, path: str) -> None:
        self._base_url = base_url
        self._path_fields = tuple(_BODY_FIELD.findall(path))
        self._template = parse_text(path, "url")
        stand_in = _BODY_FIELD.sub("x", "".join("x" if isinstance(p, Placeholder) else p for p in self._template.parts))
        resolved = resolve_target(base_url, stand_in)
        self._constant = resolved if self._template.plain == stand_in else None

    def fill(self, data: Any, body: dict[str, Any], *, body_is_query: bool) -> str:
        """Give the URL for one record; takes the fields that the path uses out of ``body``.

        Raises RecordError when a value is missing or can't stand in a path.
        """
        url = self._constant or resolve_target(self._base_url, self._filled(data, body))
        query = urlencode(list(flat_fields(body))) if body_is_query else ""
        if not query:
            return url
        return f"{url}{'&' if '?' in url else '?'}{query}"

    def _filled(self, data: Any, body: dict[str, Any]) -> str:
        filled, in_query = "", False
        for part in self._template.parts:
            if isinstance(part, str):
                filled += _BODY_FIELD.sub(lambda match: encode_path_value(as_text(body.pop(match[1]))), part)
                in_query = in_query or "?" in part
                continue
            try:
                value = as_text(part.find(data))
            except LookupError as step:
                raise RecordError("missing_field", f"the record has no {step.args[0]!r}, which the URL needs") from None
            filled += quote(value, safe="") if in_query else encode_path_value(value)
        return filled

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The body fields that the path takes."""
        return self._path_fields
