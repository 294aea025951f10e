"""The operations on files: what they take and what they answer."""

from __future__ import annotations

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Call, read_query
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.validation import Object, Shape, Text, Whole, refuse

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
LINES_PURPOSES = {"batch": "Batch", "fine-tune": "Fine-tuning"}
MOST_BATCH_BYTES = 200_000_000
MOST_ON_A_PAGE = 10_000


def create_file(state: SandboxState, call: Call) -> Answer:
    """Keep an uploaded file."""
    uploads = call.uploads.get("file", ())
    if len(uploads) != 1 or not uploads[0].name:
        refuse("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    upload, purpose = uploads[0], call.body["purpose"]
    refuse_format(purpose, upload.name, len(upload.data), "file")
    file = state.files.add(
        name=upload.name,
        purpose=purpose,
        data=upload.data,
        lifetime=call.body.get("expires_after", {}).get("seconds"),
        now=state.timestamp(),
    )
    return Answer(content=file.as_json())


def refuse_format(purpose: str, name: str, size: int, param: str) -> None:
    """Refuse a file that its purpose does not take."""
    if purpose in LINES_PURPOSES and not name.endswith(".jsonl"):
        message = f"Invalid file format for {LINES_PURPOSES[purpose]} API. Must be .jsonl"
        refuse(message, param, "invalid_file_format")
    if purpose == "batch" and size > MOST_BATCH_BYTES:
        raise ApiError(413, "A batch file must be no larger than 200 MB.", param=param)


def list_files(state: SandboxState, call: Call) -> Answer:
    """Give one page of files, the newest first unless ``order=asc``."""
    query = read_query(call.request.query, PAGE)
    files, has_more = state.files.page(
        limit=query.get("limit", MOST_ON_A_PAGE),
        order=query.get("order", "desc"),
        after=query.get("after"),
        purpose=query.get("purpose"),
    )
    data = [file.as_json() for file in files]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return Answer(content={"object": "list", "data": data, **ends, "has_more": has_more})


def get_file(state: SandboxState, call: Call) -> Answer:
    """Give one file's object; each time brings it nearer to being processed."""
    file = state.files.get(call.request.parameters["file_id"])
    answer = Answer(content=file.as_json())
    file.reads_left -= file.reads_left > 0
    return answer


def get_file_content(state: SandboxState, call: Call) -> Answer:
    """Give one file's bytes, exactly as they came."""
    file = state.files.get(call.request.parameters["file_id"])
    return Answer(content=file.data, media_type="application/octet-stream")


def delete_file(state: SandboxState, call: Call) -> Answer:
    """Delete one file."""
    file_id = call.request.parameters["file_id"]
    state.files.delete(file_id)
    return Answer(content={"id": file_id, "object": "file", "deleted": True})


EXPIRY = Object(
    fields={
        "anchor": Text(required=True, choices=("created_at",)),
        "seconds": Whole(required=True, at_least=3600, at_most=2_592_000),
    }
)
FILE = Shape(
    fields={"purpose": Text(required=True, choices=PURPOSES), "expires_after": EXPIRY},
    is_open=False,
)
PAGE = Shape(
    fields={
        "limit": Whole(at_least=1, at_most=MOST_ON_A_PAGE),
        "order": Text(choices=("asc", "desc")),
        "after": Text(),
        "purpose": Text(choices=(*PURPOSES, "batch_output")),
    }
)
