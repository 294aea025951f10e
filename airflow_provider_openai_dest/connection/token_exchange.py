"""Token exchange: how each authentication gets its token. Facts: the official SDK's ``openai/auth/_workload.py``.

OpenAI's workload identity takes a token of the machine's own, the subject, and gives one of OpenAI's for it (RFC 8693).
Redirects are not followed, the certificates are checked, and a request takes at most ten seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_openai_dest.connection.auth_fields import AZURE_AUDIENCE
from airflow_provider_openai_dest.connection.callables import call, load
from airflow_provider_openai_dest.connection.headers import is_header_value
from airflow_provider_openai_dest.connection.proxy import proxy_url
from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.tls import new_ssl_context
from airflow_provider_openai_dest.connection.token import FetchToken, Token
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TYPES = {"jwt": "urn:ietf:params:oauth:token-type:jwt", "id": "urn:ietf:params:oauth:token-type:id_token"}

# The addresses of the machine's own metadata services, which no name and no proxy leads to.
IMDS_URL = "http://169.254.169.254/metadata/identity/oauth2/token"
IMDS_VERSION = "2018-02-01"
GCP_URL = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity"

SUBJECT_AUDIENCES = {"azure": "https://management.azure.com/", "gcp": "https://api.openai.com/v1"}

SECONDS = 10.0
_REFUSED = (400, 401, 403)
_LONGEST_REASON = 300


def new_fetch(
    settings: ConnectionSettings,
    token_callable: Callable[[], Any] | None = None,
    *,
    transport: httpx.BaseTransport | None = None,
) -> FetchToken | None:
    """Give what fetches the tokens of a connection; None where its key is always the same.

    :param token_callable: gives the token, whatever the connection says.
    :param transport: what stands in for the network, in tests.
    """
    if token_callable is not None:
        return lambda: call(token_callable)
    if settings.auth == "token_callable":
        return lambda: _called(settings.auth_callable, "Token function (extra auth_callable)")
    if settings.auth == "azure":
        return lambda: _read_token(_imds(settings, settings.audience or AZURE_AUDIENCE, transport), "Azure's IMDS")
    if settings.auth == "workload_identity":
        return lambda: _exchanged(settings, transport)
    return None


def _called(path: str | None, field: str) -> Token:
    return call(load(path, field), f"{field} {path!r}")


def _exchanged(settings: ConnectionSettings, transport: httpx.BaseTransport | None) -> Token:
    source = settings.workload_identity_provider or "kubernetes"
    kind = {"gcp": "id", "custom": settings.subject_type}.get(source, "jwt")
    body = {
        "grant_type": GRANT_TYPE,
        "subject_token": SUBJECTS[source](settings, transport),
        "subject_token_type": SUBJECT_TYPES[kind],
        "identity_provider_id": settings.identity_provider_id,
        "service_account_id": settings.workload_account_id,
    }
    where = f"The token exchange at {settings.exchange_url}"
    transport = transport or httpx.HTTPTransport(
        verify=new_ssl_context(settings.ca_bundle), proxy=proxy_url(settings, settings.exchange_url), trust_env=False
    )
    answer = _ask(transport, where, "POST", settings.exchange_url, json=body)
    return _read_token(_object(answer, where), where)


def _cluster_subject(settings: ConnectionSettings, _transport: httpx.BaseTransport | None) -> str:
    """Read the service account's token, which the cluster puts there and renews."""
    try:
        token = Path(settings.subject_file).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Subject file (extra subject_file) {settings.subject_file!r} can't be read on this machine: "
            f"{type(error).__name__}"
        ) from None
    if not token:
        raise ConfigurationError(f"Subject file (extra subject_file) {settings.subject_file!r} is empty")
    return token


def _azure_subject(settings: ConnectionSettings, transport: httpx.BaseTransport | None) -> str:
    answer = _imds(settings, settings.audience or SUBJECT_AUDIENCES["azure"], transport)
    return _read_token(answer, "Azure's IMDS").value


def _gcp_subject(settings: ConnectionSettings, transport: httpx.BaseTransport | None) -> str:
    parameters = {"audience": settings.audience or SUBJECT_AUDIENCES["gcp"]}
    where = "GCP's metadata server"
    answer = _ask(_local(transport), where, "GET", GCP_URL, params=parameters, headers={"Metadata-Flavor": "Google"})
    return _text(answer.text.strip(), where)


def _custom_subject(settings: ConnectionSettings, _transport: httpx.BaseTransport | None) -> str:
    return _called(settings.subject_callable, "Subject function (extra subject_callable)").value


SUBJECTS: Mapping[str, Callable[[ConnectionSettings, httpx.BaseTransport | None], str]] = {
    "kubernetes": _cluster_subject,
    "azure": _azure_subject,
    "gcp": _gcp_subject,
    "custom": _custom_subject,
}


def _imds(settings: ConnectionSettings, resource: str, transport: httpx.BaseTransport | None) -> dict[str, Any]:
    parameters = {"api-version": IMDS_VERSION, "resource": resource}
    for name in ("object_id", "client_id", "msi_res_id"):
        if value := getattr(settings, name):
            parameters[name] = value
    where = "Azure's IMDS"
    answer = _ask(_local(transport), where, "GET", IMDS_URL, params=parameters, headers={"Metadata": "true"})
    return _object(answer, where)


def _local(transport: httpx.BaseTransport | None) -> httpx.BaseTransport:
    return transport or httpx.HTTPTransport(trust_env=False)


def _ask(transport: httpx.BaseTransport, where: str, method: str, url: str, **parts: Any) -> httpx.Response:
    """Ask once; TransientError when no answer comes or the server has trouble, ConfigurationError when it refuses."""
    try:
        with httpx.Client(transport=transport, timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            answer = client.request(method, url, **parts)
    except httpx.HTTPError as error:
        raise TransientError(f"{where} gave no answer: {type(error).__name__}") from None
    if answer.status_code in _REFUSED:
        raise ConfigurationError(f"{where} refused with HTTP {answer.status_code}{_reason(answer)}")
    if answer.status_code != 200:
        raise TransientError(f"{where} answered HTTP {answer.status_code}")
    return answer


def _reason(answer: httpx.Response) -> str:
    """Give the ``error`` and ``error_description`` of an OAuth refusal (RFC 6749, section 5.2), without secrets."""
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return ""
    said = [str(body[name]) for name in ("error", "error_description") if body.get(name)] if _is_object(body) else []
    sent = json.loads(answer.request.content or b"{}").get("subject_token", "") if said else ""
    return "".join(f": {redact(text, (sent,))[:_LONGEST_REASON]}" for text in said)


def _object(answer: httpx.Response, where: str) -> dict[str, Any]:
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        body = None
    if not _is_object(body):
        raise TransientError(f"{where} gave no JSON object")
    found: dict[str, Any] = body
    return found


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _read_token(answer: Mapping[str, Any], where: str) -> Token:
    """Read ``access_token`` and ``expires_in``, seconds as a number or, of IMDS, as a text."""
    value = _text(answer.get("access_token"), where)
    try:
        seconds = float(answer["expires_in"])
    except (KeyError, TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise TransientError(f"{where} did not say how long its token is good")
    return Token(value=value, expires_in=seconds)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not is_header_value(value):
        raise TransientError(f"{where} gave no token")
    return value
