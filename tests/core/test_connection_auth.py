"""What a connection says of server and authentication, and what its clients send for it."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from airflow_provider_openai_dest.connection.auth_fields import AUTH_MODES
from airflow_provider_openai_dest.connection.client import new_async_client, new_client, request_headers
from airflow_provider_openai_dest.connection.servers import RESIDENCY_HOSTS, SERVERS
from airflow_provider_openai_dest.connection.settings import ConnectionSettings, read_settings
from airflow_provider_openai_dest.connection.token import Token, TokenSource
from airflow_provider_openai_dest.exceptions import ConfigurationError

KEY = "sk-proj-abcdefghij0123456789"
AZURE = "https://r.openai.azure.com"
WORKLOAD = {
    "auth": "workload_identity",
    "identity_provider_id": "idp_1",
    "workload_account_id": "sa_1",
    "workload_identity_provider": "kubernetes",
}


def read(*, password: str | None = KEY, host: str | None = None, **extra: Any) -> ConnectionSettings:
    """Read a connection with this extra."""
    return read_settings(conn_type="openai_dest", password=password, host=host, extra=extra)


def faults(*, password: str | None = KEY, host: str | None = None, **extra: Any) -> tuple[str, ...]:
    """Give the faults of a connection that must have some."""
    with pytest.raises(ConfigurationError) as caught:
        read(password=password, host=host, **extra)
    return caught.value.faults


@pytest.mark.parametrize(
    ("server", "password", "expected"),
    [
        (None, KEY, "api_key"),
        ("openai", KEY, "api_key"),
        ("azure", KEY, "azure_api_key"),
        ("azure_classic", KEY, "azure_api_key"),
        *((name, KEY, "api_key") for name in ("litellm", "vllm", "ollama", "infinity", "other")),
        *((name, None, "none") for name in ("litellm", "vllm", "ollama", "infinity", "other")),
    ],
)
def test_the_server_says_how_its_key_is_sent(server: str | None, password: str | None, expected: str) -> None:
    """Where the connection does not say; and a local server needs no key."""
    assert expected == read(password=password, server=server, api_version="2024-10-21").auth


def test_what_is_given_wins_over_the_servers_default() -> None:
    """Azure takes an Entra token as a key, too."""
    assert {"Authorization": f"Bearer {KEY}"} == read(server="azure", auth="api_key").credential(KEY)


@pytest.mark.parametrize(
    ("extra", "header", "value"),
    [
        ({}, "Authorization", f"Bearer {KEY}"),
        ({"auth": "admin_key"}, "Authorization", f"Bearer {KEY}"),
        ({"server": "azure"}, "api-key", KEY),
        ({"key_header": "X-Api-Key"}, "X-Api-Key", KEY),
        ({"server": "azure", "key_header": "authorization"}, "authorization", f"Bearer {KEY}"),
    ],
)
def test_the_key_stands_in_one_header(extra: dict[str, Any], header: str, value: str) -> None:
    """In that of the authentication, or in the one that the connection names."""
    headers = request_headers(read(**extra))
    assert value == headers.pop(header)
    assert {"User-Agent"} == headers.keys()


@pytest.mark.parametrize("extra", [{"auth": "none"}, {"auth": "azure"}, WORKLOAD])
def test_no_key_is_sent_where_none_is_wanted(extra: dict[str, Any]) -> None:
    """A password that was left in the form does not leave the machine."""
    assert not any(KEY in value for value in request_headers(read(**extra)).values())


@pytest.mark.parametrize(
    ("extra", "missing"),
    [
        ({}, ["API key (password)"]),
        ({"server": "azure"}, ["API key (password)"]),
        ({"auth": "admin_key"}, ["API key (password)"]),
        ({"auth": "token_callable"}, ["Token function (extra auth_callable)"]),
        (
            {"auth": "workload_identity"},
            [
                "Identity provider (extra identity_provider_id)",
                "Workload account (extra workload_account_id)",
                "Workload identity (extra workload_identity_provider)",
            ],
        ),
        (WORKLOAD | {"workload_identity_provider": "custom"}, ["Subject function (extra subject_callable)"]),
        ({"server": "azure_classic", "auth": "azure"}, ["API version (extra api_version)"]),
    ],
)
def test_all_that_is_missing_is_told(extra: dict[str, Any], missing: list[str]) -> None:
    """Each authentication says which fields it needs, all at once."""
    found = faults(password=None, **extra)
    assert missing == [fault.partition(" is missing")[0] for fault in found]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"auth": "kerberos"}, "Authentication (extra auth) is 'kerberos'; it must be one of api_key"),
        ({"server": "bedrock"}, "Server (extra server) is 'bedrock'; it must be one of openai"),
        ({"key_header": "X Key"}, "Header of the key (extra key_header) is no header name"),
        ({"key_header": "Host"}, "Header of the key (extra key_header) can't be set here"),
        ({"deployment": "../x"}, "Deployment (extra deployment) may have"),
        ({"api_version": "1&x=2"}, "API version (extra api_version) may have"),
        ({"auth_callable": "token"}, "Token function (extra auth_callable) is no dotted path"),
        ({"capabilities": {"base46": True}}, "Capabilities (extra capabilities) has the unknown name 'base46'"),
        ({"capabilities": {"base64": "perhaps"}}, "Capabilities (extra capabilities) must be a JSON object"),
        ({"capabilities": "{base64"}, "Capabilities (extra capabilities) is no JSON"),
        ({"exchange_url": "http://auth.example/token"}, "Exchange URL (extra exchange_url) is plain http"),
        ({"exchange_url": "/token"}, "Exchange URL (extra exchange_url) is no complete URL"),
        ({"refresh_buffer_seconds": 0}, "Refresh before, seconds (extra refresh_buffer_seconds)"),
        ({"server": "azure", "default_headers": {"Api-Key": "x"}}, "Headers (extra default_headers) can't be sent"),
    ],
)
def test_a_wrong_value_is_told(extra: dict[str, Any], said: str) -> None:
    """By the field of the form, and what belongs in it."""
    (fault,) = faults(**extra)
    assert fault.startswith(said)


@pytest.mark.parametrize(
    ("server", "host", "base_url"),
    [
        ("azure", AZURE, f"{AZURE}/openai/v1"),
        ("azure", f"{AZURE}/openai/v1/", f"{AZURE}/openai/v1"),
        ("azure_classic", AZURE, f"{AZURE}/openai"),
        ("azure_classic", f"{AZURE}/gateway/openai", f"{AZURE}/gateway/openai"),
        ("vllm", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        *(("openai", f"https://{host}", f"https://{host}/v1") for host in RESIDENCY_HOSTS.values()),
    ],
)
def test_the_base_url_may_be_the_host_alone(server: str, host: str, base_url: str) -> None:
    """Where the kind of server has one path, it is added."""
    assert base_url == read(server=server, host=host, api_version="2024-10-21").base_url


def test_capabilities_are_the_servers_but_for_what_is_said() -> None:
    """As an object or as its JSON text."""
    assert not read(server="ollama").can.base64
    for given in ({"base64": True, "images": False}, '{"base64": true, "images": false}'):
        can = read(server="ollama", capabilities=given).can
        assert (True, False, True) == (can.base64, can.images, can.embeddings)


def test_settings_made_by_hand_are_held_to_the_same() -> None:
    """A key is needed as ever, and the settings pickle."""
    with pytest.raises(ValidationError, match="api_key"):
        ConnectionSettings()
    made = ConnectionSettings(server="azure", api_key=SecretStr(KEY), base_url=AZURE)
    assert "azure_api_key" == made.auth
    assert made == pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
    assert KEY not in repr(made)


def test_every_authentication_has_a_default_or_a_reader() -> None:
    """What a mode needs is a setting."""
    for mode in AUTH_MODES.values():
        assert set(mode.needs) <= ConnectionSettings.model_fields.keys()
    assert set(SERVERS) >= {"openai", "azure", "azure_classic", "litellm", "vllm", "ollama", "infinity", "other"}


class Api:
    """Takes one token, and keeps what it was sent."""

    def __init__(self, good: str) -> None:
        self.good = good
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer 200 or 401."""
        self.seen.append(request.headers["authorization"])
        return httpx.Response(200 if self.good in self.seen[-1] else 401, content=json.dumps({}))


