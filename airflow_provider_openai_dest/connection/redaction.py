"""Redaction: take every secret out of a text before a person, a log or a file sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"

_SHORTEST = 4  # a shorter "secret" would blot out half of any text, and Airflow's own masker stops there too

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # OpenAI's keys, whole or as the API echoes them: sk-proj-ab**********yz; also after an escaped newline
    (re.compile(r"(?:(?<![A-Za-z])|(?<=\\[nrt]))sk-[A-Za-z0-9_*.-]{4,}"), f"sk-{HIDDEN}"),
    # Standard Webhooks signing secrets
    (re.compile(r"whsec_[A-Za-z0-9+/=_*-]+"), f"whsec_{HIDDEN}"),
    # credentials of an Authorization header, with or without its name
    (re.compile(r"\b(Bearer)\s+[^\s\"',;<>)]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(r"\b(authorization[\"']?\s*[:=]\s*[\"']?)(?:[A-Za-z]+ +)?[^\s\"',;<>)]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    # other headers and JSON fields by name: api-key: abc, "api_key": "abc", "password": "abc"
    (re.compile(r"\b(api[-_]?key[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&<>)]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"([\"'](?:password|secret|token)[\"']\s*:\s*[\"'])[^\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # user and password of a URL: https://user:password@host
    (re.compile(r"(\w:/{1,2})[^\s/?#\"'<>]*@"), rf"\1{HIDDEN}@"),
    # query values by name: ?token=abc&sig=def
    (
        re.compile(r"([?&](?:[\w-]*(?:token|signature|secret|key)|sig)=)[^&\s\"'<>]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace the given secrets, and all that has the shape of one, by ``***``.

    :param text: any text: an exception, the message of a server, a log line.
    :param secrets: values known to be secret; they are found plain, percent-encoded and JSON-escaped. Those under
        four characters are left, since they stand in every text.
    """
    spellings = {spelling for secret in secrets for spelling in spellings_of(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        if len(spelling) >= _SHORTEST:
            text = text.replace(spelling, HIDDEN)
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def spellings_of(secret: str) -> set[str]:
    """Give how a text may write a secret: plain, percent-encoded, or JSON-escaped, with or without its slashes.

    Backslashes may be doubled, since some errors quote an answer by its ``repr``.
    """
    quoted = quote(secret, safe="", errors="replace")
    escaped = json.dumps(secret)[1:-1]
    found = {secret, quoted, quoted.replace("%2F", "/"), escaped, escaped.replace("/", "\\/")}
    return found | {spelling.replace("\\", "\\\\") for spelling in found}
