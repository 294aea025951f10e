"""OpenAI's own SDK understands the sandbox's files, uploads and batches."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from typing import Any

import pytest

from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sandbox.batches import ENDPOINTS

openai = pytest.importorskip("openai")

EXPIRY = {"anchor": "created_at", "seconds": 3600}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/embeddings": {"model": "text-embedding-3-small", "input": "a", "dimensions": 2},
    "/v1/responses": {"model": "gpt-6-luna", "input": "a"},
    "/v1/chat/completions": {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "a"}]},
    "/v1/moderations": {"model": "omni-moderation-latest", "input": "a"},
    "/v1/images/generations": {"model": "gpt-image-2", "prompt": "a", "size": "128x128"},
    "/v1/images/edits": {
        "model": "gpt-image-2",
        "prompt": "a",
        "images": [{"image_url": "https://a.example/a.png"}],
        "size": "128x128",
    },
}


def lines(url: str, bodies: Iterable[Any], **changes: Any) -> bytes:
    """Give an input file with a line for each body."""
    rows = [
        {"custom_id": f"id-{number}", "method": "POST", "url": url, "body": body} | changes
        for number, body in enumerate(bodies)
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def begun(client: Any, data: bytes, endpoint: str = "/v1/embeddings", **keywords: Any) -> Any:
    """Upload an input file and begin its batch."""
    file = client.files.create(file=("a.jsonl", data), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **keywords)


def read(client: Any, file_id: str) -> list[dict[str, Any]]:
    """Read a file of results."""
    return [json.loads(line) for line in client.files.content(file_id).content.splitlines()]


def test_files(client: Any) -> None:
    """The SDK uploads, lists page by page, reads and deletes files."""
    files = [
        client.files.create(file=(f"{n}.jsonl", io.BytesIO(b'{"n":%d}\n' % n)), purpose="vision", expires_after=EXPIRY)
        for n in range(3)
    ]
    listed = [file.id for file in client.files.list(purpose="vision", limit=2, order="asc")]
    newest = [file.id for file in client.files.list(purpose="vision", limit=1, order="desc", after=files[1].id)]
    done = client.files.wait_for_processing(files[0].id, poll_interval=0)
    deleted = [client.files.delete(file.id) for file in files]

    assert listed == [file.id for file in files]
    assert newest == [files[0].id]
    assert (done.status, done.expires_at - done.created_at, done.filename) == ("processed", 3600, "0.jsonl")
    assert all(each.deleted for each in deleted)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(files[1].id)


def test_a_file_s_content(client: Any) -> None:
    """The SDK reads back the bytes that it sent."""
    file = client.files.create(file=("a.txt", b"\x00\xff\r\n"), purpose="user_data")

    assert client.files.content(file.id).content == b"\x00\xff\r\n"
    assert client.files.retrieve(file.id) == file


def test_uploads(client: Any) -> None:
    """The SDK begins an upload, adds parts, and completes it to a file in the order of the ids."""
    upload = client.uploads.create(
        filename="a.txt", purpose="user_data", bytes=6, mime_type="text/plain", expires_after=EXPIRY
    )
    second, first = (client.uploads.parts.create(upload.id, data=data) for data in (b"def", b"abc"))
    md5 = hashlib.md5(b"abcdef", usedforsecurity=False).hexdigest()
    whole = client.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=md5)

    assert (upload.status, whole.status, first.upload_id) == ("pending", "completed", upload.id)
    assert client.files.content(whole.file.id).content == b"abcdef"


def test_a_cancelled_upload(client: Any) -> None:
    """The SDK cancels an upload, which takes nothing more."""
    upload = client.uploads.create(filename="a.txt", purpose="user_data", bytes=6, mime_type="text/plain")

    assert client.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(upload.id, data=b"abc")


def test_the_sdk_s_own_upload_in_chunks(client: Any) -> None:
    """The SDK's own way of cutting a file up comes to a file."""
    whole = client.uploads.upload_file_chunked(
        file=b"abcdefgh", filename="a.txt", bytes=8, mime_type="text/plain", purpose="user_data", part_size=3
    )

    assert client.files.content(whole.file.id).content == b"abcdefgh"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_batch_answers_its_lines(client: Any, endpoint: str) -> None:
    """A batch goes from validating over in_progress to completed; its files have the endpoint's answers and errors."""
    good = BODIES[endpoint]
    bad = {"model": good["model"]}
    batch = begun(client, lines(endpoint, [good, bad]), endpoint, metadata={"a": "b"}, output_expires_after=EXPIRY)
    looks = [client.batches.retrieve(batch.id) for _ in range(3)]
    done = looks[-1]
    (answer,), (error,) = read(client, done.output_file_id), read(client, done.error_file_id)

    assert ["validating", "in_progress", "completed", "completed"] == [look.status for look in (batch, *looks)]
    counts = [(look.request_counts.total, look.request_counts.completed, look.request_counts.failed) for look in looks]
    assert counts == [(2, 1, 0), (2, 1, 1), (2, 1, 1)]
    assert (done.metadata, done.model) == ({"a": "b"}, good["model"])
    assert ("id-0", 200, None) == (answer["custom_id"], answer["response"]["status_code"], answer["error"])
    assert ("id-1", 400) == (error["custom_id"], error["response"]["status_code"])
    assert error["response"]["body"]["error"]["code"] == "missing_required_parameter"
    output = client.files.retrieve(done.output_file_id)
    assert (output.purpose, output.expires_at - output.created_at) == ("batch_output", 3600)


