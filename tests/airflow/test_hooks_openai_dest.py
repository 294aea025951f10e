"""OpenAIDestHook: an Airflow connection as settings and as clients."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
from airflow_provider_openai_dest.sandbox import running_sandbox

KEY = "sk-proj-abcdefghij0123456789"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that makes a connection of the id ``openai_dest_default`` and its hook."""

    def make(**fields: Any) -> OpenAIDestHook:
        value = json.dumps({"conn_type": "openai_dest", "password": KEY} | fields)
        monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEST_DEFAULT", value)
        return OpenAIDestHook()

    return make


class _Models(BaseHTTPRequestHandler):
    """Answers with the models, or with an error that repeats the key."""

    def do_GET(self) -> None:
        authorization = self.headers["Authorization"]
        is_known = authorization == f"Bearer {KEY}"
        error = {"message": f"Incorrect API key provided: {authorization}", "code": "invalid_api_key"}
        body = json.dumps({"data": [{"id": "gpt-5"}]} if is_known else {"error": error}).encode()
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def base_url() -> Iterator[str]:
    """Give the address of a server on this machine that knows the key."""
    with TCPServer(("127.0.0.1", 0), _Models) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def test_making_a_hook_reads_nothing() -> None:
    """A hook is made while a Dag file is parsed, so it asks for no connection."""
    hook = OpenAIDestHook(**{OpenAIDestHook.conn_name_attr: "nowhere"})
    assert hook.conn_id == "nowhere"
    assert OpenAIDestHook().conn_id == "openai_dest_default"


