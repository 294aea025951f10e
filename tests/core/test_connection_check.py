"""The connection test: one free request, and a text that says which field is wrong."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from airflow_provider_openai_dest.connection.check import check_connection
from airflow_provider_openai_dest.connection.client import new_client
from airflow_provider_openai_dest.connection.diagnosis import FAILURES, REFUSALS
from airflow_provider_openai_dest.connection.settings import ConnectionSettings, read_settings

KEY = "sk-proj-abcdefghij0123456789"
SETTINGS = ConnectionSettings(api_key=SecretStr(KEY))
WITH_TOKENS = ConnectionSettings(auth="azure")
MODELS = {"object": "list", "data": [{"id": "gpt-5"}, {"id": "text-embedding-3-small"}]}


def check(
    answer: httpx.Response | Exception, settings: ConnectionSettings = SETTINGS, **options: Any
) -> tuple[bool, str]:
    """Test a connection whose server answers so."""

    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with new_client(settings, transport=httpx.MockTransport(respond)) as client:
        return check_connection(client, settings, **options)


def error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    """Make an error in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def caused_by(error: Exception, cause: Exception) -> Exception:
    """Chain an exception as httpx and httpcore do."""
    middle = RuntimeError("httpcore")
    middle.__cause__ = cause
    error.__cause__ = middle
    return error


def test_success_tells_what_the_key_sees() -> None:
    """The text has the number of models, the organization and the head-room, when the answer says so."""
    headers = {
        "openai-organization": "acme",
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-tokens": "199000",
    }
    works, text = check(httpx.Response(200, json=MODELS, headers=headers))
    assert works
    assert text == (
        "Connected to https://api.openai.com/v1: 2 models, organization acme, "
        "4999 of 5000 requests a minute left, 199000 of 200000 tokens a minute left"
    )


def test_success_without_headers_is_success() -> None:
    """Servers that speak the same API need not send OpenAI's headers."""
    works, text = check(httpx.Response(200, json={"data": [{"id": "llama"}]}))
    assert (works, text) == (True, "Connected to https://api.openai.com/v1: 1 model")


