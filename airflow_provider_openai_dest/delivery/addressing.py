"""Addressing: a rendered request becomes an ``httpx.Request`` with the connection's headers, at every attempt anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import httpx

from airflow_provider_openai_dest.delivery.wire import CONNECT_SECONDS, MultipartStream
from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.rendering.request import RenderedRequest


class Address(Protocol):
    """Makes the request of one attempt; a signature or a token may differ from one attempt to the next."""

    def __call__(self, request: RenderedRequest) -> httpx.Request:
        """Give a request that was never sent."""


ACCOUNT_HEADERS = frozenset({"authorization", "openai-organization", "openai-project"})
"""What no request may replace, in lower case."""


class ApiAddress:
    """Adds the connection's headers, among them the key; the renderer has pinned every URL to its origin.

    A header that the request has itself wins over the connection's, except those of the account.

    :param headers: headers of the connection.
    :param timeout: seconds for connecting and for each read and write; the total is the wire's.
    """

    def __init__(self, headers: Mapping[str, str], timeout: float) -> None:
        named = {name.lower(): value for name, value in headers.items()}
        self._account = {name: value for name, value in named.items() if name in ACCOUNT_HEADERS}
        self._headers = named | {"accept-encoding": "identity"}
        self._extensions = {
            "timeout": {"connect": min(CONNECT_SECONDS, timeout), "read": timeout, "write": timeout, "pool": timeout}
        }

    def __call__(self, request: RenderedRequest) -> httpx.Request:
        """Make the request of one attempt."""
        headers = self._headers | {name.lower(): value for name, value in request.headers} | self._account
        if request.content_type:
            headers["content-type"] = request.content_type
        content: bytes | MultipartStream | None
        if isinstance(request.content, MultipartBody):
            headers["content-length"] = str(request.content.length)
            content = MultipartStream(request.content)
        else:
            content = request.content
        return httpx.Request(request.method, request.url, headers=headers, content=content, extensions=self._extensions)
