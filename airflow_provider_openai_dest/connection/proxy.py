"""Proxy: which one the requests of a connection go through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

from airflow_provider_openai_dest.connection.origin import is_loopback, split_url
from airflow_provider_openai_dest.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings

_PROXY = re.compile(r"(?:(https?)://)?(?:([\x21-\x7e]*)@)?([^@/?#\s]+)/?", re.IGNORECASE)


def read_proxy_url(text: str) -> str:
    """Give a proxy's URL with its scheme; raises ``ValueError`` without any part of it, as it may hold a password."""
    named, has_scheme, _ = text.strip().partition("://")
    if has_scheme and named.lower() not in ("http", "https"):
        raise ValueError("has a scheme that is not supported, as SOCKS is not; write http:// or https://")
    match = _PROXY.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "is no proxy URL; write http://proxy.example:3128, "
            "with user and password percent-encoded before an '@' if it wants them"
        )
    scheme, credentials, address = match.groups()
    if credentials and re.search(r"[/?#\\]", credentials):
        raise ValueError("has a '/', '?', '#' or backslash in its user or password; percent-encode it")
    origin = split_url(f"{(scheme or 'http').lower()}://{address}").origin
    login = f"{credentials}@" if credentials else ""
    return f"{origin.scheme}://{login}{origin.netloc}"


def proxy_secrets(url: str) -> tuple[str, ...]:
    """Give what is secret in a proxy's URL: user and password, and the password alone, as typed and decoded."""
    credentials, at, _ = url.partition("://")[2].rpartition("@")
    if not at:
        return ()
    password = credentials.partition(":")[2]
    return tuple(secret for secret in (url, credentials, password, unquote(password)) if secret)


def proxy_url(settings: ConnectionSettings, url: str | None = None) -> str | None:
    """Give the proxy to use: the connection's own, else the environment's, else none.

    ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are obeyed for https, where a proxy sees only a tunnel. They are not
    for plain http, where it would read the key, and not for this machine itself.

    :param url: where the request goes, when not to the connection's base URL.
    """
    if settings.proxy is not None:
        return settings.proxy.get_secret_value()
    origin = split_url(url or settings.base_url).origin
    if origin.scheme != "https" or is_loopback(origin.host):
        return None
    proxies = getproxies_environment()
    found = proxies.get("https") or proxies.get("all")
    if not found or proxy_bypass(origin.netloc):
        return None
    try:
        return read_proxy_url(found)
    except ValueError as fault:
        raise ConfigurationError(f"The environment variable HTTPS_PROXY or ALL_PROXY {fault}") from None
