"""Model dates: whether a model has ended or soon will, told before anything is sent.

``GET /models`` gives each model that a key may use, with its ``shutdown_date``
(https://platform.openai.com/docs/api-reference/models/list). It is free, is asked once a day for each key, and
whatever comes of it stops no delivery but that of a model which has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import httpx

from airflow_provider_openai_dest.connection.check import get_list
from airflow_provider_openai_dest.connection.client import new_client
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.shutdowns import DEPRECATIONS, SHUTDOWNS, Shutdown
from airflow_provider_openai_dest.exceptions import ConfigurationError

SOON_DAYS = 60
KEPT_SECONDS = 24 * 3600
FAILED_SECONDS = 3600
"""How long an answer is taken for true, and how long a server that gave none is not asked again."""

MOST_MODELS = 5_000
"""Models of a list that is believed; OpenAI has some hundred."""

Dates = Mapping[str, str | None]
"""Each model that is served, and its shutdown date where the server says one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of a model: ``ended`` stops the delivery, ``warning`` and ``note`` are lines in the log."""

    kind: Literal["ended", "warning", "note"]
    text: str


def judge_model(model: str, served: Dates | None, today: date) -> Finding | None:
    """Say what is known of a model; None when there is nothing to say.

    A model has ended when the server's own date has passed, or when the server does not list it and OpenAI has
    announced its end. Without dates nothing is sure: some servers give an old name to a model of their own.

    :param served: what the server lists with dates; None when it does not.
    """
    announced = SHUTDOWNS.get(model)
    if served is None:
        return _without_list(model, announced, today)
    if model not in served:
        if announced is not None and _days(announced.date, today) <= 0:
            return Finding("ended", f"the model {model!r} was shut down on {announced.date}{_instead(announced)}")
        close = get_close_matches(model, served, n=1, cutoff=0.8)
        nearby = f": did you mean {close[0]!r}?" if close else ""
        return Finding("note", f"the model {model!r} is not in the list of models that this key may use{nearby}")
    return _by_date(model, served[model], announced, today)


def check_model(
    model: str,
    settings: ConnectionSettings,
    cache: Path,
    *,
    now: float,
    transport: httpx.BaseTransport | None = None,
) -> Finding | None:
    """Look the model up, and give what is to be logged; raises ConfigurationError when it has ended.

    It costs at most one GET of ten seconds, and none while the cache is fresh.

    :param cache: local folder for what the server said; it is made, and where it can't be written the server is asked.
    :param now: seconds since 1970.
    :param transport: what stands in for the network, in tests.
    """
    served = _served(cache / cache_name(settings), now, lambda: _ask(settings, transport))
    finding = judge_model(model, served, datetime.fromtimestamp(now, UTC).date())
    if finding is not None and finding.kind == "ended":
        raise ConfigurationError(finding.text)
    return finding


def has_dates(settings: ConnectionSettings) -> bool:
    """Tell whether this is asked at all: of an API key, which is no admin's, and of models, not of deployments."""
    return settings.api_key is not None and settings.auth != "admin_key" and not settings.kind.has_deployments


def cache_name(settings: ConnectionSettings) -> str:
    """Name the file for what this key may use at this address; the key can't be read from it."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    parts = (settings.base_url, settings.organization, settings.project, key)
    return f"models-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}.json"


def _without_list(model: str, announced: Shutdown | None, today: date) -> Finding | None:
    if announced is None or _days(announced.date, today) > SOON_DAYS:
        return None
    said = f"OpenAI ends the model {model!r} on {announced.date}{_instead(announced)}"
    return Finding("warning", f"{said}; this server itself tells no dates of models")


def _by_date(model: str, said: str | None, announced: Shutdown | None, today: date) -> Finding | None:
    if said is None or (days := _days(said, today)) > SOON_DAYS:
        return None
    instead = _instead(announced)
    if days <= 0:
        return Finding("ended", f"the model {model!r} was shut down on {said}{instead}")
    return Finding("warning", f"the model {model!r} will be shut down on {said} (days left: {days}){instead}")


def _days(said: str, today: date) -> int:
    return (date.fromisoformat(said) - today).days


def _instead(announced: Shutdown | None) -> str:
    if announced is None:
        return ""
    return f": use {announced.successor} instead" if announced.successor else f": {DEPRECATIONS} lists replacements"


def _served(file: Path, now: float, ask: Callable[[], Dates | None]) -> Dates | None:
    is_fresh, served = _read(file, now)
    if is_fresh:
        return served
    served = ask()
    with suppress(OSError):  # the next task asks again
        _write(file, {"asked": now, "served": served})
    return served


def _read(file: Path, now: float) -> tuple[bool, Dates | None]:
    """Give whether the file still holds, and what it says; one that can't be read is none."""
    try:
        row = json.loads(file.read_bytes())
        age, served = now - row["asked"], row["served"]
        if served is None:
            return 0 <= age < FAILED_SECONDS, None
        return 0 <= age < KEPT_SECONDS, {name: _as_date(said) for name, said in served.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False, None


def _write(file: Path, row: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(row, stream)
    part.replace(file)


def _ask(settings: ConnectionSettings, transport: httpx.BaseTransport | None) -> dict[str, str | None] | None:
    """Ask the server; None when it gives no list, whatever the reason: the delivery itself will tell it."""
    try:
        with new_client(settings, transport=transport) as client:
            response, body = get_list(client, "/models")
        return _dates_in(json.loads(body)) if response.is_success else None
    except Exception:  # noqa: BLE001 - what is wrong with the connection stops the delivery itself, with its reason
        return None


def _dates_in(answer: Any) -> dict[str, str | None] | None:
    """Give the models of a list that tells dates; gateways have lists of their own names, which say nothing of ours."""
    models = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(models, list) or len(models) > MOST_MODELS:
        return None
    known = [model for model in models if isinstance(model, dict) and isinstance(model.get("id"), str)]
    if not any("shutdown_date" in model for model in known):
        return None
    return {model["id"]: _as_date(model.get("shutdown_date")) for model in known}


def _as_date(said: Any) -> str | None:
    """Give a date in the form ``YYYY-MM-DD``; a server may say anything in its place."""
    with suppress(ValueError, TypeError):
        return date.fromisoformat(said).isoformat()
    return None
