"""How each authentication gets its token: what is asked, of whom, and what its faults say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.connection.settings import ConnectionSettings, read_settings
from airflow_provider_openai_dest.connection.token import UNKNOWN_LIFETIME, Token
from airflow_provider_openai_dest.connection.token_exchange import new_fetch
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError

SUBJECT = "eyJ-machine-token"
WORKLOAD = {
    "auth": "workload_identity",
    "identity_provider_id": "idp_1",
    "workload_account_id": "sa_1",
    "workload_identity_provider": "kubernetes",
}
GRANTED = {"access_token": "openai-token", "expires_in": 3600}


def settings(**extra: Any) -> ConnectionSettings:
    """Read a connection with this extra and no password."""
    return read_settings(conn_type="openai_dest", extra=extra)


class Net:
    """Stands in for the network: answers by host, and keeps what was asked."""

    def __init__(self, **answers: httpx.Response | Exception) -> None:
        self._answers = {"auth.openai.com": httpx.Response(200, json=GRANTED)} | {
            {"openai": "auth.openai.com", "imds": "169.254.169.254", "gcp": "metadata.google.internal"}[name]: answer
            for name, answer in answers.items()
        }
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer once."""
        self.asked.append(request)
        answer = self._answers[request.url.host]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fetch(self, given: ConnectionSettings) -> Token:
        """Fetch the token of a connection."""
        fetch = new_fetch(given, transport=httpx.MockTransport(self))
        assert fetch is not None
        return fetch()


@pytest.fixture
def subject_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(f"{SUBJECT}\n")
    return str(path)


def test_a_cluster_token_is_exchanged(subject_file: str) -> None:
    """The body is that of OpenAI's own client, and goes to the one address that the connection names."""
    net = Net()
    token = net.fetch(settings(**WORKLOAD, subject_file=subject_file))
    assert ("openai-token", 3600.0) == (token.value, token.expires_in)
    (asked,) = net.asked
    assert ("POST", "https://auth.openai.com/oauth/token") == (asked.method, str(asked.url))
    assert json.loads(asked.content) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": SUBJECT,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "identity_provider_id": "idp_1",
        "service_account_id": "sa_1",
    }


def test_an_azure_identity_is_exchanged() -> None:
    """The machine's metadata service is asked for it, with the identity that is named."""
    net = Net(imds=httpx.Response(200, json={"access_token": SUBJECT, "expires_in": "86399"}))
    net.fetch(settings(**WORKLOAD | {"workload_identity_provider": "azure"}, client_id="c-1"))
    imds, exchange = net.asked
    assert {"api-version": "2018-02-01", "resource": "https://management.azure.com/", "client_id": "c-1"} == dict(
        imds.url.params
    )
    assert imds.headers["Metadata"] == "true"
    assert SUBJECT == json.loads(exchange.content)["subject_token"]


def test_a_gcp_identity_is_exchanged() -> None:
    """It is an ID token, and its audience is OpenAI unless another one is named."""
    net = Net(gcp=httpx.Response(200, text=f"{SUBJECT}\n"))
    net.fetch(settings(**WORKLOAD | {"workload_identity_provider": "gcp"}))
    metadata, exchange = net.asked
    assert {"audience": "https://api.openai.com/v1"} == dict(metadata.url.params)
    assert metadata.headers["Metadata-Flavor"] == "Google"
    body = json.loads(exchange.content)
    assert (SUBJECT, "urn:ietf:params:oauth:token-type:id_token") == (body["subject_token"], body["subject_token_type"])


def test_a_subject_of_ones_own_is_exchanged() -> None:
    """A function on the workers gives it, and the connection says of what type it is."""
    net = Net()
    custom = {"workload_identity_provider": "custom", "subject_callable": "os.getcwd", "subject_type": "id"}
    net.fetch(settings(**WORKLOAD | custom))
    body = json.loads(net.asked[0].content)
    assert str(Path.cwd()) == body["subject_token"]
    assert "urn:ietf:params:oauth:token-type:id_token" == body["subject_token_type"]


def test_the_official_providers_names_are_read(subject_file: str) -> None:
    """A connection that works with the official provider works here as it is."""
    given = {
        "auth_type": "workload_identity",
        "identity_provider_id": "idp_1",
        "service_account_id": "sa_1",
        "workload_identity_provider": "kubernetes",
        "token_file_path": subject_file,
        "refresh_buffer_seconds": 60,
    }
    read = read_settings(conn_type="openai", extra=given)
    assert ("workload_identity", "sa_1", 60.0) == (read.auth, read.workload_account_id, read.refresh_buffer_seconds)
    assert "openai-token" == Net().fetch(read).value


