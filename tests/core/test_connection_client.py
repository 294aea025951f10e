"""The clients of a connection: which headers they send, and to whom."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from airflow_provider_openai_dest import __version__
from airflow_provider_openai_dest.connection.client import (
    OriginPinnedAuth,
    new_async_client,
    new_client,
    request_headers,
    ssl_context,
)
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.exceptions import ConfigurationError

KEY = "sk-proj-abcdefghij0123456789"
SETTINGS = ConnectionSettings(
    api_key=SecretStr(KEY),
    organization="org-1",
    project="proj_1",
    default_headers={"X-Team": "search", "user-agent": "mine/1", "Accept": "application/json"},
)


class Recorder:
    """Answers every request alike and keeps it."""

    def __init__(self, answer: httpx.Response | None = None) -> None:
        self.answer = answer or httpx.Response(200, json={})
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Keep the request and answer it."""
        self.seen.append(request)
        return self.answer

    @property
    def transport(self) -> httpx.MockTransport:
        """Give what stands in for the network."""
        return httpx.MockTransport(self)


def test_every_request_carries_key_organization_and_project() -> None:
    """The headers of a request say who sends it and who pays."""
    assert request_headers(ConnectionSettings(api_key=SecretStr(KEY))) == {
        "User-Agent": f"airflow-provider-openai-dest/{__version__}",
        "Authorization": f"Bearer {KEY}",
    }
    assert request_headers(SETTINGS) == {
        "User-Agent": "mine/1",
        "X-Team": "search",
        "Accept": "application/json",
        "Authorization": f"Bearer {KEY}",
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj_1",
    }


def test_the_client_sends_those_headers_below_the_base_url() -> None:
    """What a client sends is what request_headers says."""
    recorder = Recorder()
    with new_client(SETTINGS, transport=recorder.transport) as client:
        client.get("/models")
    (request,) = recorder.seen
    assert str(request.url) == "https://api.openai.com/v1/models"
    assert request_headers(SETTINGS) == {name: request.headers[name] for name in request_headers(SETTINGS)}


def test_the_asynchronous_client_does_the_same() -> None:
    """The asynchronous client is pinned and sends the same headers."""
    recorder = Recorder()

    async def send() -> None:
        async with new_async_client(SETTINGS, transport=recorder.transport) as client:
            await client.get("/models")
            with pytest.raises(ConfigurationError):
                await client.get("https://evil.example/")

    asyncio.run(send())
    (request,) = recorder.seen
    assert request_headers(SETTINGS) == {name: request.headers[name] for name in request_headers(SETTINGS)}


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.get("https://evil.example/x"),
        lambda client: client.get("http://api.openai.com/v1/x"),
        lambda client: client.get("https://api.openai.com:8443/v1/x"),
        lambda client: client.get("https://user:pw@api.openai.com/v1/x"),
        lambda client: client.get("/x", headers={"Host": "evil.example"}),
        lambda client: client.send(client.build_request("GET", "/x", headers={"Host": "evil.example"})),
        lambda client: client.send(httpx.Request("GET", "https://evil.example/x")),
    ],
)
def test_no_request_leaves_for_another_origin(send: Callable[[httpx.Client], object]) -> None:
    """Another scheme, host, port, login or Host header stops the request, and the message shows no key."""
    recorder = Recorder()
    with new_client(SETTINGS, transport=recorder.transport) as client, pytest.raises(ConfigurationError) as caught:
        send(client)
    assert recorder.seen == []
    assert KEY not in str(caught.value)


def test_without_the_pin_a_client_has_no_secret_to_send() -> None:
    """Who turns the authentication off sends no key, no organization and no header of the connection."""
    recorder = Recorder()
    with new_client(SETTINGS, transport=recorder.transport) as client:
        client.get("https://evil.example/x", auth=None)
    (request,) = recorder.seen
    assert not {"authorization", "openai-organization", "openai-project", "x-team"} & set(request.headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    """A redirect is an answer like any other."""
    recorder = Recorder(httpx.Response(status, headers={"Location": "https://evil.example/x"}))
    with new_client(SETTINGS, transport=recorder.transport) as client:
        assert client.post("/embeddings", json={}).status_code == status
    assert len(recorder.seen) == 1


def test_a_requests_own_header_stays_but_not_its_key() -> None:
    """A request may replace a header of the connection, except those of the account."""
    recorder = Recorder()
    with new_client(SETTINGS, transport=recorder.transport) as client:
        client.get("/x", headers={"X-Team": "other", "Authorization": "Bearer mine", "OpenAI-Project": "proj_2"})
    (request,) = recorder.seen
    assert request.headers["X-Team"] == "other"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["OpenAI-Project"] == "proj_1"


def test_a_port_that_is_the_default_is_no_other_origin() -> None:
    """The pin compares what a URL means, not how it is spelt."""
    auth = OriginPinnedAuth(SETTINGS)
    for url in ("https://api.openai.com:443/v1/x", "HTTPS://API.OPENAI.COM/x"):
        (request,) = auth.auth_flow(httpx.Request("GET", url))
        assert request.headers["Authorization"] == f"Bearer {KEY}"


def test_the_timeouts_are_the_connections() -> None:
    """Connecting takes five seconds at most, the rest what the connection says."""
    for timeout, connect in ((600, 5), (2, 2)):
        with new_client(ConnectionSettings(api_key=SecretStr(KEY), timeout=timeout)) as client:
            assert client.timeout == httpx.Timeout(timeout, connect=connect)


def test_the_environment_has_no_say_in_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A .netrc on the worker changes nothing."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine api.openai.com login evil password evil")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    recorder = Recorder()
    with new_client(SETTINGS, transport=recorder.transport) as client:
        assert client.trust_env is False
        client.get("/models")
    assert recorder.seen[0].headers["Authorization"] == f"Bearer {KEY}"


def test_certificates_are_always_checked() -> None:
    """The TLS context demands a certificate for the host's name."""
    context = ssl_context(SETTINGS)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_bundle_that_cant_be_read_is_told(content: str | None, tmp_path: Path) -> None:
    """A missing or broken bundle is a ConfigurationError that names the field and the file."""
    path = tmp_path / "corp.pem"
    if content is not None:
        path.write_text(content)
    settings = ConnectionSettings(api_key=SecretStr(KEY), ca_bundle=str(path))
    with pytest.raises(ConfigurationError, match=r"CA bundle \(extra ca_bundle\) '.*corp\.pem'"):
        ssl_context(settings)


def test_a_ca_bundle_is_trusted_instead_of_the_public_ones(tmp_path: Path) -> None:
    """Only the connection's own CAs are trusted when it names some."""
    public = ssl_context(SETTINGS).get_ca_certs(binary_form=True)
    path = tmp_path / "corp.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(public[0]))
    settings = ConnectionSettings(api_key=SecretStr(KEY), ca_bundle=str(path))
    assert ssl_context(settings).get_ca_certs(binary_form=True) == public[:1]
