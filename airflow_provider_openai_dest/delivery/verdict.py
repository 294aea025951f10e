"""Verdict: what a reply means for its records, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import httpx
import msgspec

from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.exceptions import RecordError

MESSAGE_LIMIT = 500


class Verdict(Enum):
    """The five things that a reply can mean."""

    DELIVERED = auto()
    REJECTED = auto()  # the record is at fault: quarantine it, go on
    RETRY = auto()  # the server is at fault: try again, counted
    WAIT = auto()  # the account's rate limit: everybody waits, not counted
    ABORT = auto()  # key, quota or project: stop at once


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTable:
    """What statuses and error codes mean. Codes and error types win over statuses; ``otherwise`` is for the rest."""

    by_code: Mapping[str, Verdict] = field(default_factory=dict)
    by_status: Mapping[int, Verdict] = field(default_factory=dict)
    server_error: Verdict = Verdict.RETRY
    otherwise: Verdict = Verdict.REJECTED
    obeys_should_retry: bool = True


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
    by_status={
        401: Verdict.ABORT,
        403: Verdict.ABORT,
        408: Verdict.RETRY,
        409: Verdict.RETRY,
        429: Verdict.WAIT,
    },
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the error that it rests on; no error for a delivery."""

    verdict: Verdict
    error: RecordError | None = None


def judge(response: httpx.Response, table: VerdictTable) -> Judgement:
    """Read what the server said; the answer's body is not looked at when the status is 2xx."""
    if response.is_success:
        return Judgement(Verdict.DELIVERED)
    error, kinds = _read_error(response)
    for kind in kinds:
        if kind in table.by_code:
            return Judgement(table.by_code[kind], error)
    return Judgement(_by_status(response, table), error)


def _by_status(response: httpx.Response, table: VerdictTable) -> Verdict:
    status = response.status_code
    if status in table.by_status:
        verdict = table.by_status[status]
    else:
        verdict = table.server_error if status >= httpx.codes.INTERNAL_SERVER_ERROR else table.otherwise
    said = response.headers.get("x-should-retry") if table.obeys_should_retry else None
    if said == "false" and verdict is Verdict.RETRY:
        return Verdict.REJECTED
    if said == "true" and verdict is Verdict.REJECTED:
        return Verdict.RETRY
    return verdict


def _read_error(response: httpx.Response) -> tuple[RecordError, tuple[str, ...]]:
    status = response.status_code
    body = _decoded(response.content)
    said = body.get("error", body) if isinstance(body, Mapping) else {}
    said = said if isinstance(said, Mapping) else {"message": said}
    code, kind, param = (_word(said.get(name)) for name in ("code", "type", "param"))
    message = said.get("message") or said.get("detail") or f"the server answered {status} {response.reason_phrase}"
    error = RecordError(
        code or kind or f"http_{status}", redact(str(message))[:MESSAGE_LIMIT], param=param, status=status
    )
    return error, tuple(word for word in (code, kind) if word)


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _word(value: Any) -> str | None:
    return str(value)[:100] if value not in (None, "") else None
