"""WebhookSettings: where answers are forwarded to, and how they are signed."""

from __future__ import annotations

import base64
import json
import pickle
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook

from airflow_provider_openai_dest.connection.webhook_settings import FIELDS, WebhookSettings, read_webhook_settings
from airflow_provider_openai_dest.exceptions import ConfigurationError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 124))).decode()
URL = "https://hooks.example/openai?token=t0ken-of-the-receiver"


def read(**fields: Any) -> WebhookSettings:
    """Read a connection that is in order but for what is given."""
    return read_webhook_settings(**{"conn_type": "openai_dest_webhook", "host": URL, "password": SECRET} | fields)


def faults(**fields: Any) -> tuple[str, ...]:
    """Give the faults of a connection that must have some."""
    with pytest.raises(ConfigurationError) as caught:
        read(**fields)
    return caught.value.faults


def secrets_of(settings: WebhookSettings) -> list[str]:
    """Give the signing secrets as text."""
    return [secret.get_secret_value() for secret in settings.signing_secrets]


def test_url_and_secret_are_enough() -> None:
    """With a URL and a secret, all else has its default."""
    settings = read(schema="", port=0, login="", extra='{"headers": null, "allowed_private_networks": null}')
    assert settings == WebhookSettings(url=URL, signing_secrets=(SecretStr(SECRET),))
    assert (settings.timeout, settings.headers, settings.allowed_networks) == (20, {}, ())


@pytest.mark.parametrize("password", [f"{SECRET} {OLD_SECRET}", f" {SECRET}\n{OLD_SECRET}\n", f"{SECRET},{OLD_SECRET}"])
def test_two_secrets_are_there_for_rotation(password: str) -> None:
    """The password may hold the new secret and the old one, with a blank between."""
    assert secrets_of(read(password=password)) == [SECRET, OLD_SECRET]


def test_a_secret_that_is_taken_signs() -> None:
    """What passes here is a secret for the reference library."""
    for secret in secrets_of(read(password=f"{SECRET} {OLD_SECRET}")):
        assert Webhook(secret)


@pytest.mark.parametrize(
    "password",
    [
        None,
        "",
        "***",
        "secret",
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_***",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        SECRET[:-1],
        SECRET.replace("w", "W", 1),
        f"{SECRET} whsec_short",
        f"{SECRET} {SECRET} {OLD_SECRET}",
    ],
)
def test_a_wrong_secret_is_told_and_how_to_make_one(password: str | None) -> None:
    """Unsigned webhooks are refused, and so is a secret that receivers can't use."""
    (fault,) = faults(password=password)
    assert fault.startswith("Signing secret (password) ")
    assert "openssl rand" in fault or "give one" in fault


def test_that_unsigned_webhooks_are_refused_is_said() -> None:
    """Who leaves the secret empty is told why that can't be."""
    assert "unsigned webhooks are not sent" in faults(password=None)[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "https://hooks.example"}, "https://hooks.example/"),
        ({"host": "hooks.example/a/b?c=1"}, "https://hooks.example/a/b?c=1"),
        ({"host": "HTTPS://Hooks.Example:443/A"}, "https://hooks.example/A"),
        ({"host": "hooks.example", "schema": "https", "port": 8443}, "https://hooks.example:8443/"),
        ({"host": "https://hooks.example/a//b/../c%2f"}, "https://hooks.example/a//b/../c%2f"),
        ({"host": "http://10.2.3.4/x", "extra": {"allowed_private_networks": ["10.0.0.0/8"]}}, "http://10.2.3.4/x"),
        ({"host": "http://search.lan/x", "extra": {"allowed_private_networks": "10.0.0.0/8"}}, "http://search.lan/x"),
    ],
)
def test_the_url_is_read(fields: dict[str, Any], expected: str) -> None:
    """Path and query stay as they are, since the receiver chose them."""
    assert expected == read(**fields).url


@pytest.mark.parametrize(
    "fields",
    [
        {"host": ""},
        {"host": "http://hooks.example/x"},
        {"host": "http://10.2.3.4/x"},
        {"host": "http://127.0.0.1/x"},
        {"host": "http://10.2.3.4/x", "extra": {"allowed_private_networks": ["192.168.0.0/16"]}},
        {"host": "https://user:t0ken-of@hooks.example/x"},
        {"host": "https://hooks.example/x#y"},
        {"host": "https://hooks.example\\@evil.example/x"},
        {"host": "https://2130706433/x"},
        {"host": "https://hooks.example/a b"},
        {"host": "ftp://hooks.example/x"},
        {"host": "hooks.example", "port": "x"},
    ],
)
def test_a_wrong_url_names_its_field(fields: dict[str, Any]) -> None:
    """Plain http needs a private network that is allowed; user info and tricks are refused."""
    (fault,) = faults(**fields)
    assert fault.startswith("URL (host) ")


