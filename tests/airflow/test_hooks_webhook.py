"""OpenAIDestWebhookHook: where answers are forwarded to, as an Airflow connection."""

from __future__ import annotations

import importlib
import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.hooks.webhook import OpenAIDestWebhookHook

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD_SECRET = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that makes a connection of the id ``openai_dest_webhook_default`` and its hook."""

    def make(**fields: Any) -> OpenAIDestWebhookHook:
        given = {"conn_type": "openai_dest_webhook", "password": SECRET, "host": "https://8.8.8.8/openai"}
        monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEST_WEBHOOK_DEFAULT", json.dumps(given | fields))
        return OpenAIDestWebhookHook()

    return make


def test_making_a_hook_reads_nothing() -> None:
    """A hook is made while a Dag file is parsed, so it asks for no connection."""
    assert OpenAIDestWebhookHook(**{OpenAIDestWebhookHook.conn_name_attr: "nowhere"}).conn_id == "nowhere"
    assert OpenAIDestWebhookHook().conn_id == "openai_dest_webhook_default"


def test_settings_are_the_connections(connect: Any) -> None:
    """The hook gives what the connection says, and reads it once."""
    hook = connect(password=f"{SECRET} {OLD_SECRET}", extra={"allowed_private_networks": ["10.0.0.0/8"], "timeout": 5})
    assert hook.settings.url == "https://8.8.8.8/openai"
    assert [secret.get_secret_value() for secret in hook.settings.signing_secrets] == [SECRET, OLD_SECRET]
    assert hook.settings.allowed_networks == (ip_network("10.0.0.0/8"),)
    assert hook.settings is hook.settings


def test_every_fault_names_the_connection(connect: Any) -> None:
    """All faults come at once, each with the id of the connection."""
    with pytest.raises(ConfigurationError) as caught:
        connect(password="", extra={"timeout": "x"}).settings  # noqa: B018
    assert len(caught.value.faults) == 2
    assert all(fault.startswith("Connection 'openai_dest_webhook_default': ") for fault in caught.value.faults)


def test_airflow_hides_each_signing_secret(connect: Any) -> None:
    """Airflow knows the password as a whole; each of two secrets is hidden, too."""
    connect(password=f"{SECRET} {OLD_SECRET}").settings  # noqa: B018
    masker = importlib.import_module("airflow.sdk._shared.secrets_masker")
    shown = masker.redact(f"x {SECRET} x {OLD_SECRET} x")
    assert SECRET not in shown
    assert OLD_SECRET not in shown


def test_the_test_button_sends_nothing_and_says_so(connect: Any) -> None:
    """Settings and address are checked; the receiver gets nothing."""
    works, text = connect().test_connection()
    assert works
    assert "8.8.8.8" in text
    assert "Nothing was sent" in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"password": ""}, "unsigned webhooks are not sent"),
        ({"password": f"{SECRET}x", "extra": {"timeout": f"{SECRET}x"}}, "Signing secret"),
        ({"host": "https://127.0.0.1/x"}, "allowed_private_networks"),
        ({"host": f"https://{SECRET}@hooks.example/x"}, "URL (host)"),
    ],
)
def test_the_test_button_tells_what_is_wrong(connect: Any, fields: dict[str, Any], expected: str) -> None:
    """Whatever is wrong, the answer is false and a text without the secret."""
    works, text = connect(**fields).test_connection()
    assert not works
    assert expected in text
    assert SECRET.removeprefix("whsec_") not in text


def test_the_test_button_tells_of_a_missing_connection() -> None:
    """A connection that is not there gives false and its id."""
    works, text = OpenAIDestWebhookHook("nowhere").test_connection()
    assert not works
    assert "nowhere" in text


def test_airflow_3_1_gets_the_form_from_the_same_data() -> None:
    """Labels and hidden fields are those of the metadata, in the form that Airflow before 3.2 checks."""
    behaviour = OpenAIDestWebhookHook.get_ui_field_behaviour()
    schema = Path(airflow.__file__).parent / "customized_form_field_behaviours.schema.json"
    jsonschema.validate(behaviour, json.loads(schema.read_text()))
    assert behaviour["relabeling"] == {"password": "Signing secret", "host": "URL"}
