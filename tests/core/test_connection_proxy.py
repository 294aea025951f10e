"""Which proxy a connection uses."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from airflow_provider_openai_dest.connection.proxy import proxy_url
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.exceptions import ConfigurationError

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def connection(base_url: str = "https://api.openai.com/v1", proxy: str | None = None) -> ConnectionSettings:
    """Make settings with the address and proxy in question."""
    return ConnectionSettings(
        api_key=SecretStr("sk-abcdefgh"),
        base_url=base_url,
        allow_http=True,
        proxy=None if proxy is None else SecretStr(proxy),
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("proxy.example:3128/", "http://proxy.example:3128"),
        ("HTTPS://Proxy.Example", "https://proxy.example"),
        ("http://ada:p%40ss@proxy.example:3128", "http://ada:p%40ss@proxy.example:3128"),
        ("http://ada:p@ss@proxy.example:3128", "http://ada:p@ss@proxy.example:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_the_connections_own_proxy_wins(typed: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the connection is used whatever the environment says."""
    monkeypatch.setenv("HTTPS_PROXY", "http://other.example:1")
    monkeypatch.setenv("NO_PROXY", "*")
    assert expected == proxy_url(connection(proxy=typed))


@pytest.mark.parametrize(
    ("environment", "base_url", "expected"),
    [
        ({}, "https://api.openai.com/v1", None),
        ({"HTTPS_PROXY": "http://p.example:1"}, "https://api.openai.com/v1", "http://p.example:1"),
        ({"https_proxy": "p.example:1"}, "https://api.openai.com/v1", "http://p.example:1"),
        ({"ALL_PROXY": "http://p.example:1"}, "https://api.openai.com/v1", "http://p.example:1"),
        ({"HTTP_PROXY": "http://p.example:1"}, "https://api.openai.com/v1", None),
        ({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": "openai.com"}, "https://api.openai.com/v1", None),
        ({"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": "*"}, "https://api.openai.com/v1", None),
        ({"HTTP_PROXY": "http://p.example:1", "ALL_PROXY": "http://p.example:1"}, "http://gw.example/v1", None),
        ({"HTTPS_PROXY": "http://p.example:1"}, "https://127.0.0.1:8443", None),
        ({"HTTPS_PROXY": "http://p.example:1"}, "https://localhost:8443", None),
    ],
)
def test_the_environments_proxy_is_for_https_alone(
    environment: dict[str, str], base_url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment tunnels https, and never reads a plain http request or one to this machine."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected == proxy_url(connection(base_url))


def test_a_proxy_that_cant_be_used_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy in the environment is a ConfigurationError that names the variable."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://ada:pr0xypass@p.example:1")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        proxy_url(connection())
    assert "SOCKS" in str(caught.value)
    assert "pr0xypass" not in str(caught.value)