def test_settings_are_the_connections(connect: Any) -> None:
    """The hook gives what the connection says, and reads it once."""
    hook = connect(host="https://gw.example/v1", extra={"rpm": 60, "organization": "org-1"})
    assert hook.settings.base_url == "https://gw.example/v1"
    assert hook.settings.requests_per_minute == 60
    assert hook.settings.organization == "org-1"
    assert hook.settings is hook.settings


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"openai-dest://:{KEY}@/?rpm=60&timeout=30", "https://api.openai.com/v1"),
        (f"openai-dest://:{KEY}@gw.example:8443/https?rpm=60&timeout=30", "https://gw.example:8443"),
        (f"openai-dest://https://:{KEY}@gw.example:8443/v1?rpm=60&timeout=30", "https://gw.example:8443/v1"),
        (f"openai-dest://:{KEY}@https%3A%2F%2Fgw.example%2Fv1/?rpm=60&timeout=30", "https://gw.example/v1"),
        (
            f"openai-dest://:{KEY}@/?__extra__=%7B%22rpm%22%3A60%2C%22timeout%22%3A%2230%22%7D",
            "https://api.openai.com/v1",
        ),
    ],
)
def test_a_connection_may_be_a_uri(uri: str, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All forms of Airflow's connection URI are read."""
    monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEST_DEFAULT", uri)
    settings = OpenAIDestHook().settings
    assert (settings.base_url, settings.requests_per_minute, settings.timeout) == (base_url, 60, 30)
    assert settings.api_key.get_secret_value() == KEY


def test_a_connection_of_the_official_provider_works(connect: Any) -> None:
    """A connection of the type openai is taken as it is."""
    hook = connect(conn_type="openai", extra={"openai_client_kwargs": {"organization": "org-1"}})
    assert hook.settings.organization == "org-1"


def test_every_fault_names_the_connection(connect: Any) -> None:
    """All faults come at once, each with the id of the connection."""
    with pytest.raises(ConfigurationError) as caught:
        connect(password="", extra={"rpm": "x"}).settings  # noqa: B018
    assert len(caught.value.faults) == 2
    assert all(fault.startswith("Connection 'openai_dest_default': ") for fault in caught.value.faults)


def test_broken_json_is_told_and_not_dropped(connect: Any) -> None:
    """An extra that is no JSON is a fault, where Airflow itself would go on with an empty one."""
    hook = connect(extra="{rpm: 60}")
    try:
        hook.get_connection(hook.conn_id)
    except Exception:  # noqa: BLE001  # its type differs from version to version
        pytest.skip("Airflow before 3.2 refuses such a connection itself")
    with pytest.raises(ConfigurationError, match="Extra is no JSON"):
        hook.settings  # noqa: B018


def test_airflow_hides_what_is_inside_of_the_connection(connect: Any) -> None:
    """The stripped key, the proxy's password and the headers that are credentials are hidden in the log."""
    extra = {"proxy": "http://ada:pr0xypass@p.example:1", "default_headers": {"api-key": "h3ader-secret"}}
    connect(password=f"{KEY}-masked\n", extra=extra).settings  # noqa: B018
    masker = importlib.import_module("airflow.sdk._shared.secrets_masker")
    shown = masker.redact(f"x {KEY}-masked x pr0xypass x h3ader-secret x")
    for secret in (KEY, "pr0xypass", "h3ader-secret"):
        assert secret not in shown


def test_the_client_speaks_to_the_connections_server(connect: Any, base_url: str) -> None:
    """Paths are below the base URL, the key goes along, and to no other server."""
    with connect(host=base_url).get_conn() as client:
        assert client.get("/models").json() == {"data": [{"id": "gpt-5"}]}
        with pytest.raises(ConfigurationError):
            client.get("http://127.0.0.1:1/v1/models")


def test_the_asynchronous_client_does_too(connect: Any, base_url: str) -> None:
    """On an event loop the connection is read without blocking it, once."""
    hook = connect(host=base_url)

    async def ask() -> Any:
        settings = await hook.aget_settings()
        assert settings is await hook.aget_settings() is hook.settings
        async with hook.get_async_conn() as client:
            return (await client.get("/models")).json()

    assert asyncio.run(ask()) == {"data": [{"id": "gpt-5"}]}


def test_the_test_button_tells_what_works(connect: Any, base_url: str) -> None:
    """A connection in order gives true and what it sees."""
    assert connect(host=base_url).test_connection() == (True, f"Connected to {base_url}: 1 model")


def test_the_test_button_tells_what_does_not(connect: Any, base_url: str) -> None:
    """A refused key gives false, the field, and no key."""
    works, text = connect(host=base_url, password=f"{KEY}-wrong").test_connection()
    assert not works
    assert text.startswith("API key: it is refused")
    assert KEY not in text


@pytest.mark.parametrize(
    "fields",
    [
        {"password": f"{KEY} {KEY}", "extra": {"rpm": KEY}},
        {"host": f"https://{KEY}@gw.example"},
        {"extra": f"{{{KEY}"},
        {"extra": {"ca_bundle": f"/nowhere/{KEY}"}},
        {"conn_type": KEY},
    ],
)
def test_the_test_button_never_raises_nor_shows_a_key(connect: Any, fields: dict[str, Any]) -> None:
    """Whatever is wrong, the answer is false and a text without the key."""
    works, text = connect(**fields).test_connection()
    assert not works
    assert text
    assert KEY not in text


def test_the_test_button_tells_of_a_missing_connection() -> None:
    """A connection that is not there gives false and its id."""
    works, text = OpenAIDestHook("nowhere").test_connection()
    assert not works
    assert "nowhere" in text


def test_airflow_3_1_gets_the_form_from_the_same_data() -> None:
    """Labels and hidden fields are those of the metadata, in the form that Airflow before 3.2 checks."""
    behaviour = OpenAIDestHook.get_ui_field_behaviour()
    schema = Path(airflow.__file__).parent / "customized_form_field_behaviours.schema.json"
    jsonschema.validate(behaviour, json.loads(schema.read_text()))
    assert behaviour["hidden_fields"] == ["schema", "port", "login"]
    assert behaviour["relabeling"] == {"password": "API key", "host": "Base URL"}
    assert json.loads(behaviour["placeholders"]["extra"])["rpm"] is None


WORKLOAD = {
    "auth": "workload_identity",
    "identity_provider_id": "idp_1",
    "workload_account_id": "sa_1",
    "workload_identity_provider": "kubernetes",
}
SUBJECT = "machine-token-0123456789"


@pytest.mark.parametrize(
    "uri",
    [
        f"openai-dest://:{KEY}@https%3A%2F%2Fr.openai.azure.com/?server=azure_classic&api_version=2024-10-21",
        f"openai-dest://https://:{KEY}@r.openai.azure.com/?server=azure_classic&api_version=2024-10-21",
    ],
)
def test_a_uri_says_server_and_version(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields of Azure are text in a URI, and the key goes into Azure's own header."""
    monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEST_DEFAULT", uri)
    settings = OpenAIDestHook().settings
    assert settings.base_url == "https://r.openai.azure.com/openai"
    assert (settings.server, settings.auth, settings.api_version) == ("azure_classic", "azure_api_key", "2024-10-21")
    assert settings.credential(KEY) == {"api-key": KEY}


def test_a_form_says_workload_identity(connect: Any, tmp_path: Path) -> None:
    """As the form saves it: untouched fields null, and no password; the Test button exchanges the token."""
    (tmp_path / "token").write_text(SUBJECT)
    untouched = json.loads(OpenAIDestHook.get_ui_field_behaviour()["placeholders"]["extra"])
    with running_sandbox(subject=SUBJECT) as sandbox:
        extra = WORKLOAD | {"subject_file": str(tmp_path / "token"), "exchange_url": sandbox.exchange_url}
        hook = connect(password="", host=sandbox.base_url, extra=untouched | extra)
        works, text = hook.test_connection()
    assert works, text
    assert text.startswith(f"Connected to {sandbox.base_url}: ")


def test_a_token_is_hidden_as_a_key_is(connect: Any, tmp_path: Path) -> None:
    """In Airflow's log, and in what the Test button shows of an answer."""
    (tmp_path / "token").write_text(SUBJECT)
    with running_sandbox(subject=SUBJECT, faults=["status=400,message=got sandbox-issued-0001 here"]) as sandbox:
        extra = WORKLOAD | {"subject_file": str(tmp_path / "token"), "exchange_url": sandbox.exchange_url}
        works, text = connect(password="", host=sandbox.base_url, extra=extra).test_connection()
    assert not works
    assert "got *** here" in text
    masker = importlib.import_module("airflow.sdk._shared.secrets_masker")
    assert "sandbox-issued-0001" not in masker.redact("x sandbox-issued-0001 x")


def test_a_refused_exchange_is_told_by_the_test_button(connect: Any, tmp_path: Path) -> None:
    """With the reason, and without the machine's own token."""
    (tmp_path / "token").write_text(SUBJECT)
    with running_sandbox(subject="another") as sandbox:
        extra = WORKLOAD | {"subject_file": str(tmp_path / "token"), "exchange_url": sandbox.exchange_url}
        works, text = connect(password="", host=sandbox.base_url, extra=extra).test_connection()
    assert not works
    assert "invalid_grant" in text
    assert SUBJECT not in text


def test_a_function_may_be_given_to_the_hook(connect: Any) -> None:
    """Its token takes the place of the key, which need not be there."""
    with running_sandbox(api_key="token-of-mine") as sandbox:
        connect(password="", host=sandbox.base_url)
        with OpenAIDestHook(token_callable=lambda: "token-of-mine").get_conn() as client:
            assert client.get("/models").status_code == 200
