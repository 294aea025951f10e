"""Verdict: what a reply means for its records, as tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec

from airflow_provider_openai_dest.connection.base_url import NOTHING_THERE
from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.wire.wire import Reply

MESSAGE_LIMIT = 500
WORD_LIMIT = 100
FIRST_SERVER_ERROR = 500

BLAMES_CONTENT = frozenset({400, 413, 422, 429})
"""Statuses of a refusal that is about what the request holds, so that half of it may pass. Of the 429s only the one
that says that the request is larger than the limit is a refusal at all."""


class Verdict(Enum):
    """The five things that a reply can mean."""

    DELIVERED = auto()
    REJECTED = auto()  # the record is at fault: quarantine it, go on
    RETRY = auto()  # the server is at fault: try again, counted
    WAIT = auto()  # the account's rate limit: everybody waits, not counted
    ABORT = auto()  # key, quota, project or address: stop at once


class Hint(NamedTuple):
    """What a refusal may mean beyond what the server says.

    :param status: the HTTP status it is for.
    :param words: a pattern to be found in the error's code and message, in any case; ``^$`` is a body that is no error
        of the API's.
    :param text: which field of the connection to look at.
    """

    status: int
    words: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTable:
    """What statuses and error codes mean. Codes and error types win over messages, and these over statuses.

    :param by_code: by ``error.code`` or ``error.type``.
    :param by_message: by how ``error.message`` begins.
    :param by_status: by HTTP status.
    :param server_error: for the other statuses from 500 on.
    :param otherwise: for the rest.
    :param obeys_should_retry: whether the server's ``x-should-retry`` has the last word.
    :param stops_alike: by status or code, so many first records, all refused with the same words, are not at fault
        themselves but the model, the project or the template: the rest is not sent.
    :param hints: what a refusal may mean; the first that fits is told.
    :param stops_alike_otherwise: the same for the other refusals; None never stops.
    :param refuses_pages: whether a success that is an HTML page is none: some gateway's login page, with status 200.
    """

    by_code: Mapping[str, Verdict] = field(default_factory=dict)
    by_message: Mapping[str, Verdict] = field(default_factory=dict)
    by_status: Mapping[int, Verdict] = field(default_factory=dict)
    server_error: Verdict = Verdict.RETRY
    otherwise: Verdict = Verdict.REJECTED
    obeys_should_retry: bool = True
    stops_alike: Mapping[int | str, int] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()
    stops_alike_otherwise: int | None = None
    refuses_pages: bool = False


REDIRECTS = (301, 302, 303, 307, 308)

# https://platform.openai.com/docs/guides/error-codes; the spending codes never end by waiting.
OPENAI = VerdictTable(
    by_code={
        "insufficient_quota": Verdict.ABORT,
        "credit_balance_exhausted": Verdict.ABORT,
        "organization_spend_limit_exceeded": Verdict.ABORT,
        "project_spend_limit_exceeded": Verdict.ABORT,
        "organization_usage_limit_exceeded": Verdict.ABORT,
        "billing_hard_limit_reached": Verdict.ABORT,
        "invalid_api_key": Verdict.ABORT,
    },
    # A 429 with the code rate_limit_exceeded, although no wait ends it: the request alone is above the limit a minute.
    by_message={"Request too large": Verdict.REJECTED},
    by_status={
        401: Verdict.ABORT,
        403: Verdict.ABORT,
        408: Verdict.RETRY,
        409: Verdict.RETRY,
        429: Verdict.WAIT,
    },
    stops_alike={403: 10, 404: 10},
    hints=(
        Hint(
            404,
            "^$",
            "what answers there may be no OpenAI API: look at the connection's base URL, OpenAI's ends in /v1",
        ),
        *(Hint(status, "", "redirects are not followed: look at the connection's base URL") for status in REDIRECTS),
    ),
    stops_alike_otherwise=20,
    refuses_pages=True,
)

UNKNOWN_URL = tuple(f"Invalid URL ({method} /" for method in ("DELETE", "GET", "PATCH", "POST", "PUT"))
"""How the API itself says that it has no such path."""

# Where no record has a part in the path, a path that is not there is everybody's fault.
ONE_ADDRESS = replace(
    OPENAI,
    by_message={**OPENAI.by_message, **dict.fromkeys(UNKNOWN_URL, Verdict.ABORT)},
    stops_alike={**OPENAI.stops_alike, "http_404": 3},
    hints=(*OPENAI.hints, Hint(404, r"Invalid URL \(", NOTHING_THERE)),
)

# Standard Webhooks 1.0: only 2xx is success, 3xx is a failure, 410 stops for ever, 429, 502 and 504 ask to slow down.
WEBHOOK = VerdictTable(
    by_status={
        408: Verdict.RETRY,
        409: Verdict.RETRY,
        410: Verdict.ABORT,
        425: Verdict.RETRY,
        429: Verdict.WAIT,
    },
    obeys_should_retry=False,
)


def table_of(path: str, *hints: Hint) -> VerdictTable:
    """Give the table of an endpoint of the API by its path, with what its connection adds."""
    table = OPENAI if "{" in path else ONE_ADDRESS
    return replace(table, hints=(*hints, *table.hints))


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with the error that it rests on; no error for a delivery."""

    verdict: Verdict
    error: RecordError | None = None


