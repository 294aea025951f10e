"""ConnectionSettings: what a connection to OpenAI says, checked once and frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from airflow_provider_openai_dest.connection import auth_fields
from airflow_provider_openai_dest.connection.auth_fields import AUTH_MODES, AuthFields
from airflow_provider_openai_dest.connection.base_url import DEFAULT_BASE_URL, join_address, read_base_url
from airflow_provider_openai_dest.connection.field_types import Count, HeaderMap, HeaderText, PathText, Seconds
from airflow_provider_openai_dest.connection.form import Fault, FormField, fill, is_unset, read_extra, warn_of_unknown
from airflow_provider_openai_dest.connection.headers import RESERVED_OF_REQUESTS, header_faults, secret_values
from airflow_provider_openai_dest.connection.origin import is_loopback, split_url
from airflow_provider_openai_dest.connection.proxy import proxy_secrets, read_proxy_url
from airflow_provider_openai_dest.connection.servers import SERVERS

CONN_TYPE = "openai_dest"
OFFICIAL_CONN_TYPE = "openai"  # of apache-airflow-providers-openai; its connections work here as they are

FIELDS = {
    "api_key": FormField("API key", "password", "the key as OpenAI shows it when it is made", is_secret=True),
    "base_url": FormField("Base URL", "host", f"an address such as {DEFAULT_BASE_URL}"),
    "organization": FormField("Organization", "extra organization", "an id such as org-..."),
    "project": FormField("Project", "extra project", "an id such as proj_..."),
    "requests_per_minute": FormField("Requests a minute", "extra rpm", "a whole number from 1 on"),
    "tokens_per_minute": FormField("Tokens a minute", "extra tpm", "a whole number from 1 on"),
    "images_per_minute": FormField("Images a minute", "extra ipm", "a whole number from 1 on"),
    "requests_per_day": FormField("Requests a day", "extra rpd", "a whole number from 1 on"),
    "concurrency": FormField("Requests at once", "extra concurrency", "a whole number from 1 to 512"),
    "timeout": FormField("Timeout, seconds", "extra timeout", "a number of seconds above 0, at most 86400"),
    "default_headers": FormField(
        "Headers", "extra default_headers", 'a JSON object of texts such as {"X-Team": "search"}', is_secret=True
    ),
    "ca_bundle": FormField("CA bundle", "extra ca_bundle", "the path of a PEM file or folder on the workers"),
    "proxy": FormField("Proxy", "extra proxy", "a URL such as http://proxy.example:3128", is_secret=True),
    "allow_http": FormField("Allow plain http", "extra allow_http", "true or false"),
    **auth_fields.FIELDS,
}

# Names in the extra, and the setting of each. Airflow shows the value of any name with "token" in it as ***, so the
# form says tpm; both spellings are read, the short one first.
EXTRAS = {
    "organization": "organization",
    "project": "project",
    "rpm": "requests_per_minute",
    "requests_per_minute": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "tokens_per_minute": "tokens_per_minute",
    "ipm": "images_per_minute",
    "images_per_minute": "images_per_minute",
    "rpd": "requests_per_day",
    "requests_per_day": "requests_per_day",
    "concurrency": "concurrency",
    "timeout": "timeout",
    "default_headers": "default_headers",
    "ca_bundle": "ca_bundle",
    "proxy": "proxy",
    "allow_http": "allow_http",
    **auth_fields.EXTRAS,
}
# Names in the official provider's openai_client_kwargs; there they win over password and host, so they do here.
CLIENT_KWARGS = ("api_key", "base_url", "organization", "project", "timeout", "default_headers")
_CLIENT_KWARGS_IGNORED = ("max_retries",)  # this package has its own retry policy
_OFFICIAL_EXTRAS = ("openai_client_kwargs", "auth_type")
_OFFICIAL_AUTH = {"api_key": None, "workload_identity": "workload_identity"}


class ConnectionSettings(AuthFields):
    """What a connection says; frozen, picklable, and its text form shows no secret.

    ``timeout`` is the total time of one request in seconds. The limits a minute and ``concurrency`` are None where the
    connection leaves them to be learnt. ``base_url`` has no slash at its end.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )

    allow_http: bool = False
    base_url: str = DEFAULT_BASE_URL
    organization: HeaderText | None = None
    project: HeaderText | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    images_per_minute: Count | None = None
    requests_per_day: Count | None = None
    concurrency: Annotated[Count, Field(le=512)] | None = None
    timeout: Seconds = 600.0
    default_headers: HeaderMap = Field(default_factory=dict)
    ca_bundle: PathText | None = None
    proxy: SecretStr | None = None

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, text: str, info: ValidationInfo) -> str:
        base_url = read_base_url(text, default_path=SERVERS[info.data.get("server", "openai")].path)
        origin = split_url(base_url).origin
        may_be_plain = is_loopback(origin.host) or info.data.get("allow_http", True)
        if origin.scheme == "http" and not may_be_plain:
            raise ValueError(
                "is plain http, which would send the key in clear text; "
                "use https, or set allow_http to true in the extra if the network is safe"
            )
        return base_url

    @field_validator("default_headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        own = info.data.get("key_header") or AUTH_MODES[info.data.get("auth", "none")].header
        self_set = {own.lower(): "carries the key"}
        if faults := header_faults(headers, self_set | RESERVED_OF_REQUESTS):
            raise ValueError(f"can't be sent: {', '.join(faults)}")
        return headers

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        return None if proxy is None else SecretStr(read_proxy_url(proxy.get_secret_value()))

    @property
    def address(self) -> str:
        """Give where requests go: the base URL, and below it the deployment, where there is but one."""
        return f"{self.base_url}/deployments/{self.deployment}" if self.deployment else self.base_url

    @property
    def secrets(self) -> tuple[str, ...]:
        """Give every value that must never be shown, for :func:`~.redaction.redact`."""
        key = (self.api_key.get_secret_value(),) if self.api_key else ()
        proxy = proxy_secrets(self.proxy.get_secret_value()) if self.proxy else ()
        return (*key, *proxy, *secret_values(self.default_headers))

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show the names of the headers, not their values."""
        for name, value in super().__repr_args__():
            yield (name, sorted(value)) if name == "default_headers" else (name, value)


def read_settings(
    *,
    conn_type: str | None,
    host: str | None = None,
    login: str | None = None,
    password: str | None = None,
    schema: str | None = None,
    port: int | str | None = None,
    extra: str | Mapping[str, Any] | None = None,
    auth: str | None = None,
) -> ConnectionSettings:
    """Read the fields of an Airflow connection of the type ``openai_dest`` or ``openai``.

    Empty text and None mean unset, numbers and booleans may be typed or text. Raises one
    :class:`ConfigurationError` that names every fault, and never the key or a proxy's password.

    :param extra: the JSON text of the connection, or what it reads as.
    :param auth: wins over what the connection says: ``none`` where the caller has a token of his own.
    """
    faults = [*_type_faults(conn_type), *_login_faults(login, password)]
    values: dict[str, Any] = {"api_key": password}
    try:
        values["base_url"] = join_address(host, schema, port)
    except ValueError as fault:
        faults.append(FIELDS["base_url"].fault(fault))
    hidden = _raw_secrets(login, password)
    try:
        values |= _read_extra_fields(extra, hidden)
    except ValueError as fault:
        faults.append(Fault("Extra", str(fault)))
    values |= {"auth": auth} if auth else {}
    hidden += _raw_secrets(values["api_key"], values.get("proxy"))
    return fill(ConnectionSettings, values, fields=FIELDS, faults=faults, secrets=hidden)


def _type_faults(conn_type: str | None) -> Iterator[Fault]:
    if (conn_type or "").replace("-", "_") not in (CONN_TYPE, OFFICIAL_CONN_TYPE):
        yield Fault("Connection type", f"is {conn_type!r}; it must be {CONN_TYPE!r} (or {OFFICIAL_CONN_TYPE!r})")


def _login_faults(login: str | None, password: str | None) -> Iterator[Fault]:
    if is_unset(password) and not is_unset(login):
        yield Fault("Login", "is set and the password is not; the API key belongs in the password")


def _read_extra_fields(extra: str | Mapping[str, Any] | None, hidden: tuple[str, ...]) -> dict[str, Any]:
    given = read_extra(extra)
    if (mode := str(given.get("auth_type", "api_key"))) not in _OFFICIAL_AUTH:
        raise ValueError(f"auth_type is {mode!r}; it must be one of {', '.join(_OFFICIAL_AUTH)}, or use auth")
    warn_of_unknown(given, (*EXTRAS, *_OFFICIAL_EXTRAS), hidden)
    values: dict[str, Any] = {"auth": _OFFICIAL_AUTH[mode]}
    for name, attribute in EXTRAS.items():
        if name in given and values.get(attribute) is None:
            values[attribute] = given[name]
    return values | _read_client_kwargs(given.get("openai_client_kwargs", {}), hidden)


def _read_client_kwargs(value: object, hidden: tuple[str, ...]) -> dict[str, Any]:
    try:
        given = read_extra(value) if isinstance(value, (str, Mapping)) else None
    except ValueError:
        given = None
    if given is None:
        raise ValueError("openai_client_kwargs is no JSON object; leave it out")
    warn_of_unknown(given, (*CLIENT_KWARGS, *_CLIENT_KWARGS_IGNORED), hidden)
    return {name: given[name] for name in CLIENT_KWARGS if name in given}


def _raw_secrets(*values: object) -> tuple[str, ...]:
    """Give what was typed where a secret belongs, also when it is wrong, and its words: a fault may quote any field."""
    texts = [value for value in values if isinstance(value, str)]
    parts = [part for text in texts for part in (*text.split(), *proxy_secrets(text))]
    return (*texts, *parts)
