"""The connection test: one free request that says which field is wrong when it fails.

It asks for the list of models, which costs nothing, within ten seconds, and shows nothing of an answer except the
message of an error that has OpenAI's own form.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from airflow_provider_openai_dest.connection.diagnosis import failure_meaning, refusal_meaning
from airflow_provider_openai_dest.connection.redaction import HIDDEN, redact, spellings_of
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.exceptions import OpenAIDestError

DEADLINE = 10.0  # seconds
_LARGEST_ANSWER = 8_000_000  # bytes after decompression
_LONGEST_MESSAGE = 300

_NO_API = "Base URL: what answers there is no OpenAI API ({what}); OpenAI's ends in /v1"


def check_connection(
    client: httpx.Client,
    settings: ConnectionSettings,
    *,
    tokens: Sequence[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> tuple[bool, str]:
    """Ask for the models once and say what came of it, for the Test button: success, and a text for a person.

    :param client: of :func:`~.client.new_client`.
    :param tokens: the tokens that were sent, filled while it asks; they are cut out of the answer.
    """
    try:
        response, body = get_list(client, _question(settings), clock)
        for spelling in {spelling for token in tokens for spelling in spellings_of(token)}:
            body = body.replace(spelling.encode(), HIDDEN.encode())
        works, text = _read(response, body, settings)
    except OpenAIDestError as error:
        works, text = False, str(error)
    except httpx.HTTPError as error:
        works, text = False, f"{failure_meaning(error)} ({type(error).__name__}: {error})"
    return works, redact(text, settings.secrets)


def _question(settings: ConnectionSettings) -> str:
    """Give the path of the list that is asked for: an admin key may not see the models."""
    if settings.auth == "admin_key":
        return "/organization/projects"
    return f"/models?api-version={settings.api_version}" if settings.kind.has_deployments else "/models"


def get_list(
    client: httpx.Client, path: str, clock: Callable[[], float] = time.monotonic
) -> tuple[httpx.Response, bytes]:
    """Give the answer and its body, cut at the largest size; never waits longer than the deadline for a next piece."""
    ends = clock() + DEADLINE
    body = bytearray()
    timeout = httpx.Timeout(DEADLINE, connect=DEADLINE / 2)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    with client.stream("GET", path, timeout=timeout, headers=headers) as response:
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _LARGEST_ANSWER:
                break
            if clock() > ends:
                raise httpx.ReadTimeout("the answer trickles", request=response.request)
    return response, bytes(body)


def _read(response: httpx.Response, body: bytes, settings: ConnectionSettings) -> tuple[bool, str]:
    answer = _parse(body)
    if not response.is_success:
        code, message = _error_of(answer)
        meaning = refusal_meaning(response.status_code, f"{settings.auth} {code} {message}")
        said = f", it says: {_shown(message, settings, _LONGEST_MESSAGE)}" if message else ""
        return False, f"{meaning} (HTTP {response.status_code}{said})"
    models = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(models, list):
        return False, _NO_API.format(what=_kind_of(response, body, answer))
    return True, f"Connected to {settings.base_url}: {', '.join(_findings(models, response.headers, settings))}"


def _findings(models: list[Any], headers: Mapping[str, str], settings: ConnectionSettings) -> Iterator[str]:
    thing = "project" if settings.auth == "admin_key" else "model"
    yield f"{len(models)} {thing}{'' if len(models) == 1 else 's'}"
    if organization := headers.get("openai-organization"):
        yield f"organization {_shown(organization, settings)}"
    for what in ("requests", "tokens"):
        left, limit = headers.get(f"x-ratelimit-remaining-{what}"), headers.get(f"x-ratelimit-limit-{what}")
        if left and limit:
            yield f"{_shown(left, settings)} of {_shown(limit, settings)} {what} a minute left"


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error_of(answer: Any) -> tuple[str, str]:
    """Give code and message of an error in OpenAI's form, else two empty texts."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return "", ""
    message = error.get("message")
    return f"{error.get('code')} {error.get('type')}", message if isinstance(message, str) else ""


def _kind_of(response: httpx.Response, body: bytes, answer: Any) -> str:
    if body.lstrip()[:1] == b"<" or "html" in response.headers.get("content-type", "").lower():
        return "it sent an HTML page, perhaps a login page or a website"
    if len(body) > _LARGEST_ANSWER:
        return "its answer is too long"
    return "its answer has no list of models" if answer is not None else "its answer is no JSON"


def _shown(text: str, settings: ConnectionSettings, longest: int = 60) -> str:
    """Take the secrets out before the text is cut, as half a key is one too."""
    return re.sub(r"[^\x20-\x7e]", " ", redact(text, settings.secrets))[:longest]