@pytest.mark.parametrize(
    "given",
    [
        ["10.0.0.0/8", "fd00::/8"],
        "10.0.0.0/8, fd00::/8",
        "10.0.0.0/8\nfd00::/8\n",
        " 10.0.0.0/8  fd00::/8 ",
        ["10.0.0.0/8 ", "\tfd00::/8"],
    ],
)
def test_networks_may_be_a_list_or_a_text(given: object) -> None:
    """A form gives a list, a URI gives text."""
    assert read(extra={"allowed_private_networks": given}).allowed_networks == (
        ip_network("10.0.0.0/8"),
        ip_network("fd00::/8"),
    )


def test_every_wrong_network_is_told() -> None:
    """One fault names all networks that can't be read."""
    (fault,) = faults(extra={"allowed_private_networks": ["10.0.0.1/8", "10.0.0.0/8", "lan", 5, None, "10.0.0.0/33"]})
    assert fault.startswith("Allowed private networks (extra allowed_private_networks) ")
    for wrong in ("'10.0.0.1/8'", "'lan'", "'5'", "'None'", "'10.0.0.0/33'"):
        assert wrong in fault
    assert "'10.0.0.0/8'" not in fault


@pytest.mark.parametrize(
    ("extra", "label"),
    [
        ({"timeout": 0}, "Timeout, seconds"),
        ({"timeout": "soon"}, "Timeout, seconds"),
        ({"headers": {"Webhook-Signature": "v1,x"}}, "Headers"),
        ({"headers": {"webhook-id": "x"}}, "Headers"),
        ({"headers": {"Content-Type": "text/plain"}}, "Headers"),
        ({"headers": {"X-A": "a\nb"}}, "Headers"),
        ({"headers": "{"}, "Headers"),
        ({"allowed_private_networks": 5}, "Allowed private networks"),
        ({"ca_bundle": "\x00"}, "CA bundle"),
    ],
)
def test_a_wrong_value_names_its_field(extra: dict[str, Any], label: str) -> None:
    """The fault begins with the label that the form shows."""
    (fault,) = faults(extra=extra)
    assert fault.startswith(f"{label} (")


def test_all_faults_come_at_once() -> None:
    """One error names every wrong field."""
    found = faults(conn_type="http", host="ftp://x", password="x", extra={"timeout": -1, "headers": 5})
    assert [fault.split(" ")[0] for fault in found] == ["Connection", "Signing", "URL", "Headers", "Timeout,"]
    assert len(faults(conn_type="http", host="x", port="y", extra="{")) == 3


def test_a_receivers_own_authorization_is_taken() -> None:
    """A receiver may want a header of its own besides the signature."""
    headers = {"Authorization": "Bearer receivers-own"}
    assert headers == read(extra={"headers": json.dumps(headers)}).headers


def test_neither_the_text_form_nor_a_fault_shows_a_secret() -> None:
    """Signing secrets, header values and the URL beyond its origin stay hidden."""
    settings = read(password=f"{SECRET} {OLD_SECRET}", extra={"headers": {"Authorization": "Bearer receivers-own"}})
    texts = [repr(settings), str(settings)]
    texts += [
        str(error) for error in (faults(extra={"timeout": SECRET}), faults(extra={"timeout": -1, "headers": SECRET}))
    ]
    for text in texts:
        for secret in (SECRET, OLD_SECRET, SECRET[6:], "receivers-own", "t0ken-of-the-receiver"):
            assert secret not in text
    assert "https://hooks.example" in repr(settings)
    assert {SECRET, OLD_SECRET, "Bearer receivers-own", "token=t0ken-of-the-receiver"} <= set(settings.secrets)


def test_settings_pickle_and_stay_as_they_are() -> None:
    """Settings go to another process as they are, and nobody changes them."""
    settings = read(extra={"allowed_private_networks": ["10.0.0.0/8"]})
    assert settings == pickle.loads(pickle.dumps(settings))  # noqa: S301
    with pytest.raises(ValidationError):
        settings.timeout = 3  # type: ignore[misc]


def test_every_setting_has_a_label() -> None:
    """Each attribute can be named in a fault."""
    assert set(WebhookSettings.model_fields) == set(FIELDS)
