"""WebhookSettings: where answers are forwarded to, how they are signed, and which private networks may be reached."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from airflow_provider_openai_dest.connection.base_url import join_address
from airflow_provider_openai_dest.connection.field_types import HeaderMap, PathText, Seconds
from airflow_provider_openai_dest.connection.form import Fault, FormField, fill, read_extra, warn_of_unknown
from airflow_provider_openai_dest.connection.headers import RESERVED, header_faults, secret_values
from airflow_provider_openai_dest.connection.origin import Origin, split_url

WEBHOOK_CONN_TYPE = "openai_dest_webhook"

Network = IPv4Network | IPv6Network

FIELDS = {
    "signing_secrets": FormField(
        "Signing secret",
        "password",
        "whsec_ and the base64 of 24 to 64 random bytes, since unsigned webhooks are not sent; "
        "make one with: echo whsec_$(openssl rand -base64 32)",
        is_secret=True,
    ),
    "url": FormField("URL", "host", "the receiver's address, such as https://hooks.example/openai", is_secret=True),
    "headers": FormField(
        "Headers", "extra headers", 'a JSON object of texts such as {"X-Team": "search"}', is_secret=True
    ),
    "allowed_networks": FormField(
        "Allowed private networks", "extra allowed_private_networks", 'a list of networks such as ["10.20.0.0/16"]'
    ),
    "timeout": FormField("Timeout, seconds", "extra timeout", "a number of seconds above 0, at most 86400"),
    "ca_bundle": FormField("CA bundle", "extra ca_bundle", "the path of a PEM file or folder on the workers"),
}

# Names in the extra, and the setting of each.
EXTRAS = {
    "headers": "headers",
    "allowed_private_networks": "allowed_networks",
    "timeout": "timeout",
    "ca_bundle": "ca_bundle",
}

_RESERVED = {
    **RESERVED,
    "webhook-id": "is part of what is signed",
    "webhook-timestamp": "is part of what is signed",
    "webhook-signature": "is the signature",
}


def _split_words(value: object) -> object:
    """Take a list as it is, and a text as items between commas, blanks or new lines."""
    return [word for word in re.split(r"[\s,]+", value) if word] if isinstance(value, str) else value


def _read_networks(value: object) -> object:
    items = _split_words(value)
    if not isinstance(items, (list, tuple)):
        return items
    networks, faults = [], []
    for item in items:
        try:
            networks.append(ip_network(item if isinstance(item, (IPv4Network, IPv6Network)) else str(item).strip()))
        except ValueError as fault:
            faults.append(f"{str(item)[:60]!r} is no network ({str(fault)[:80]})")
    if faults:
        raise ValueError(f"can't be read: {', '.join(faults)}; write them as 10.20.0.0/16")
    return networks


def _secret_fault(secret: str) -> str | None:
    """Say what is wrong with a signing secret (Standard Webhooks 1.0, symmetric signatures); None when it is right."""
    if not secret.startswith("whsec_"):
        return "does not begin with whsec_"
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return "is no base64 after whsec_"
    return None if 24 <= len(key) <= 64 else f"has {len(key)} bytes; it must have 24 to 64"


class WebhookSettings(BaseModel):
    """What a webhook connection says; frozen, picklable, and its text form shows neither secret nor URL.

    Plain http is taken only with ``allowed_networks``; then every address of the host must be inside them, which
    :func:`~.webhook_address.checked_address` sees to. ``timeout`` is in seconds. With two ``signing_secrets`` each
    item is signed with both, the first being the new one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )

    signing_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_split_words)]
    allowed_networks: Annotated[tuple[Network, ...], BeforeValidator(_read_networks)] = ()
    url: Annotated[str, Field(repr=False)]
    headers: HeaderMap = Field(default_factory=dict)
    timeout: Seconds = 20.0
    ca_bundle: PathText | None = None

    @field_validator("signing_secrets")
    @classmethod
    def _check_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not 1 <= len(secrets) <= 2:
            raise ValueError(
                f"holds {len(secrets)} secrets; give one, or two with a blank between them: the new and the old"
            )
        for place, secret in zip(("the first", "the second"), secrets, strict=False):
            if fault := _secret_fault(secret.get_secret_value()):
                where = f"{place} " if len(secrets) > 1 else ""
                raise ValueError(f"{where}{fault}; make one with: echo whsec_$(openssl rand -base64 32)")
        return secrets

    @field_validator("url")
    @classmethod
    def _check_url(cls, text: str, info: ValidationInfo) -> str:
        parts = split_url(text.strip())
        allowed = info.data.get("allowed_networks")
        if parts.origin.scheme == "http" and allowed is not None and not _may_be_inside(parts.origin.host, allowed):
            raise ValueError(
                "is plain http; use https, or name the receiver's network in the extra allowed_private_networks"
            )
        return f"{parts.origin}{parts.path or '/'}" + ("" if parts.query is None else f"?{parts.query}")

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        if faults := header_faults(headers, _RESERVED):
            raise ValueError(f"can't be sent: {', '.join(faults)}")
        return headers

    @property
    def origin(self) -> Origin:
        """Give scheme, host and port of the receiver: what a log may show of the URL."""
        return split_url(self.url).origin

    @property
    def secrets(self) -> tuple[str, ...]:
        """Give every value that must never be shown, for :func:`~.redaction.redact`."""
        return (
            *(secret.get_secret_value() for secret in self.signing_secrets),
            *secret_values(self.headers),
            *_secrets_of_url(self.url),
        )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show the receiver's origin for its URL, and the names of the headers only."""
        yield "origin", str(self.origin)
        for name, value in super().__repr_args__():
            yield (name, sorted(value)) if name == "headers" else (name, value)


def read_webhook_settings(
    *,
    conn_type: str | None,
    host: str | None = None,
    login: str | None = None,
    password: str | None = None,
    schema: str | None = None,
    port: int | str | None = None,
    extra: str | Mapping[str, Any] | None = None,
) -> WebhookSettings:
    """Read the fields of an Airflow connection of the type ``openai_dest_webhook``.

    As :func:`~.settings.read_settings` does: one :class:`ConfigurationError` with every fault and no secret.
    """
    values: dict[str, Any] = {"signing_secrets": password}
    faults: list[Fault] = []
    hidden = tuple(word for text in (password, login) if text for word in (text, *text.split()))
    if (conn_type or "").replace("-", "_") != WEBHOOK_CONN_TYPE:
        faults.append(Fault("Connection type", f"is {conn_type!r}; it must be {WEBHOOK_CONN_TYPE!r}"))
    try:
        values["url"] = join_address(host, schema, port)
    except ValueError as fault:
        faults.append(FIELDS["url"].fault(fault))
    try:
        given = read_extra(extra)
    except ValueError as fault:
        faults.append(Fault("Extra", str(fault)))
        given = {}
    warn_of_unknown(given, EXTRAS, hidden)
    values |= {attribute: given[name] for name, attribute in EXTRAS.items() if name in given}
    return fill(WebhookSettings, values, fields=FIELDS, faults=faults, secrets=hidden)


def _may_be_inside(host: str, networks: tuple[Network, ...]) -> bool:
    """Tell whether a host can be in the networks; a name is resolved only when it is called, so it can."""
    try:
        address = ip_address(host)
    except ValueError:
        return bool(networks)
    return any(address in network for network in networks)


def _secrets_of_url(url: str) -> tuple[str, ...]:
    """Give path and query of a webhook's URL: many receivers put a token there."""
    parts = split_url(url)
    return tuple(part for part in (parts.path.strip("/"), parts.query) if part and len(part) >= 16)