def test_a_batch_s_answers_are_those_of_its_endpoint(client: Any) -> None:
    """What a batch answers to a line is what the endpoint answers to its body, and its usage is the sum."""
    body = BODIES["/v1/embeddings"]
    batch = begun(client, lines("/v1/embeddings", [body, body | {"input": ["b b", "c c"]}]))
    client.batches.retrieve(batch.id)
    done = client.batches.retrieve(batch.id)
    one, two = read(client, done.output_file_id)
    alone = client.embeddings.create(**body, encoding_format="float")

    assert one["response"]["body"] == alone.to_dict()
    assert done.usage.total_tokens == sum(row["response"]["body"]["usage"]["total_tokens"] for row in (one, two))
    assert done.error_file_id is None


def test_a_batch_that_is_cancelled_keeps_what_was_done(client: Any) -> None:
    """A cancelled batch is cancelling first, and then has the answers that there were."""
    batch = begun(client, lines("/v1/embeddings", [BODIES["/v1/embeddings"]] * 4))
    client.batches.retrieve(batch.id)
    stopping = client.batches.cancel(batch.id)
    stopped = client.batches.retrieve(batch.id)

    assert ("cancelling", "cancelled") == (stopping.status, stopped.status)
    assert (4, 2) == (stopped.request_counts.total, len(read(client, stopped.output_file_id)))
    with pytest.raises(openai.ConflictError, match="cancelled"):
        client.batches.cancel(batch.id)


BROKEN: dict[str, tuple[bytes, str, int | None]] = {
    "no line": (b"\n\n", "empty_file", None),
    "no JSON": (lines("/v1/embeddings", [{}]) + b"{", "invalid_json_line", 2),
    "no UTF-8": (b'"\xff"', "invalid_json_line", 1),
    "no object": (b"[1]", "invalid_type", 1),
    "no id": (lines("/v1/embeddings", [{}], custom_id=None), "missing_required_parameter", 1),
    "an id twice": (lines("/v1/embeddings", [{}, {}], custom_id="a"), "duplicate_custom_id", 2),
    "another endpoint": (lines("/v1/responses", [{}]), "mismatched_endpoint", 1),
    "another method": (lines("/v1/embeddings", [{}], method="GET"), "invalid_value", 1),
    "two models": (lines("/v1/embeddings", [{"model": "a"}, {"model": "b"}]), "mismatched_model", 2),
}


@pytest.mark.parametrize(("data", "code", "line"), BROKEN.values(), ids=list(BROKEN))
def test_a_batch_with_a_broken_line_fails(sync_client: Any, data: bytes, code: str, line: int | None) -> None:
    """A file that can't be a batch fails it, and the SDK reads which line it was."""
    failed = sync_client.batches.retrieve(begun(sync_client, data).id)

    assert ("failed", None, None) == (failed.status, failed.output_file_id, failed.error_file_id)
    assert [(code, line)] == [(error.code, error.line) for error in failed.errors.data]


def test_batches_page_by_page(client: Any) -> None:
    """The SDK lists all batches, the newest first, and looking at the list brings none on."""
    begun_now = [begun(client, lines("/v1/embeddings", [BODIES["/v1/embeddings"]])) for _ in range(3)]
    listed = [*client.batches.list(limit=2)][:3]

    assert [batch.id for batch in reversed(begun_now)] == [batch.id for batch in listed]
    assert {"validating"} == {batch.status for batch in listed}


REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no such file": ({"input_file_id": "file-none"}, "NotFoundError", None),
    "another window": ({"completion_window": "1h"}, "BadRequestError", "completion_window"),
    "another endpoint": ({"endpoint": "/v1/audio/speech"}, "BadRequestError", "endpoint"),
    "a short expiry": (
        {"output_expires_after": {"anchor": "created_at", "seconds": 5}},
        "BadRequestError",
        "output_expires_after.seconds",
    ),
}


@pytest.mark.parametrize(("changes", "error", "param"), REFUSED.values(), ids=list(REFUSED))
def test_a_batch_that_is_refused(client: Any, changes: dict[str, Any], error: str, param: str | None) -> None:
    """What can't be a batch is refused at once, and the SDK says of which parameter."""
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    wanted = {"input_file_id": file.id, "endpoint": "/v1/embeddings", "completion_window": "24h"}
    with pytest.raises(getattr(openai, error)) as caught:
        client.batches.create(**wanted | changes)

    assert param is None or caught.value.param == param


def test_a_batch_needs_a_file_for_batches(client: Any) -> None:
    """A file of another purpose is no input."""
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.batches.create(input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h")


def test_a_batch_s_work_is_counted(sandbox: Sandbox, sync_client: Any) -> None:
    """Each line that is answered counts as a piece of work, and one that was done before as repeated."""
    sandbox.reset()
    body = BODIES["/v1/embeddings"]
    batch = begun(sync_client, lines("/v1/embeddings", [body | {"input": "new"}, body | {"input": "new"}]))
    for _ in range(3):
        sync_client.batches.retrieve(batch.id)
    stats = sandbox.stats()

    assert (2 + 1, 1) == (stats["executions"], stats["repeated_items"])  # and the upload


def test_a_fault_meets_the_lines_that_it_names(sandbox: Sandbox, sync_client: Any) -> None:
    """A rule for lines sends those that match into the error file, with its status and code; others touch none."""
    sandbox.set_faults("status=500,code=broken,path=/batch-lines,match=id-1", "status=503,path=/embeddings")
    batch = begun(sync_client, lines("/v1/embeddings", [BODIES["/v1/embeddings"]] * 3))
    sync_client.batches.retrieve(batch.id)
    done = sync_client.batches.retrieve(batch.id)
    sandbox.set_faults()
    (failed,) = read(sync_client, done.error_file_id)

    assert ["id-0", "id-2"] == [row["custom_id"] for row in read(sync_client, done.output_file_id)]
    assert ("id-1", 500) == (failed["custom_id"], failed["response"]["status_code"])
    assert failed["response"]["body"]["error"]["code"] == "broken"
