"""The lines of a batch: what is refused of them before any is worked, and what is written of each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call, Request
from airflow_provider_openai_dest.sandbox.damage import instead_of_work
from airflow_provider_openai_dest.sandbox.operation import Operation
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.validation import Object, Shape, Text, refuse

MOST_LINES = 50_000
FAULT_PATH = "/batch-lines"  # what ``path=`` of a fault's rule names, for no request has it
LINE = Shape(
    fields={
        "custom_id": Text(required=True, shortest=1),
        "method": Text(required=True, choices=("POST",)),
        "url": Text(required=True),
        "body": Object(required=True),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an input file; ``raw`` are its bytes."""

    custom_id: str
    body: dict[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedLine:
    """What came of one line: its line in the output file, or in that of the errors."""

    raw: bytes
    is_done: bool
    usage: Mapping[str, Any]


class LineError(Exception):
    """A line can't be part of its batch."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param

    def as_json(self, number: int | None) -> dict[str, Any]:
        """Give the API's form of it."""
        return {"code": self.code, "line": number, "message": str(self), "param": self.param}


def read_lines(data: bytes, endpoint: str) -> tuple[list[Line], list[dict[str, Any]]]:
    """Read an input file; gives its lines, and all that is wrong with them."""
    raws = [raw for raw in data.split(b"\n") if raw.strip()]
    if not raws or len(raws) > MOST_LINES:
        error = (
            LineError("too_many_tasks", f"The batch file has more than {MOST_LINES} requests.")
            if raws
            else LineError("empty_file", "The batch file is empty.")
        )
        return [], [error.as_json(None)]
    lines: list[Line] = []
    errors: list[dict[str, Any]] = []
    ids: set[str] = set()
    for number, raw in enumerate(raws, start=1):
        try:
            line = _read_line(raw, endpoint, ids)
            _check_model(line, lines)
            lines.append(line)
        except LineError as error:
            errors.append(error.as_json(number))
    return lines, errors


def work_line(state: SandboxState, operation: Operation, line: Line) -> WorkedLine:
    """Answer one line as its endpoint would."""
    answer = _answered(state, operation, line)
    response = {"status_code": answer.status, "request_id": f"req_{secrets.token_hex(16)}", "body": answer.content}
    worked = {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": line.custom_id,
        "response": response,
        "error": None,
    }
    usage = answer.content.get("usage") or {}
    return WorkedLine(raw=msgspec.json.encode(worked) + b"\n", is_done=answer.status == 200, usage=usage)


def sum_usage(worked: Iterable[WorkedLine]) -> dict[str, Any]:
    """Sum up what the lines used, by whatever names their endpoint has for it."""
    usages = [line.usage for line in worked]
    given = sum(usage.get("input_tokens", usage.get("prompt_tokens", 0)) for usage in usages)
    made = sum(usage.get("output_tokens", usage.get("completion_tokens", 0)) for usage in usages)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


def _read_line(raw: bytes, endpoint: str, ids: set[str]) -> Line:
    try:
        line = LINE.check(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.") from None
    except ApiError as error:
        raise LineError(error.error["code"] or "invalid_value", str(error), error.error["param"]) from None
    if line["url"] != endpoint:
        message = "The URL provided for this request does not match the batch endpoint."
        raise LineError("mismatched_endpoint", message, "url")
    if line["custom_id"] in ids:
        message = f"The custom_id '{line['custom_id'][:100]}' for this request is a duplicate of another request."
        raise LineError("duplicate_custom_id", message, "custom_id")
    ids.add(line["custom_id"])
    return Line(custom_id=line["custom_id"], body=line["body"], raw=raw)


def _check_model(line: Line, earlier: list[Line]) -> None:
    if earlier and line.body.get("model") != earlier[0].body.get("model"):
        message = f"The provided model '{line.body.get('model')}' does not match that of the first request."
        raise LineError("mismatched_model", message, "body.model")


def _answered(state: SandboxState, operation: Operation, line: Line) -> Answer:
    rule = state.faults.pick(FAULT_PATH, line.raw)
    if rule and rule.mode == "status":
        return instead_of_work(rule)
    request = Request(method="POST", path=operation.path, parameters={}, query={}, headers={}, body=line.raw)
    try:
        assert operation.json is not None  # noqa: S101 - a batch's endpoints all have one
        if line.body.get("stream"):
            refuse("Streaming is not supported in a batch: leave 'stream' out.", "stream", "unsupported_value")
        call = Call(request=request, body=operation.json.check(line.body))
        answer = operation.answer(state, call)
    except ApiError as error:
        return error.answer()
    state.counters.count_work(operation.pieces_of(call), operation.tokens_of(call))
    return answer
