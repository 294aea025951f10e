"""The operations on uploads in parts: what they take and what they answer."""

from __future__ import annotations

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.files import EXPIRY, PURPOSES, refuse_format
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.upload_store import MOST_PART_BYTES, MOST_UPLOAD_BYTES
from airflow_provider_openai_dest.sandbox.validation import Array, Shape, Text, Whole, refuse


def create_upload(state: SandboxState, call: Call) -> Answer:
    """Begin an upload."""
    body = call.body
    refuse_format(body["purpose"], body["filename"], body["bytes"], "filename")
    upload = state.uploads.create(
        name=body["filename"],
        purpose=body["purpose"],
        size=body["bytes"],
        lifetime=body.get("expires_after", {}).get("seconds"),
        now=state.timestamp(),
    )
    return Answer(content=upload.as_json())


def add_upload_part(state: SandboxState, call: Call) -> Answer:
    """Keep one part; parts may come in any order, and at once."""
    now = state.timestamp()
    upload = state.uploads.pending(call.request.parameters["upload_id"], now)
    parts = call.uploads.get("data", ())
    if len(parts) != 1:
        refuse("Missing required parameter: 'data'.", "data", "missing_required_parameter")
    if len(parts[0].data) > MOST_PART_BYTES:
        raise ApiError(413, f"A part must be no larger than {MOST_PART_BYTES} bytes.", param="data")
    part_id = state.uploads.add_part(upload, parts[0].data)
    return Answer(content={"id": part_id, "object": "upload.part", "created_at": now, "upload_id": upload.id})


def complete_upload(state: SandboxState, call: Call) -> Answer:
    """Make a file of the parts."""
    now = state.timestamp()
    upload = state.uploads.pending(call.request.parameters["upload_id"], now)
    data = state.uploads.complete(upload, call.body["part_ids"], call.body.get("md5"))
    file = state.files.add(name=upload.name, purpose=upload.purpose, data=data, lifetime=upload.lifetime, now=now)
    return Answer(content=upload.as_json(file.as_json()))


def cancel_upload(state: SandboxState, call: Call) -> Answer:
    """End an upload; nothing can be added to it any more."""
    upload = state.uploads.pending(call.request.parameters["upload_id"], state.timestamp())
    state.uploads.cancel(upload)
    return Answer(content=upload.as_json())


UPLOAD = Shape(
    fields={
        "filename": Text(required=True, shortest=1),
        "purpose": Text(required=True, choices=PURPOSES),
        "bytes": Whole(required=True, at_least=1, at_most=MOST_UPLOAD_BYTES),
        "mime_type": Text(required=True, shortest=1),
        "expires_after": EXPIRY,
    },
    is_open=False,
)
PART = Shape(fields={}, is_open=False)
COMPLETION = Shape(fields={"part_ids": Array(required=True, shortest=1), "md5": Text()}, is_open=False)
