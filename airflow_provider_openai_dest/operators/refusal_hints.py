"""Refusal hints: which field of an Airflow connection a refusal may mean, by the connection's own name."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.delivery.verdict import Hint

NO_BASE64 = r"base64.*\bnot\b.*support|unsupported.*base64|encoding_format"


def refusal_hints(settings: ConnectionSettings, conn_id: str) -> Iterator[Hint]:
    """Give what a delivery's refusals say beside the server's words.

    :param conn_id: the connection; empty where the account is that of the variables of OpenAI's own client.
    """
    yield Hint(401, "", _credential(settings, conn_id))
    if settings.server == "openai" and conn_id:
        text = f"is this a server of another kind? Then say which in Server of the connection {conn_id!r}"
        yield Hint(400, NO_BASE64, text)


def _credential(settings: ConnectionSettings, conn_id: str) -> str:
    if not conn_id:
        return "the key is that of OPENAI_API_KEY"
    if settings.mode.has_token:
        return f"the token is that of Authentication {settings.auth!r} of the connection {conn_id!r}"
    if settings.api_key is None:
        return f"the connection {conn_id!r} has no key: put one into its password"
    return f"the key is the password of the connection {conn_id!r}"
