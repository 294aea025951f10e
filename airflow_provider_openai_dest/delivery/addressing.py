"""Addressing: a rendered request becomes the request of one attempt, with the connection's headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.wire.wire import WireRequest


class Address(Protocol):
    """Makes the request of one attempt; a signature or a token may differ from one attempt to the next."""

    def __call__(self, request: RenderedRequest) -> WireRequest:
        """Give a request that was never sent."""


ACCOUNT_HEADERS = frozenset({"authorization", "openai-organization", "openai-project"})
"""What no request may replace, in lower case."""


class ApiAddress:
    """Adds the connection's headers, among them the key; the renderer has pinned every URL to its origin.

    A header that the request has itself wins over the connection's, except those of the account.

    :param headers: headers of the connection.
    :param account: names of those that no request may replace.
    """

    def __init__(self, headers: Mapping[str, str], account: Iterable[str] = ACCOUNT_HEADERS) -> None:
        named = {name.lower(): value for name, value in headers.items()}
        fixed = {name.lower() for name in account}
        self._account = {name: value for name, value in named.items() if name in fixed}
        self._headers = named | {"accept-encoding": "identity"}

    def __call__(self, request: RenderedRequest) -> WireRequest:
        """Make the request of one attempt."""
        headers = dict(self._headers)
        if request.headers:
            headers |= {name.lower(): value for name, value in request.headers} | self._account
        if request.content_type:
            headers["content-type"] = request.content_type
        content = request.content
        if content is not None:
            length = content.length if isinstance(content, MultipartBody) else len(content)
            headers["content-length"] = str(length)
        return WireRequest(method=request.method, url=request.url, headers=headers, content=content)
