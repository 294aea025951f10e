"""The HTTP clients of a connection: the key goes to its origin and nowhere else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Generator

import httpx

from airflow_provider_openai_dest import __version__
from airflow_provider_openai_dest.connection.origin import DEFAULT_PORTS, Origin, split_url
from airflow_provider_openai_dest.connection.proxy import proxy_url
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.tls import new_ssl_context
from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.exceptions import ConfigurationError

CONNECT_TIMEOUT = 5.0  # seconds, as the official SDK has it
USER_AGENT = f"airflow-provider-openai-dest/{__version__}"

# Headers that say nothing of the account; a client has them as defaults, so that the connection's own win over httpx's.
_PUBLIC = frozenset({"accept", "user-agent"})
_ACCOUNT = ("OpenAI-Organization", "OpenAI-Project")


def request_headers(settings: ConnectionSettings) -> dict[str, str]:
    """Give the headers that every request of a connection carries, the key included, but no token that expires.

    For whoever sends without httpx: check the origin of the final URL first (:meth:`OriginPinnedAuth.check`).
    """
    ours = {
        **_key_header(settings),
        "OpenAI-Organization": settings.organization,
        "OpenAI-Project": settings.project,
    }
    return {
        "User-Agent": USER_AGENT,
        **{_canonical(name): value for name, value in settings.default_headers.items()},
        **{name: value for name, value in ours.items() if value is not None},
    }


def account_headers(settings: ConnectionSettings) -> tuple[str, ...]:
    """Give the names of the headers of the account, which no request can replace."""
    return (settings.credential_header, *_ACCOUNT)


def _key_header(settings: ConnectionSettings) -> dict[str, str]:
    if settings.api_key is None or settings.auth == "none" or settings.mode.has_token:
        return {}
    return settings.credential(settings.api_key.get_secret_value())


class OriginPinnedAuth(httpx.Auth):
    """Put the secret headers on a request, if and only if it goes to the connection's scheme, host and port.

    Any other request raises :class:`ConfigurationError` before it is sent. A header that the request has itself
    stays as it is, except the key, the organization and the project. A request that is answered with 401 is sent again
    with a new token, once, where there are tokens.

    :param tokens: gives the token where it expires.
    """

    def __init__(self, settings: ConnectionSettings, tokens: TokenSource | None = None) -> None:
        headers = request_headers(settings)
        self._tokens = tokens
        self._credential = settings.credential
        self._origin = split_url(settings.base_url).origin
        self._account = {name: headers.pop(name) for name in account_headers(settings) if name in headers}
        self._unless_given = {name: value for name, value in headers.items() if name.lower() not in _PUBLIC}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Check where the final request goes, then add the headers."""
        self.check(request)
        for name, value in self._unless_given.items():
            request.headers.setdefault(name, value)
        request.headers.update(self._account)
        if self._tokens is None:
            yield request
            return
        token = self._tokens.current() or self._tokens.renewed()
        request.headers.update(self._credential(token))
        if (yield request).status_code == httpx.codes.UNAUTHORIZED:
            following = self._tokens.renewed(token)
            if following != token:
                request.headers.update(self._credential(following))
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do the same for an asynchronous client, with what blocks in a thread."""
        flow = self.auth_flow(request)
        following: httpx.Request | None = await asyncio.to_thread(next, flow)
        while following is not None:
            response = yield following
            following = await asyncio.to_thread(_sent, flow, response)

    def check(self, request: httpx.Request) -> None:
        """Raise :class:`ConfigurationError` unless the request goes to the connection's origin, in URL and Host."""
        url = request.url
        goes_to = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or DEFAULT_PORTS.get(url.scheme, 0))
        if goes_to != self._origin or url.userinfo:
            raise ConfigurationError(
                f"A request to {goes_to} was stopped: the key of this connection is for {self._origin} only"
            )
        if request.headers.get("Host") != self._origin.netloc:
            raise ConfigurationError(
                f"A request with another Host header was stopped: the key of this connection is for {self._origin} only"
            )


def _sent(flow: Generator[httpx.Request, httpx.Response, None], response: httpx.Response) -> httpx.Request | None:
    try:
        return flow.send(response)
    except StopIteration:
        return None


def ssl_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """Make the TLS context of a connection; certificates are always checked."""
    return new_ssl_context(settings.ca_bundle)


def new_client(
    settings: ConnectionSettings,
    *,
    tokens: TokenSource | None = None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """Make a client for one connection; close it, or use it in a ``with``.

    Redirects are not followed. httpx reads nothing from the environment by itself (``trust_env`` off: a ``.netrc``
    has no say, and no proxy gets a plain http request); :func:`~.proxy.proxy_url` and
    :func:`~.tls.new_ssl_context` say which variables are obeyed. ``settings.timeout`` bounds each read here;
    the total time of a request is the caller's to keep.

    :param tokens: gives the token where the connection's expires.
    :param transport: what stands in for the network, in tests.
    """
    return httpx.Client(
        base_url=settings.base_url,
        auth=OriginPinnedAuth(settings, tokens),
        headers=_public_headers(settings),
        timeout=_timeout(settings),
        follow_redirects=False,
        trust_env=False,
        transport=transport
        or httpx.HTTPTransport(verify=ssl_context(settings), proxy=proxy_url(settings), trust_env=False),
    )


def new_async_client(
    settings: ConnectionSettings,
    *,
    tokens: TokenSource | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Make an asynchronous client for one connection, as :func:`new_client` does."""
    return httpx.AsyncClient(
        base_url=settings.base_url,
        auth=OriginPinnedAuth(settings, tokens),
        headers=_public_headers(settings),
        timeout=_timeout(settings),
        follow_redirects=False,
        trust_env=False,
        transport=transport
        or httpx.AsyncHTTPTransport(verify=ssl_context(settings), proxy=proxy_url(settings), trust_env=False),
    )


def _public_headers(settings: ConnectionSettings) -> dict[str, str]:
    return {name: value for name, value in request_headers(settings).items() if name.lower() in _PUBLIC}


def _timeout(settings: ConnectionSettings) -> httpx.Timeout:
    return httpx.Timeout(settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout))


def _canonical(name: str) -> str:
    """Spell User-Agent as we do, so that a connection's own replaces ours."""
    return "User-Agent" if name.lower() == "user-agent" else name