def test_it_asks_once_for_the_models() -> None:
    """The test is one GET that costs nothing."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(503)

    with new_client(SETTINGS, transport=httpx.MockTransport(respond)) as client:
        check_connection(client, SETTINGS)
    (request,) = seen
    assert (request.method, str(request.url)) == ("GET", "https://api.openai.com/v1/models")
    assert request.extensions["timeout"]["read"] == 10


REFUSED: list[tuple[int, dict[str, Any] | str, str]] = [
    (401, error(f"Incorrect API key provided: {KEY}.", "invalid_api_key"), "API key: it is refused"),
    (401, "", "API key: it is refused"),
    (
        401,
        error(
            "Attempted to access resource with incorrect regional hostname. Please make your request to "
            "us.api.openai.com",
            "incorrect_hostname",
        ),
        "Base URL: the project is at home in another region; give the host that the answer names",
    ),
    (
        401,
        error("Access denied due to invalid subscription key or wrong API endpoint.", "401"),
        "API key or Base URL: Azure",
    ),
    (401, error("No such organization: org-1.", "invalid_organization"), "Organization: "),
    (
        401,
        error("OpenAI-Organization header should match organization for API key", "mismatched_organization"),
        "Organization: ",
    ),
    (401, error("OpenAI-Project header should match project for API key", "mismatched_project"), "Project: "),
    (401, error("You must be a member of an organization to use the API"), "API key: its user"),
    (401, error("Your IP is not authorized", "ip_not_authorized"), "Network: "),
    (
        403,
        error(
            "You have insufficient permissions for this operation. Missing scopes: api.model.read. Check your project"
        ),
        "API key: it is valid, but restricted",
    ),
    (
        403,
        error("Country, region, or territory not supported", "unsupported_country_region_territory"),
        "Network: OpenAI does not serve",
    ),
    (403, error("Project proj_1 is archived"), "Project: it is archived"),
    (403, "<html>Forbidden</html>", "API key: it is known"),
    (404, error("Invalid URL (GET /models)"), "Base URL: nothing is there"),
    (405, "", "Base URL: nothing is there"),
    (400, "The plain HTTP request was sent to HTTPS port", "Base URL: the server does not understand"),
    (407, "", "Proxy: "),
    (
        429,
        error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        "Account: the API key is valid, but its quota",
    ),
    (429, error("Rate limit reached", "rate_limit_exceeded"), "Account: the API key is valid, but the account"),
    (301, "", "Base URL: it redirects"),
    (307, "", "Base URL: it redirects"),
    (500, error("The server had an error"), "Server: "),
    (502, "<html>Bad gateway</html>", "Server: "),
    (599, "", "Server: "),
    (600, "", "Base URL: the answer has an unknown status"),
]


@pytest.mark.parametrize(("status", "body", "expected"), REFUSED)
def test_a_refusal_names_the_field(status: int, body: dict[str, Any] | str, expected: str) -> None:
    """Status, code and message of a refusal lead to the field that is wrong."""
    answer = httpx.Response(status, json=body) if isinstance(body, dict) else httpx.Response(status, text=body)
    works, text = check(answer)
    assert not works
    assert text.startswith(expected)
    assert f"HTTP {status}" in text
    assert KEY not in text


def test_every_refusal_in_the_table_is_tried() -> None:
    """No row of the table is dead."""
    texts = [
        check(httpx.Response(s, **({"json": b} if isinstance(b, dict) else {"text": b})))[1] for s, b, _ in REFUSED
    ]
    texts.append(check(httpx.Response(401), WITH_TOKENS)[1])
    assert [row.meaning for row in REFUSALS if not any(text.startswith(row.meaning) for text in texts)] == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(200, html="<!doctype html><title>Log in</title>"), "HTML page"),
        (httpx.Response(200, text="<html>"), "HTML page"),
        (httpx.Response(200, text=""), "no JSON"),
        (httpx.Response(200, text="hello"), "no JSON"),
        (httpx.Response(200, content=b"\xff\xfe"), "no JSON"),
        (httpx.Response(200, text="[" * 100_000), "no JSON"),
        (httpx.Response(204), "no JSON"),
        (httpx.Response(200, json={"status": "ok"}), "no list of models"),
        (httpx.Response(200, json=[1]), "no list of models"),
        (httpx.Response(200, json={"data": "x"}), "no list of models"),
    ],
)
def test_what_is_no_api_is_told(answer: httpx.Response, expected: str) -> None:
    """A page or any other JSON under the base URL is no success."""
    works, text = check(answer)
    assert not works
    assert text.startswith("Base URL: what answers there is no OpenAI API")
    assert expected in text


FAILED: list[tuple[Exception, str]] = [
    (
        caused_by(httpx.ConnectError("x"), ssl.SSLCertVerificationError("unable to get local issuer certificate")),
        "CA bundle: ",
    ),
    (
        caused_by(
            httpx.ConnectError("x"), ssl.SSLCertVerificationError("Hostname mismatch, certificate is not valid for 'h'")
        ),
        "Base URL: the server's certificate is for another host name",
    ),
    (
        caused_by(httpx.ConnectError("x"), ssl.SSLError("[SSL: WRONG_VERSION_NUMBER]")),
        "Base URL: the server does not speak TLS",
    ),
    (caused_by(httpx.ConnectError("x"), ssl.SSLError("handshake failure")), "Base URL: no TLS connection"),
    (
        caused_by(httpx.ConnectError("x"), socket.gaierror(-2, "Name or service not known")),
        "Base URL or network: the host name",
    ),
    (
        caused_by(httpx.ConnectError("x"), ConnectionRefusedError(111, "refused")),
        "Base URL or network: nothing listens",
    ),
    (httpx.ConnectError("Network is unreachable"), "Base URL or network: no connection"),
    (httpx.ConnectTimeout("x"), "Network: no connection in time"),
    (httpx.ReadTimeout("x"), "Network: connected, but"),
    (httpx.ProxyError("407 Proxy Authentication Required"), "Proxy: it wants a user"),
    (httpx.ProxyError("502 Bad Gateway"), "Proxy: it refuses"),
    (httpx.RemoteProtocolError("illegal status line"), "Base URL: the server does not speak HTTP"),
    (
        httpx.RemoteProtocolError("peer closed connection without sending complete message body (received 1 byte)"),
        "Network: the connection was closed before",
    ),
    (
        caused_by(httpx.ReadError("x"), ConnectionResetError(104, "reset by peer")),
        "Network: the server, or something between",
    ),
    (httpx.DecodingError("Error -3 while decompressing"), "Base URL: the answer's compression"),
    (httpx.ReadError(f"connection reset, Bearer {KEY}"), "Network: the request failed"),
]


@pytest.mark.parametrize(("failure", "expected"), FAILED, ids=repr)
def test_a_failure_names_the_field(failure: Exception, expected: str) -> None:
    """Whatever keeps an answer away leads to the field that is wrong."""
    works, text = check(failure)
    assert not works
    assert text.startswith(expected)
    assert KEY not in text


def test_every_failure_in_the_table_is_tried() -> None:
    """No row of the table is dead."""
    texts = [check(failure)[1] for failure, _ in FAILED]
    assert [row.meaning for row in FAILURES if not any(text.startswith(row.meaning) for text in texts)] == []


@pytest.mark.parametrize(
    "message",
    [
        f"Incorrect API key provided: {KEY}",
        "Incorrect API key provided: sk-proj-ab**********6789.",
        f"Authorization: Bearer {KEY}",
        f"you sent\n{KEY}\x1b[31m",
        "x" * 290 + KEY,
        "https://user:hunter22@gw.example",
    ],
)
def test_what_the_server_says_is_shown_without_secrets(message: str) -> None:
    """The server's own message helps, but neither the key nor a part of it is repeated, nor a control character."""
    _, text = check(httpx.Response(401, json=error(message), headers={"openai-organization": KEY}))
    assert "it says: " in text
    for secret in (KEY, KEY[:14], KEY[-4:], "hunter22", "\n", "\x1b"):
        assert secret not in text


