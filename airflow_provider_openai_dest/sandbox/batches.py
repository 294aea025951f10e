"""The operations on batches: what they take, and how a batch is worked.

A batch goes on when it is looked at: the first ``GET`` that finds it validated works the first share of its lines, and
so on, until after ``batch_reads`` looks more it is done. So a test says how long a batch takes, without a clock.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.batch_lines import read_lines, sum_usage, work_line
from airflow_provider_openai_dest.sandbox.batch_store import Batch
from airflow_provider_openai_dest.sandbox.calls import Call, read_query
from airflow_provider_openai_dest.sandbox.files import EXPIRY
from airflow_provider_openai_dest.sandbox.operation import Operation
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.validation import Object, Shape, Text, Whole, refuse

ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
)
PAGE_SIZE, MOST_ON_A_PAGE = 20, 100


def create_batch(state: SandboxState, call: Call) -> Answer:
    """Begin a batch over the lines of an uploaded file."""
    body = call.body
    file = state.files.get(body["input_file_id"])
    if file.purpose != "batch":
        message = f"Invalid file purpose for a batch: expected 'batch', got '{file.purpose}'."
        refuse(message, "input_file_id", "invalid_value")
    lines, errors = read_lines(file.data, body["endpoint"])
    batch = state.batches.add(
        endpoint=body["endpoint"],
        input_file_id=file.id,
        created_at=state.timestamp(),
        lifetime=body.get("output_expires_after", {}).get("seconds"),
        metadata=body.get("metadata"),
        lines=lines,
        errors=errors,
    )
    return Answer(content=batch.as_json())


def list_batches(state: SandboxState, call: Call) -> Answer:
    """Give one page of batches, the newest first; looking at the list brings none of them on."""
    query = read_query(call.request.query, PAGE)
    batches, has_more = state.batches.page(limit=query.get("limit", PAGE_SIZE), after=query.get("after"))
    data = [batch.as_json() for batch in batches]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return Answer(content={"object": "list", "data": data, **ends, "has_more": has_more})


def get_batch(operations: Mapping[str, Operation], state: SandboxState, call: Call) -> Answer:
    """Give one batch, after bringing it on."""
    batch = state.batches.get(call.request.parameters["batch_id"])
    if not batch.is_ended:
        _bring_on(state, operations[batch.endpoint], batch)
    return Answer(content=batch.as_json())


def cancel_batch(state: SandboxState, call: Call) -> Answer:
    """Stop a batch; what was worked of it is written at the next look."""
    batch = state.batches.get(call.request.parameters["batch_id"])
    if batch.is_ended:
        raise ApiError(409, f"Cannot cancel a batch with status '{batch.status}'.")
    batch.reach("cancelling", state.timestamp())
    return Answer(content=batch.as_json())


def _bring_on(state: SandboxState, operation: Operation, batch: Batch) -> None:
    now, looks = state.timestamp(), state.settings.batch_reads + 1
    if batch.errors:
        batch.reach("failed", now)
    elif batch.status == "cancelling":
        _write(state, batch, "cancelled")
    else:
        if batch.status == "validating":
            batch.reach("in_progress", now)
        batch.reads += 1
        due = len(batch.lines) * batch.reads // looks
        batch.worked += [work_line(state, operation, line) for line in batch.lines[len(batch.worked) : due]]
        if batch.reads == looks:
            batch.reach("finalizing", now)
            _write(state, batch, "completed")


def _write(state: SandboxState, batch: Batch, status: str) -> None:
    done = b"".join([line.raw for line in batch.worked if line.is_done])
    failed = b"".join([line.raw for line in batch.worked if not line.is_done])
    batch.output_file_id = _file(state, batch, "output", done)
    batch.error_file_id = _file(state, batch, "error", failed)
    batch.usage = sum_usage(batch.worked)
    batch.reach(status, state.timestamp())


def _file(state: SandboxState, batch: Batch, what: str, data: bytes) -> str | None:
    if not data:
        return None
    name = f"{batch.id}_{what}.jsonl"
    kept = state.files.add(name=name, purpose="batch_output", data=data, lifetime=batch.lifetime, now=state.timestamp())
    return kept.id


BATCH = Shape(
    fields={
        "input_file_id": Text(required=True),
        "endpoint": Text(required=True, choices=ENDPOINTS),
        "completion_window": Text(required=True, choices=("24h",)),
        "metadata": Object(nullable=True),
        "output_expires_after": EXPIRY,
    },
    is_open=False,
)
PAGE = Shape(fields={"limit": Whole(at_least=1, at_most=MOST_ON_A_PAGE), "after": Text()})
