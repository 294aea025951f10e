"""ConnectionSettings: what an Airflow connection says, all its faults at once, and none of its secrets."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from airflow_provider_openai_dest.connection.settings import FIELDS, ConnectionSettings, read_settings
from airflow_provider_openai_dest.exceptions import ConfigurationError

KEY = "sk-proj-abcdefghij0123456789"
PROXY = "http://ada:pr0xypass@proxy.example:3128"


def read(**fields: Any) -> ConnectionSettings:
    """Read a connection that is in order but for what is given."""
    return read_settings(**{"conn_type": "openai_dest", "password": KEY} | fields)


def faults(**fields: Any) -> tuple[str, ...]:
    """Give the faults of a connection that must have some."""
    with pytest.raises(ConfigurationError) as caught:
        read(**fields)
    return caught.value.faults


def test_a_key_is_enough() -> None:
    """With a key alone, all else has its default."""
    settings = read(host="", login="", schema="", port=0, extra="")
    assert settings == ConnectionSettings(api_key=SecretStr(KEY))
    assert settings.base_url == "https://api.openai.com/v1"
    assert settings.timeout == 600
    assert settings.default_headers == {}


@pytest.mark.parametrize("unset", [None, "", "  "])
@pytest.mark.parametrize("name", ["organization", "rpm", "tpm", "timeout", "default_headers", "proxy", "allow_http"])
def test_null_and_empty_text_mean_unset(name: str, unset: str | None) -> None:
    """The form saves untouched fields as null, a URI as empty text; both are the default."""
    assert read() == read(extra={name: unset})


@pytest.mark.parametrize(
    ("extra", "attribute", "expected"),
    [
        ({"rpm": 60}, "requests_per_minute", 60),
        ({"rpm": "60"}, "requests_per_minute", 60),
        ({"rpm": 60.0}, "requests_per_minute", 60),
        ({"requests_per_minute": "60"}, "requests_per_minute", 60),
        ({"rpm": 1, "requests_per_minute": 2}, "requests_per_minute", 1),
        ({"tpm": "150000"}, "tokens_per_minute", 150_000),
        ({"tokens_per_minute": 7}, "tokens_per_minute", 7),
        ({"concurrency": "512"}, "concurrency", 512),
        ({"timeout": "2.5"}, "timeout", 2.5),
        ({"timeout": 30}, "timeout", 30.0),
        ({"allow_http": "true"}, "allow_http", True),
        ({"allow_http": "False"}, "allow_http", False),
        ({"allow_http": 1}, "allow_http", True),
        ({"organization": " org-1 "}, "organization", "org-1"),
        ({"project": 42}, "project", "42"),
        ({"ca_bundle": "/etc/ssl/corp.pem"}, "ca_bundle", "/etc/ssl/corp.pem"),
        ({"default_headers": {"X-Team": "search", "X-N": 1}}, "default_headers", {"X-Team": "search", "X-N": "1"}),
        ({"default_headers": '{"X-Team": "search"}'}, "default_headers", {"X-Team": "search"}),
    ],
)
def test_values_may_be_typed_or_text(extra: dict[str, Any], attribute: str, expected: object) -> None:
    """A form gives numbers, a URI gives text; both are read the same."""
    assert expected == getattr(read(extra=extra), attribute)
    assert expected == getattr(read(extra=json.dumps(extra)), attribute)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "https://gw.example/v1"}, "https://gw.example/v1"),
        ({"host": "https://gw.example/v1/"}, "https://gw.example/v1"),
        ({"host": "HTTPS://GW.Example:443/v1"}, "https://gw.example/v1"),
        ({"host": " https://gw.example:8443/team/v1 \n"}, "https://gw.example:8443/team/v1"),
        ({"host": "gw.example", "schema": "https", "port": 8443}, "https://gw.example:8443"),
        ({"host": "gw.example", "schema": "https", "port": "8443"}, "https://gw.example:8443"),
        ({"host": "gw.example/v1", "schema": "", "port": 8443}, "https://gw.example:8443/v1"),
        ({"host": "gw.example:8443/v1", "port": 8443}, "https://gw.example:8443/v1"),
        ({"host": "https://gw.example", "schema": "v1", "port": 8443}, "https://gw.example:8443/v1"),
        ({"host": "https://gw.example", "schema": "https"}, "https://gw.example"),
        ({"host": "api.openai.com"}, "https://api.openai.com/v1"),
        ({"host": "api.openai.com", "schema": "https", "port": 443}, "https://api.openai.com/v1"),
        ({"host": "https://eu.api.openai.com/"}, "https://eu.api.openai.com/v1"),
        ({"host": "https://api.openai.com/v2"}, "https://api.openai.com/v2"),
        ({"host": "http://127.0.0.1:9999/v1"}, "http://127.0.0.1:9999/v1"),
        ({"host": "http://localhost:9999"}, "http://localhost:9999"),
        ({"host": "http://[::1]:9999"}, "http://[::1]:9999"),
        ({"host": "127.0.0.1", "schema": "http", "port": 9999}, "http://127.0.0.1:9999"),
        ({"host": "http://gw.internal", "extra": {"allow_http": True}}, "http://gw.internal"),
        ({"host": "http://gw.internal", "extra": {"allow_http": "yes"}}, "http://gw.internal"),
    ],
)
def test_the_base_url_comes_of_host_schema_and_port(fields: dict[str, Any], expected: str) -> None:
    """Whole addresses, and the parts that Airflow's URI form makes of them, give one base URL."""
    assert expected == read(**fields).base_url


