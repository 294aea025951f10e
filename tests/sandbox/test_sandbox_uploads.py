"""The sandbox takes uploads in parts, and tells of files, as OpenAI's API does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest.sandbox import running_sandbox
from airflow_provider_openai_dest.sandbox.answers import ApiError
from airflow_provider_openai_dest.sandbox.upload_store import LIFETIME, UploadStore

CONTENT = b"first second third"
PIECES = (b"first ", b"second ", b"third")
UPLOAD = {"filename": "a.txt", "purpose": "user_data", "bytes": len(CONTENT), "mime_type": "text/plain"}


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with (
        running_sandbox(processing_reads=2) as running,
        httpx.Client(base_url=running.base_url, headers={"authorization": "Bearer key"}, trust_env=False) as client,
    ):
        yield client


def created(api: httpx.Client, **fields: Any) -> str:
    """Begin an upload and give its id."""
    answer = api.post("/uploads", json=UPLOAD | fields).raise_for_status().json()
    assert ("upload", "pending", LIFETIME) == (
        answer["object"],
        answer["status"],
        answer["expires_at"] - answer["created_at"],
    )
    return str(answer["id"])


def added(api: httpx.Client, upload_id: str, data: bytes) -> str:
    """Add a part and give its id."""
    answer = api.post(f"/uploads/{upload_id}/parts", files={"data": ("upload", data)}).raise_for_status().json()
    assert ("upload.part", upload_id) == (answer["object"], answer["upload_id"])
    return str(answer["id"])


def completed(api: httpx.Client, upload_id: str, part_ids: list[str], **fields: Any) -> httpx.Response:
    """Ask for the end of an upload."""
    return api.post(f"/uploads/{upload_id}/complete", json={"part_ids": part_ids} | fields)


def test_parts_become_a_file_in_the_order_that_is_given(api: httpx.Client) -> None:
    """The order of the ids counts, not that of the parts' arrival."""
    upload_id = created(api, expires_after={"anchor": "created_at", "seconds": 3600})
    ids = {piece: added(api, upload_id, piece) for piece in reversed(PIECES)}
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    answer = completed(api, upload_id, [ids[piece] for piece in PIECES], md5=md5).raise_for_status().json()
    file = answer["file"]
    assert ("completed", len(CONTENT), "a.txt", 3600) == (
        answer["status"],
        file["bytes"],
        file["filename"],
        file["expires_at"] - file["created_at"],
    )
    assert CONTENT == api.get(f"/files/{file['id']}/content").content


# what is wrong, the pieces, further fields, the status, and words of the message
REFUSED = [
    (PIECES, {"md5": "0" * 32}, 400, "md5"),
    (PIECES[:2], {}, 400, "created for 18"),
    ((*PIECES, b"more"), {}, 400, "22 bytes"),
]


@pytest.mark.parametrize(("pieces", "fields", "status", "words"), REFUSED)
def test_parts_that_are_not_the_file_are_refused(
    api: httpx.Client, pieces: tuple[bytes, ...], fields: Any, status: int, words: str
) -> None:
    """Size and md5 are compared, and the upload can still be completed rightly."""
    upload_id = created(api)
    ids = [added(api, upload_id, piece) for piece in pieces]
    refusal = completed(api, upload_id, ids, **fields)
    assert status == refusal.status_code
    assert words in refusal.json()["error"]["message"]
    last = ids[:3] if len(ids) >= 3 else [*ids, added(api, upload_id, PIECES[2])]
    assert completed(api, upload_id, last).is_success


@pytest.mark.parametrize("ids", [["part_none"], [7], [[]]])
def test_a_part_that_is_not_there_is_refused(api: httpx.Client, ids: Any) -> None:
    """Only parts of this upload count."""
    assert 400 == completed(api, created(api), ids).status_code


@pytest.mark.parametrize("end", ["cancel", "complete"])
def test_an_upload_that_has_ended_takes_no_more(api: httpx.Client, end: str) -> None:
    """Neither parts nor another end."""
    upload_id = created(api)
    ids = [added(api, upload_id, piece) for piece in PIECES]
    if end == "cancel":
        assert "cancelled" == api.post(f"/uploads/{upload_id}/cancel").json()["status"]
    else:
        completed(api, upload_id, ids).raise_for_status()
    late = [
        api.post(f"/uploads/{upload_id}/parts", files={"data": ("upload", b"a")}),
        completed(api, upload_id, ids),
        api.post(f"/uploads/{upload_id}/cancel"),
    ]
    assert [400] * 3 == [answer.status_code for answer in late]


def test_an_upload_expires_after_an_hour() -> None:
    """After it nothing can be added."""
    store = UploadStore(100)
    upload = store.create(name="a", purpose="user_data", size=1, lifetime=None, now=1000)
    assert upload is store.pending(upload.id, 1000 + LIFETIME - 1)
    with pytest.raises(ApiError, match="expired"):
        store.pending(upload.id, 1000 + LIFETIME)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"bytes": 0}, "bytes"),
        ({"bytes": 8 * 1024**3 + 1}, "bytes"),
        ({"purpose": "other"}, "purpose"),
        ({"purpose": "batch"}, "filename"),
        ({"mime_type": None}, "mime_type"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds"),
        ({"strange": 1}, "strange"),
    ],
)
def test_a_bad_beginning_is_refused(api: httpx.Client, fields: Any, param: str) -> None:
    """By the field that is wrong."""
    answer = api.post("/uploads", json=UPLOAD | fields)
    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])


def test_an_unknown_upload_is_not_found(api: httpx.Client) -> None:
    """404, for each operation."""
    assert 404 == api.post("/uploads/upload_none/cancel").status_code


@pytest.mark.parametrize(("content", "status"), [(b"{}\n", "processed"), (b"{\n", "error")])
def test_a_file_is_processed_after_some_reads(api: httpx.Client, content: bytes, status: str) -> None:
    """First it is uploaded, then it is processed, or its lines can't be read."""
    form = {"data": {"purpose": "fine-tune"}, "files": {"file": ("a.jsonl", content)}}
    file = api.post("/files", **form).raise_for_status().json()  # type: ignore[arg-type]
    seen = [api.get(f"/files/{file['id']}").json()["status"] for _ in range(4)]
    assert ["uploaded", "uploaded", status, status] == seen


def test_openai_s_own_helper_uploads_in_parts(api: httpx.Client, tmp_path: Any) -> None:
    """The SDK's helper understands each answer."""
    openai = pytest.importorskip("openai")
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT)
    with openai.OpenAI(
        base_url=str(api.base_url), api_key="key", http_client=httpx.Client(trust_env=False), max_retries=0
    ) as client:
        upload = client.uploads.upload_file_chunked(file=file, mime_type="text/plain", purpose="user_data", part_size=7)
    assert ("completed", CONTENT) == (upload.status, api.get(f"/files/{upload.file.id}/content").content)