def issued() -> TokenSource:
    """Give a source of token-1, token-2 and so on."""
    names = iter(range(1, 100))
    return TokenSource(lambda: Token(value=f"token-{next(names)}", expires_in=3600))


@pytest.mark.parametrize(
    ("good", "seen", "status"),
    [
        ("token-1", ["Bearer token-1"], 200),
        ("token-2", ["Bearer token-1", "Bearer token-2"], 200),
        ("token-3", ["Bearer token-1", "Bearer token-2"], 401),
    ],
)
def test_the_clients_renew_a_refused_token_once(good: str, seen: list[str], status: int) -> None:
    """Both of them, and for a task's own requests as well."""
    settings = read(**WORKLOAD)
    api = Api(good)
    with new_client(settings, tokens=issued(), transport=httpx.MockTransport(api)) as client:
        assert status == client.get("/models").status_code
    assert seen == api.seen

    async def ask(transport: httpx.MockTransport) -> int:
        async with new_async_client(settings, tokens=issued(), transport=transport) as client:
            return (await client.get("/models")).status_code

    again = Api(good)
    assert status == asyncio.run(ask(httpx.MockTransport(again)))
    assert seen == again.seen


def test_a_token_is_pinned_to_the_origin_as_a_key_is() -> None:
    """Nothing is fetched for a request that must not leave."""
    source = issued()
    with (
        new_client(read(**WORKLOAD), tokens=source, transport=httpx.MockTransport(Api("token"))) as client,
        pytest.raises(ConfigurationError, match="stopped"),
    ):
        client.get("https://evil.example/v1/models")
    assert source.current() is None