@pytest.mark.parametrize(
    "host",
    [
        "http://gw.example/v1",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "http://2130706433",
        "http://[::ffff:127.0.0.1]",
        "https://user:pw@gw.example/v1",
        "https://gw.example/v1?key=1",
        "https://gw.example/v1#x",
        "https://gw.example#@evil.example",
        "https://gw.example\\@evil.example",
        "https://gw.example/../v1",
        "https://gw.example/%2e%2e/v1",
        "https://gw.example//v1",
        "https://gw.example/v 1",
        "https://gw.éxample/v1",
        "https://gw.example:0/v1",
        "https://gw.example:70000/v1",
        "https://gw..example/v1",
        "https://-gw.example/v1",
        "https://127.1/v1",
        "https://[::1/v1",
        "https://[::1%25eth0]/v1",
        "ftp://gw.example/v1",
        "https://",
        "https:///v1",
        KEY,
        f"https://{KEY}/v1",
    ],
)
def test_an_unsafe_base_url_is_refused(host: str) -> None:
    """Whatever could send the key in clear text or elsewhere is a fault of the field Base URL."""
    (fault,) = faults(host=host)
    assert fault.startswith("Base URL (host) ")


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "gw.example", "port": "eighty"},
        {"host": "gw.example", "port": 70_000},
        {"host": "gw.example", "port": -1},
        {"host": "", "port": 8443},
        {"host": "gw.example:1", "port": 2},
        {"host": "https://gw.example", "schema": "http"},
        {"host": "https://gw.example/v1", "schema": "v2"},
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields: dict[str, Any]) -> None:
    """Two ports, schemes or paths are a fault, not a guess."""
    (fault,) = faults(**fields)
    assert fault.startswith("Base URL (host) ")


@pytest.mark.parametrize(
    ("extra", "label"),
    [
        ({"rpm": 0}, "Requests a minute"),
        ({"rpm": -1}, "Requests a minute"),
        ({"rpm": 1.5}, "Requests a minute"),
        ({"rpm": "many"}, "Requests a minute"),
        ({"rpm": True}, "Requests a minute"),
        ({"rpm": [1]}, "Requests a minute"),
        ({"tpm": "1e6x"}, "Tokens a minute"),
        ({"concurrency": 513}, "Requests at once"),
        ({"concurrency": 0}, "Requests at once"),
        ({"timeout": 0}, "Timeout, seconds"),
        ({"timeout": "nan"}, "Timeout, seconds"),
        ({"timeout": "inf"}, "Timeout, seconds"),
        ({"timeout": 86_401}, "Timeout, seconds"),
        ({"allow_http": "perhaps"}, "Allow plain http"),
        ({"organization": "org\r\nX: y"}, "Organization"),
        ({"organization": {"id": 1}}, "Organization"),
        ({"project": "proj-é"}, "Project"),
        ({"ca_bundle": "a\x00b"}, "CA bundle"),
        ({"proxy": "socks5://proxy.example:1080"}, "Proxy"),
        ({"proxy": "http://proxy.example:3128/path"}, "Proxy"),
        ({"proxy": "http://ada:pr0xy/pass@proxy.example:3128"}, "Proxy"),
        ({"proxy": "http://ada:pr0xypass@:3128"}, "Proxy"),
        ({"default_headers": "X-Team: search"}, "Headers"),
        ({"default_headers": ["X-Team"]}, "Headers"),
        ({"default_headers": {"X Team": "a"}}, "Headers"),
        ({"default_headers": {"": "a"}}, "Headers"),
        ({"default_headers": {"X-Téam": "a"}}, "Headers"),
        ({"default_headers": {"X-Team:": "a"}}, "Headers"),
        ({"default_headers": {"X\r\nY": "a"}}, "Headers"),
        ({"default_headers": {"X-A": "a\r\nInjected: 1"}}, "Headers"),
        ({"default_headers": {"X-A": "a\x00b"}}, "Headers"),
        ({"default_headers": {"X-A": "é"}}, "Headers"),
        ({"default_headers": {"X-A": ""}}, "Headers"),
        ({"default_headers": {"X-A": None}}, "Headers"),
        ({"default_headers": {"X-A": {"b": 1}}}, "Headers"),
        ({"default_headers": {"X-A": "1", "x-a": "2"}}, "Headers"),
        ({"default_headers": {"authorization": "Bearer x"}}, "Headers"),
        ({"default_headers": {"Host": "evil.example"}}, "Headers"),
        ({"default_headers": {"CONTENT-LENGTH": "1"}}, "Headers"),
        ({"default_headers": {"Transfer-Encoding": "chunked"}}, "Headers"),
        ({"default_headers": {"OpenAI-Organization": "org-1"}}, "Headers"),
    ],
)
def test_a_wrong_value_names_its_field(extra: dict[str, Any], label: str) -> None:
    """The fault begins with the label that the form shows."""
    (fault,) = faults(extra=extra)
    assert fault.startswith(f"{label} (")