def test_only_an_error_in_openais_form_is_shown() -> None:
    """The body of any other server stays unread: the test must not become a way to look around."""
    for body in ("secret page", '{"detail": "secret page"}', '{"error": "secret page"}', '{"error": {"message": 5}}'):
        assert "secret page" not in check(httpx.Response(404, text=body))[1]


def test_a_key_in_a_header_is_not_repeated() -> None:
    """Headers of the answer are shown without secrets, too."""
    works, text = check(httpx.Response(200, json=MODELS, headers={"openai-organization": f"acme {KEY}"}))
    assert works
    assert KEY not in text


def test_half_a_key_is_a_key() -> None:
    """A key that has no shape of its own does not show where the message is cut, either."""
    settings = ConnectionSettings(api_key=SecretStr("unusual-k3y-form"))
    answer = httpx.Response(401, json=error("x" * 290 + "unusual-k3y-form"))
    with new_client(settings, transport=httpx.MockTransport(lambda _: answer)) as client:
        assert "unusual" not in check_connection(client, settings)[1]


def test_an_endless_answer_ends() -> None:
    """An answer without an end is read up to a size, and no further."""
    pieces = iter([b" " * 1_000_000] * 20)
    works, text = check(httpx.Response(200, content=pieces))
    assert not works
    assert "too long" in text
    assert len(list(pieces)) > 10


def test_an_answer_that_inflates_ends() -> None:
    """An answer that inflates is no success."""
    bomb = gzip.compress(b" " * 8_100_000)
    works, text = check(httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"}))
    assert not works
    assert "too long" in text


def test_a_trickling_answer_ends() -> None:
    """An answer that never ends is given up after ten seconds in all."""
    ticks = itertools.count(0, 4)

    def trickle() -> Iterator[bytes]:
        while True:
            yield b" "

    works, text = check(httpx.Response(200, content=trickle()), clock=lambda: float(next(ticks)))
    assert not works
    assert text.startswith("Network: connected, but no full answer in time")


class _Plain(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def plain_server() -> Iterator[int]:
    """Give the port of a server on this machine that speaks plain http."""
    with TCPServer(("127.0.0.1", 0), _Plain) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://127.0.0.1:{port}/v1", "API key: it is refused"),
        ("https://127.0.0.1:{port}/v1", "Base URL: the server does not speak TLS there"),
        ("http://127.0.0.1:1/v1", "Base URL or network: nothing listens"),
    ],
)
def test_real_failures_look_like_those_in_the_table(base_url: str, expected: str, plain_server: int) -> None:
    """The exceptions that a real connection raises are found as well."""
    settings = ConnectionSettings(api_key=SecretStr(KEY), base_url=base_url.format(port=plain_server))
    with new_client(settings) as client:
        works, text = check_connection(client, settings)
    assert not works
    assert text.startswith(expected)


@pytest.mark.parametrize(
    ("extra", "asked"),
    [
        ({}, "https://api.openai.com/v1/models"),
        ({"auth": "admin_key"}, "https://api.openai.com/v1/organization/projects"),
        ({"server": "azure"}, "https://r.openai.azure.com/openai/v1/models"),
        (
            {"server": "azure_classic", "api_version": "2024-10-21"},
            "https://r.openai.azure.com/openai/models?api-version=2024-10-21",
        ),
    ],
)
def test_each_server_is_asked_for_a_list_that_it_has(extra: dict[str, Any], asked: str) -> None:
    """An admin key may see projects only, and Azure's classic API wants its version."""
    host = "https://r.openai.azure.com" if "azure" in asked else ""
    settings = read_settings(conn_type="openai_dest", password=KEY, host=host, extra=extra)
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json=MODELS)

    with new_client(settings, transport=httpx.MockTransport(respond)) as client:
        assert check_connection(client, settings)[0]
    assert [asked] == seen


def test_the_wrong_region_is_told_with_the_right_host() -> None:
    """What the answer names is shown, and the hosts of all regions."""
    message = (
        "Attempted to access resource with incorrect regional hostname. Please make your request to us.api.openai.com"
    )
    works, text = check(httpx.Response(401, json=error(message, "incorrect_hostname")))
    assert not works
    assert "Please make your request to us.api.openai.com" in text
    assert "https://eu.api.openai.com/v1" in text


def test_a_refused_token_is_no_fault_of_the_password() -> None:
    """Where the connection has tokens, the text speaks of the identity that they are for."""
    works, text = check(httpx.Response(401, json=error("Unauthorized")), WITH_TOKENS)
    assert not works
    assert text.startswith("Authentication: the token is refused")
