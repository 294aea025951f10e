"""What the hooks take from an Airflow connection, and what they tell Airflow to hide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import airflow.sdk.log

from airflow_provider_openai_dest.connection.token import FetchToken, Token
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Connection

_FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")


def fields_of(connection: Connection) -> dict[str, Any]:
    """Give the plain values of a connection; the extra as its text, so that broken JSON is named and not dropped."""
    return {name: getattr(connection, name) for name in _FIELDS}


@contextmanager
def named_faults(conn_id: str) -> Iterator[None]:
    """Say in every fault which connection has it."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(*(f"Connection {conn_id!r}: {fault}" for fault in error.faults)) from None


def named_fetch(fetch: FetchToken, conn_id: str) -> FetchToken:
    """Say of a token that can't be had which connection it is of."""

    def fetch_named() -> Token:
        try:
            with named_faults(conn_id):
                return fetch()
        except TransientError as error:
            raise TransientError(f"Connection {conn_id!r}: {error}") from error

    return fetch_named


def mask(secrets: Iterable[str]) -> None:
    """Have Airflow hide these in the task's log; it knows the password and extra as a whole, not what is inside."""
    for secret in secrets:
        airflow.sdk.log.mask_secret(secret)


async def amask(secrets: Iterable[str]) -> None:
    """Do the same on an event loop, where Airflow has a way to (3.3.2); before, it hides what it fetched itself."""
    if mask_one := getattr(airflow.sdk.log, "amask_secret", None):
        for secret in secrets:
            await mask_one(secret)
