"""Target: the URL of a request, from the endpoint's path, the body's fields and the record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from airflow_provider_openai_dest.connection.url import encode_path_value, encode_query_value, resolve_target
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.encoding import as_text
from airflow_provider_openai_dest.rendering.multipart import flat_fields
from airflow_provider_openai_dest.rendering.placeholders import Placeholder, parse_text
from airflow_provider_openai_dest.sources.field_path import missing_field

MAX_URL = 8192
"""Longest URL that is sent; servers and proxies refuse longer ones, each in its own way."""

_BODY_FIELD = re.compile(r"\{([a-z_]+)\}")


class Target:
    """A path below the connection's base URL, or a complete URL inside its origin.

    ``{file_id}`` is filled from the body field of that name, ``{message.field}`` from the record; every value is
    percent-encoded, so that it can never leave its place in the URL. A URL that leaves the origin is refused here,
    when the template is read.

    :param query: further parameters, as an object.
    """

    def __init__(self, base_url: str, path: str, query: BodyTemplate | None = None) -> None:
        self._base_url = base_url
        self._query = query
        self._pieces = tuple(_pieces(path))
        self._gaps = tuple(piece for piece in self._pieces if isinstance(piece, _Gap))
        resolved = resolve_target(base_url, "".join("x" if isinstance(p, _Gap) else p for p in self._pieces))
        self._constant = None if self._gaps else resolved

    @property
    def uses_record(self) -> bool:
        """Whether the URL of one record differs from that of another, whatever their bodies."""
        return self._query is not None or any(isinstance(gap.source, Placeholder) for gap in self._gaps)

    def fill(self, data: Any, body: dict[str, Any], *, body_is_query: bool) -> str:
        """Give the URL for one record; takes the fields that the path uses out of ``body``.

        Raises RecordError when a value is missing or can't stand in a URL.
        """
        url = self._constant or self._filled(data, body)
        fields = body if body_is_query else {}
        if self._query is not None:
            fields = {**self._query.render(data), **fields}
        query = urlencode(flat_fields(fields), quote_via=quote) if fields else ""
        if query:
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        if len(url) > MAX_URL:
            raise RecordError("url_too_long", f"the URL would have {len(url)} characters, at most {MAX_URL}")
        return url

    def _filled(self, data: Any, body: dict[str, Any]) -> str:
        filled = "".join(piece if isinstance(piece, str) else piece.fill(data, body) for piece in self._pieces)
        for gap in self._gaps:
            if isinstance(gap.source, str):
                body.pop(gap.source, None)
        try:
            return resolve_target(self._base_url, filled)
        except ConfigurationError:  # the template was good, so the values together are not
            raise RecordError("unsafe_path_value", "the values make a URL that could be read in two ways") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """A place in the URL that a value fills: of the body field of that name, or of the record."""

    source: str | Placeholder
    in_query: bool

    def fill(self, data: Any, body: Mapping[str, Any]) -> str:
        value = as_text(self._value(data, body))
        return encode_query_value(value) if self.in_query else encode_path_value(value)

    def _value(self, data: Any, body: Mapping[str, Any]) -> Any:
        if isinstance(self.source, str):
            value = body.get(self.source)
            if value is None:
                raise RecordError("missing_required_parameter", f"the URL needs {self.source!r}", param=self.source)
            return value
        try:
            return self.source.find(data)
        except LookupError as step:
            raise missing_field(step, "the URL") from None


def _pieces(path: str) -> Iterator[str | _Gap]:
    """Cut a path into plain text and gaps."""
    in_query = False
    for part in parse_text(path, "url").parts:
        if isinstance(part, Placeholder):
            yield _Gap(source=part, in_query=in_query)
            continue
        for place, piece in enumerate(_BODY_FIELD.split(part)):
            if place % 2:
                yield _Gap(source=piece, in_query=in_query)
            else:
                in_query = in_query or "?" in piece
                yield piece