def judge(response: Reply, table: VerdictTable) -> Judgement:
    """Read what the server said; the answer's body is not looked at when the status is 2xx."""
    if response.is_success:
        is_page = table.refuses_pages and response.headers.get("content-type", "").startswith("text/html")
        return Judgement(Verdict.REJECTED, _page(response.status_code)) if is_page else _DELIVERED
    error, kinds = _read_error(response, table)
    for kind in kinds:
        if kind in table.by_code:
            return Judgement(table.by_code[kind], error)
    for beginning, verdict in table.by_message.items():
        if error.message.startswith(beginning):
            return Judgement(verdict, error)
    return Judgement(_by_status(response, table), error)


_DELIVERED = Judgement(Verdict.DELIVERED)


def _page(status: int) -> RecordError:
    words = "the answer is an HTML page, perhaps a login page: look at the connection's base URL, and at its proxy"
    return RecordError("bad_answer", words, status=status)


def _by_status(response: Reply, table: VerdictTable) -> Verdict:
    status = response.status_code
    if status in table.by_status:
        verdict = table.by_status[status]
    else:
        verdict = table.server_error if status >= FIRST_SERVER_ERROR else table.otherwise
    said = response.headers.get("x-should-retry", "") if table.obeys_should_retry else ""
    return _SHOULD_RETRY.get((said.strip().lower(), verdict), verdict)


# A rate limit that never ends is no rate limit: stopping loses nothing, since the rest stays pending.
_SHOULD_RETRY = {
    ("false", Verdict.RETRY): Verdict.REJECTED,
    ("false", Verdict.WAIT): Verdict.ABORT,
    ("true", Verdict.REJECTED): Verdict.RETRY,
}


def _read_error(response: Reply, table: VerdictTable) -> tuple[RecordError, tuple[str, ...]]:
    status = response.status_code
    body = _decoded(response.content)
    said = body.get("error", body) if isinstance(body, Mapping) else {}
    is_of_api = isinstance(said, Mapping) and bool(said.get("message"))
    said = said if isinstance(said, Mapping) else {"message": said}
    code, kind, param = (_text(said.get(name), WORD_LIMIT) for name in ("code", "type", "param"))
    message = _text(said.get("message"), MESSAGE_LIMIT) or _text(said.get("detail"), MESSAGE_LIMIT)
    message = message or f"the server answered {status} {response.reason_phrase}".rstrip()
    hint = _hint(table.hints, status, f"{code or ''} {message}" if is_of_api else "")
    more = "; ".join(filter(None, (_filtered(said), hint)))
    error = RecordError(
        code or kind or f"http_{status}",
        f"{message[: MESSAGE_LIMIT - len(more)]} ({more})" if more else message,
        param=param,
        status=status,
    )
    return error, tuple(word for word in (code, kind) if word)


def _hint(hints: Iterable[Hint], status: int, text: str) -> str:
    fitting = (hint.text for hint in hints if hint.status == status and re.search(hint.words, text, re.IGNORECASE))
    return next(fitting, "")


def _filtered(said: Mapping[str, Any]) -> str:
    """Name what Azure's content filter found: https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter."""
    inner = said.get("innererror")
    found = inner.get("content_filter_result") if isinstance(inner, Mapping) else None
    if not isinstance(found, Mapping):
        return ""
    names = [str(name) for name, what in found.items() if isinstance(what, Mapping) and what.get("filtered") is True]
    return (_text(f"filtered: {', '.join(names)}", WORD_LIMIT) or "") if names else ""


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _text(value: Any, limit: int) -> str | None:
    """Give what the server said as a text without secrets, of a bounded length; None when it said nothing."""
    if value is None or value == "":
        return None
    try:
        text = value if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists a thousand deep
        return None
    return redact(text[: 4 * limit])[:limit]