@pytest.mark.parametrize(
    "password",
    [
        None,
        "",
        "  ",
        "***",
        "sk-abc def",
        "sk-abc\ndef",
        "sk-abc\x00",
        "sk-abcdé",
        "Bearer sk-abcdefgh",
        "sk-\u200babcd",
    ],
)
def test_a_wrong_key_names_its_field(password: str | None) -> None:
    """A key with anything but one printable word is a fault of the field API key."""
    (fault,) = faults(password=password)
    assert fault.startswith("API key (password) ")


@pytest.mark.parametrize("password", [f"{KEY}\n", f"  {KEY}\r\n", f"\t{KEY}"])
def test_blanks_around_a_pasted_key_are_dropped(password: str) -> None:
    """A pasted newline is no part of the key."""
    assert read(password=password).api_key.get_secret_value() == KEY


def test_a_key_in_the_login_is_told() -> None:
    """Who typed the key into the wrong field is told where it belongs, and does not see it again."""
    found = faults(password=None, login="sk-typed-in-the-wrong-field")
    assert any(fault.startswith("Login is set") for fault in found)
    assert "wrong-field" not in str(found)


def test_all_faults_come_at_once() -> None:
    """One error names every wrong field, each once."""
    found = faults(
        conn_type="http",
        password="sk abc",
        host="http://gw.example",
        extra={
            "rpm": "x",
            "tpm": 0,
            "concurrency": 1000,
            "timeout": -1,
            "default_headers": {"Host": "a"},
            "proxy": "::",
        },
    )
    starts = [fault.split(" (")[0].split(" is ")[0] for fault in found]
    assert starts == [
        *("Connection type", "API key", "Base URL", "Requests a minute", "Tokens a minute"),
        *("Requests at once", "Timeout, seconds", "Headers", "Proxy"),
    ]


