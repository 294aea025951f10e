"""Callables: functions of a Dag author's own that give a token, by their dotted path or as they are."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from airflow_provider_openai_dest.connection.headers import is_header_value
from airflow_provider_openai_dest.connection.token import Token
from airflow_provider_openai_dest.exceptions import ConfigurationError, OpenAIDestError, TransientError


def load(path: str | None, field: str) -> Callable[[], Any]:
    """Import ``package.module.function``; raises ConfigurationError with the field that names it."""
    module, _, name = (path or "").rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{field} {path!r} can't be imported: {error}") from None
    if not callable(found):
        raise ConfigurationError(f"{field} {path!r} is no function")
    loaded: Callable[[], Any] = found
    return loaded


def call(function: Callable[[], Any], name: str | None = None) -> Token:
    """Call it, await it when it is asynchronous, and read what it gives.

    :param name: what an error calls it, such as the connection's field and the dotted path there; else its own name.

    A text is a token of unknown lifetime. An object with ``token`` and ``expires_on`` (Unix seconds), such as the
    ``AccessToken`` of azure-identity, says it itself. Whatever it raises is told by its type only.
    """
    try:
        given = function()
        if inspect.isawaitable(given):
            given = asyncio.run(_awaited(given))
    except OpenAIDestError:
        raise
    except Exception as error:
        raise TransientError(f"{name or _name_of(function)} raised {type(error).__name__}") from error
    value = given if isinstance(given, str) else getattr(given, "token", None)
    if not isinstance(value, str) or not is_header_value(value):
        raise ConfigurationError(
            f"{name or _name_of(function)} must give a token: a text, or an object with token and expires_on"
        )
    expires_on = getattr(given, "expires_on", None)
    if isinstance(expires_on, (int, float)):
        return Token(value=value, expires_in=max(0.0, expires_on - time.time()))
    return Token(value=value)


def _name_of(function: Callable[[], Any]) -> str:
    named = getattr(function, "__qualname__", type(function).__qualname__)
    return f"the token function {getattr(function, '__module__', None) or ''}.{named}"


async def _awaited(given: Any) -> Any:
    return await given
