"""What a fault makes of an answer before it is sent: tables of refusals and of alterations."""

from __future__ import annotations

import base64
import gzip
import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import EVENT_STREAM, Answer, ApiError
from airflow_provider_openai_dest.sandbox.faults import FaultRule
from airflow_provider_openai_dest.sandbox.rate_limit import wait_headers
from airflow_provider_openai_dest.sandbox.streams import error_event
from airflow_provider_openai_dest.sandbox.wire import EVENT_END

LOGIN_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in to the proxy.</body></html>"
DEFAULT_WAIT = 1.0  # seconds told with a 429 of the kind that passes

# status: the error's type and code when the rule names none
_BY_STATUS: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("service_unavailable_error", "server_is_overloaded"),
}
# code: the type that OpenAI sends with it
_TYPE_OF_CODE = {
    "insufficient_quota": "insufficient_quota",
    "credit_balance_exhausted": "insufficient_quota",
    "organization_spend_limit_exceeded": "insufficient_quota",
    "project_spend_limit_exceeded": "insufficient_quota",
    "organization_usage_limit_exceeded": "insufficient_quota",
    "billing_hard_limit_reached": "insufficient_quota",
    "slow_down": "rate_limit_error",
    "max_tokens_per_request": "max_tokens_per_request",
}
_PASSING = ("rate_limit_exceeded", "slow_down")  # OpenAI leaves Retry-After out where only a person can help


def instead_of_work(rule: FaultRule) -> Answer:
    """Give the answer of a fault that comes in place of the work."""
    match rule.mode:
        case "redirect":
            return Answer(status=307, content=b"", headers={"location": rule.to or "/"})
        case "html200":
            return Answer(content=LOGIN_PAGE, media_type="text/html; charset=utf-8")
        case _:
            return _refusal(rule)


def altered(answer: Answer, rule: FaultRule) -> Answer:
    """Give the answer as the fault leaves it; one that has nothing to alter (an error) stays whole."""
    if answer.media_type == EVENT_STREAM:
        return _STREAM_ALTERATIONS.get(rule.mode, _unaltered)(answer, rule)
    alter = _ALTERATIONS.get(rule.mode)
    return alter(answer, rule) if alter and isinstance(answer.content, dict) else answer


def _refusal(rule: FaultRule) -> Answer:
    status = rule.status or 500
    usual_type, usual_code = _BY_STATUS.get(status, _BY_STATUS[500] if status > 500 else _BY_STATUS[400])
    code = rule.code or usual_code
    wait = DEFAULT_WAIT if rule.retry_after is None and code in _PASSING else rule.retry_after
    return ApiError(
        status,
        rule.message or f"The sandbox was told to answer {status}.",
        type=rule.type or _TYPE_OF_CODE.get(code or "", usual_type),
        code=code,
        headers=wait_headers(wait) if wait else {},
    ).answer()


# -- alterations -----------------------------------------------------------------------------------


def _half_json(answer: Answer, _rule: FaultRule) -> Answer:
    body = answer.body()
    return replace(answer, content=body[: len(body) // 2])


def _bad_utf8(answer: Answer, _rule: FaultRule) -> Answer:
    return replace(answer, content=b'{"note":"\xff\xfe",' + answer.body()[1:])


def _nan(answer: Answer, _rule: FaultRule) -> Answer:
    content = json.loads(answer.body())
    items = _items_of(content)
    embedding = items[0].get("embedding") if items else None
    if isinstance(embedding, list):
        embedding[0] = math.nan
    elif isinstance(embedding, str):
        vector = struct.pack("<f", math.nan) + base64.b64decode(embedding)[4:]
        items[0]["embedding"] = base64.b64encode(vector).decode()
    else:
        content["score"] = math.nan
    return replace(answer, content=json.dumps(content).encode())


def _wrong_count(answer: Answer, _rule: FaultRule) -> Answer:
    content = json.loads(answer.body())
    del _items_of(content)[-1:]
    return replace(answer, content=content)


def _wrong_index(answer: Answer, _rule: FaultRule) -> Answer:
    content = json.loads(answer.body())
    items = _items_of(content)
    for item in items[-1:]:
        item["index"] = len(items)
    return replace(answer, content=content)


def _bomb(answer: Answer, rule: FaultRule) -> Answer:
    return replace(answer, content=_bomb_body(rule.megabytes), headers={"content-encoding": "gzip"})


@lru_cache(maxsize=2)
def _bomb_body(megabytes: int) -> bytes:
    return gzip.compress(b'{"data":"' + b" " * (megabytes * 1_000_000) + b'"}', compresslevel=1)


def _unaltered(answer: Answer, _rule: FaultRule) -> Answer:
    return answer


def _half_stream(answer: Answer, _rule: FaultRule) -> Answer:
    events = answer.body().split(EVENT_END)
    return replace(answer, content=b"".join(event + EVENT_END for event in events[: len(events) // 2]))


def _stream_error(answer: Answer, rule: FaultRule) -> Answer:
    half = _half_stream(answer, rule).body()
    refusal = _refusal(replace(rule, code=rule.code or "server_error"))
    return replace(answer, content=half + error_event(refusal.content["error"]))


def _items_of(content: dict[str, Any]) -> list[Any]:
    return next((content[name] for name in ("data", "choices", "results", "output") if name in content), [])


_ALTERATIONS: Mapping[str, Callable[[Answer, FaultRule], Answer]] = {
    "half_json": _half_json,
    "bad_utf8": _bad_utf8,
    "nan": _nan,
    "wrong_count": _wrong_count,
    "wrong_index": _wrong_index,
    "bomb": _bomb,
}
_STREAM_ALTERATIONS: Mapping[str, Callable[[Answer, FaultRule], Answer]] = {
    "half_stream": _half_stream,
    "stream_error": _stream_error,
}