@pytest.mark.parametrize("extra", ["{", "[1]", '"text"', "1", "{'a': 1}"])
def test_an_extra_that_is_no_object_is_told(extra: str) -> None:
    """Broken JSON is a fault, and not an empty extra."""
    (fault,) = faults(extra=extra)
    assert fault.startswith("Extra is no JSON")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": f"{KEY} {KEY}"},
        {"host": f"https://{KEY}@gw.example"},
        {"host": f"https://gw.example/#{KEY}"},
        {"port": KEY, "host": "gw.example"},
        {"conn_type": KEY},
        {"extra": {"rpm": KEY}},
        {"extra": {"timeout": [KEY]}},
        {"extra": {"allow_http": KEY}},
        {"extra": {"organization": {"key": KEY}}},
        {"extra": {"proxy": f"http://ada:{KEY}@"}},
        {"host": KEY},
        {"extra": {"default_headers": {KEY: "a\nb"}}},
        {"extra": {"default_headers": {"X-A": f"{KEY}\n{KEY}"}}},
        {"extra": {KEY: 1, "rpm": "x"}},
        {"extra": {"auth_type": KEY}},
        {"extra": {"openai_client_kwargs": {"api_key": f"{KEY}\n{KEY}", "timeout": KEY}}},
        {"extra": f"{{{KEY}"},
        {"password": "unusual-k3y-form", "extra": {"rpm": "unusual-k3y-form"}},
        {"password": 'quo"ted\\key', "extra": {"rpm": 'quo"ted\\key'}},
        {"extra": {"rpm": 0, "proxy": "http://ada:pr0xypass@/x", "timeout": "pr0xypass"}},
    ],
)
def test_no_fault_shows_a_secret(fields: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Wherever the key or the proxy's password was typed, no fault and no log repeats it."""
    with caplog.at_level(logging.DEBUG):
        text = repr(faults(**fields)) + caplog.text
    for secret in (KEY, "unusual-k3y-form", "ted\\key", "ted\\\\key", "pr0xypass"):
        assert secret not in text


def test_the_text_form_shows_no_secret() -> None:
    """Neither repr, str nor a dump shows the key, the proxy's password or a header's value; the names stay."""
    settings = read(extra={"proxy": PROXY, "default_headers": {"api-key": "h3ader-secret", "X-Team": "search"}})
    for text in (repr(settings), str(settings), f"{settings}", repr([settings])):
        assert "base_url='https://api.openai.com/v1'" in text
        assert "X-Team" in text
        for secret in (KEY, "pr0xypass", "h3ader-secret"):
            assert secret not in text


def test_settings_pickle_and_stay_as_they_are() -> None:
    """Settings go to another process as they are, and nobody changes them."""
    settings = read(extra={"proxy": PROXY, "rpm": 3})
    assert settings == pickle.loads(pickle.dumps(settings))  # noqa: S301
    with pytest.raises(ValidationError):
        settings.timeout = 3  # type: ignore[misc]


def test_settings_made_directly_hide_what_was_wrong() -> None:
    """The message of pydantic itself repeats no input."""
    with pytest.raises(ValidationError) as caught:
        ConnectionSettings(api_key=SecretStr(f"{KEY} {KEY}"), timeout=f"{KEY}")  # type: ignore[arg-type]
    assert KEY not in str(caught.value)


def test_the_reason_is_told() -> None:
    """A fault says what to do, not only that something is wrong."""
    assert "user or password" in faults(host="https://user:pw@gw.example/v1")[0]
    assert "set allow_http to true" in faults(host="http://gw.example/v1")[0]


def test_secrets_names_all_that_must_not_show() -> None:
    """The key, the proxy's login and the headers that are credentials are secret; other headers are not."""
    settings = read(extra={"proxy": PROXY, "default_headers": {"Cookie": "c00kie", "X-Team": "search"}})
    assert set(settings.secrets) == {KEY, PROXY, "ada:pr0xypass", "pr0xypass", "c00kie"}


def test_a_connection_of_the_official_provider_works_as_it_is() -> None:
    """Its openai_client_kwargs win over password and host, as they do there; max_retries is ours to decide."""
    kwargs = {
        "api_key": "sk-from-the-kwargs",
        "base_url": "https://gw.example/v1/",
        "organization": "org-1",
        "project": "proj_1",
        "timeout": 20,
        "default_headers": {"X-Team": "search"},
        "max_retries": 5,
    }
    settings = read(conn_type="openai", host="https://other.example", extra={"openai_client_kwargs": kwargs})
    assert settings == ConnectionSettings(
        api_key=SecretStr("sk-from-the-kwargs"),
        base_url="https://gw.example/v1",
        organization="org-1",
        project="proj_1",
        timeout=20,
        default_headers={"X-Team": "search"},
    )
    assert read(conn_type="openai", host="https://other.example").base_url == "https://other.example"


@pytest.mark.parametrize(
    "extra", [{"auth_type": "kerberos"}, {"openai_client_kwargs": 5}, {"openai_client_kwargs": "x"}]
)
def test_what_the_official_provider_has_more_is_told(extra: dict[str, Any]) -> None:
    """What can't work here is a fault that says so."""
    (fault,) = faults(conn_type="openai", extra=extra)
    assert fault.startswith("Extra ")


def test_an_unknown_extra_is_logged_with_the_names_it_may_mean(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt field does not stop the task, but the log says which one was meant."""
    with caplog.at_level(logging.WARNING):
        read(extra={"organisation": "org-1", "rpm": 1})
    (record,) = caplog.records
    assert "'organisation'" in record.getMessage()
    assert "'organization'" in record.getMessage()


@given(
    st.dictionaries(
        st.text(st.characters(max_codepoint=0x17F), max_size=6), st.text(st.characters(max_codepoint=0x17F), max_size=6)
    )
)
def test_headers_that_are_taken_can_be_sent(headers: dict[str, str]) -> None:
    """What passes has token names and printable values, whatever was typed."""
    try:
        taken = ConnectionSettings(api_key=SecretStr(KEY), default_headers=headers).default_headers
    except ValidationError:
        return
    for name, value in taken.items():
        assert name.isascii()
        assert not set(name) & set('()<>@,;:\\"/[]?={} \t\r\n\x00')
        assert value.isascii()
        assert value.isprintable() or "\t" in value
        assert not set(value) & set("\r\n\x00")


def test_every_setting_has_a_label() -> None:
    """Each attribute can be named in a fault."""
    assert set(ConnectionSettings.model_fields) == set(FIELDS)