def test_an_entra_token_comes_of_the_managed_identity() -> None:
    """For Azure OpenAI itself nothing is exchanged: the token is for its own resource."""
    net = Net(imds=httpx.Response(200, json={"access_token": "entra-token", "expires_in": "3599"}))
    token = net.fetch(settings(auth="azure", server="azure"))
    assert ("entra-token", 3599.0) == (token.value, token.expires_in)
    assert "https://cognitiveservices.azure.com/" == net.asked[0].url.params["resource"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_stays_one(status: int, subject_file: str) -> None:
    """It names the reason that OAuth gives, and not the token that was sent."""
    body = {"error": "invalid_grant", "error_description": f"the token {SUBJECT} is not for us"}
    with pytest.raises(ConfigurationError, match="invalid_grant") as caught:
        Net(openai=httpx.Response(status, json=body)).fetch(settings(**WORKLOAD, subject_file=subject_file))
    assert SUBJECT not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://evil.example/"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"expires_in": 3600}),
        httpx.Response(200, json={"access_token": "", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "two\nlines", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "t", "expires_in": None}),
        httpx.Response(200, json={"access_token": "t"}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "nan"}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "inf"}),
        httpx.Response(200, json={"access_token": "t", "expires_in": 0}),
        httpx.Response(200, json={"access_token": "t", "expires_in": -5}),
        httpx.Response(200, json={"access_token": " t", "expires_in": 3600}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
    ],
)
def test_what_is_no_token_may_be_one_later(answer: httpx.Response | Exception, subject_file: str) -> None:
    """Redirects are not followed, broken answers are not believed; the next try may be better."""
    net = Net(openai=answer)
    with pytest.raises(TransientError, match="token exchange"):
        net.fetch(settings(**WORKLOAD, subject_file=subject_file))
    assert len(net.asked) == 1


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_cluster_token_is_told(content: str | None, tmp_path: Path) -> None:
    """The file is named, and its field."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="subject_file") as caught:
        Net().fetch(settings(**WORKLOAD, subject_file=str(path)))
    assert str(path) in str(caught.value)


async def _later() -> str:
    return "async-token"


@pytest.mark.parametrize(
    ("function", "value"),
    [(lambda: "plain-token", "plain-token"), (_later, "async-token"), (lambda: SimpleNamespace(token="t"), "t")],
)
def test_a_function_gives_a_token(function: Callable[[], Any], value: str) -> None:
    """Plain or asynchronous, a text or an object; of unknown life it is asked again soon."""
    fetch = new_fetch(settings(server="ollama"), function)
    assert fetch is not None
    assert Token(value=value, expires_in=UNKNOWN_LIFETIME) == fetch()


def test_a_function_may_say_how_long_a_token_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of azure-identity: the end in Unix seconds."""
    monkeypatch.setattr("time.time", lambda: 1000.0)
    fetch = new_fetch(settings(server="ollama"), lambda: SimpleNamespace(token="t", expires_on=1600))
    assert fetch is not None
    assert 600.0 == fetch().expires_in


@pytest.mark.parametrize("given", [None, "", 5, "two\nlines", " blank "])
def test_what_a_function_gives_must_be_a_token(given: Any) -> None:
    """Anything else is a fault of the connection and not of the moment."""
    fetch = new_fetch(settings(server="ollama"), lambda: given)
    assert fetch is not None
    with pytest.raises(ConfigurationError, match="token function"):
        fetch()


def test_what_a_function_raises_is_told_by_its_type() -> None:
    """Its words may hold a secret."""

    def broken() -> str:
        raise RuntimeError(SUBJECT)

    fetch = new_fetch(settings(server="ollama"), broken)
    assert fetch is not None
    with pytest.raises(TransientError, match="RuntimeError") as caught:
        fetch()
    assert SUBJECT not in str(caught.value)


@pytest.mark.parametrize("path", ["no_such_package.token", "json.no_such_function", "json.decoder"])
def test_a_dotted_path_must_lead_to_a_function(path: str) -> None:
    """The field and the path are named."""
    fetch = new_fetch(settings(auth="token_callable", auth_callable=path))
    assert fetch is not None
    with pytest.raises(ConfigurationError, match="auth_callable"):
        fetch()


def test_a_dotted_path_is_called() -> None:
    """``token_callable`` names it as well."""
    fetch = new_fetch(settings(auth="token_callable", token_callable="os.getcwd"))
    assert fetch is not None
    assert str(Path.cwd()) == fetch().value


def test_a_key_needs_no_fetch() -> None:
    """A static key has no source of tokens at all."""
    assert new_fetch(read_settings(conn_type="openai_dest", password="sk-abcdefgh")) is None
