"""What goes in parts, how it is cut, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest.checkpoint.file_ledger import FileLedger
from airflow_provider_openai_dest.checkpoint.upload_log import UploadLog, read_uploads
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.conversation import Turn
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_checks import PART_BYTES
from airflow_provider_openai_dest.rendering.file_range import file_range
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.sinks.folder import RowLog
from airflow_provider_openai_dest.uploads.file_sending import FileRenderer, FileSending
from airflow_provider_openai_dest.uploads.reuse import KnownFile, ReusedFile
from airflow_provider_openai_dest.uploads.upload_in_parts import UploadOptions
from tests.core.delivery_parts import conclusion, exhausted, rejected, reply
from tests.core.rendering_parts import file_part, form, json_of, only_request, parts_of, records

NOW = 1_800_000_000
GIB = 1024**3


def log_in(folder: Path, rows: Any = ()) -> UploadLog:
    return UploadLog(RowLog(folder, "uploads-1"), read_uploads(rows))


def begun(file: Path, memory: UploadLog, **options: Any) -> RenderedRequest:
    """Render the upload of a file, and give its first request."""
    files = form("upload_file", files=FileReferences([str(file)], Path))
    in_parts = {"memory": memory, "is_killed": lambda: False, "now": lambda: NOW, "checks_md5": False} | options
    sending = FileSending(in_parts=UploadOptions(**in_parts))
    body = BodyTemplate({"purpose": "user_data", "file": str(file)})
    return only_request(FileRenderer(SingleRenderer(files, body), files, sending).render(records(1)))


def ended(turn: Turn, end: Conclusion) -> Any:
    """Give what follows from the end of a turn."""
    return asyncio.run(turn.conversation.concluded(turn, end))


def answered(turn: Turn, **answer: Any) -> Any:
    """Give what follows from an answer."""
    return ended(turn, conclusion(reply(body=answer)))


def sparse(tmp_path: Path, size: int) -> Path:
    """Make a file of that size which takes no room on disk."""
    file = tmp_path / "large.bin"
    with file.open("wb") as stream:
        stream.truncate(size)
    return file


@pytest.mark.parametrize(
    ("size", "parts"),
    [(512_000_000, 0), (512_000_001, 8), (8 * PART_BYTES, 8), (8 * PART_BYTES + 1, 9), (8 * GIB, 128)],
)
def test_a_file_above_the_limit_of_one_request_goes_in_parts(tmp_path: Path, size: int, parts: int) -> None:
    """Up to 8 GiB, in parts of 64 MiB; each says its own length, and together they are the file."""
    first = begun(sparse(tmp_path, size), log_in(tmp_path), parts_at_once=512)
    if not parts:
        assert not isinstance(first, Turn)
        return
    assert isinstance(first, Turn)
    assert {"purpose", "filename", "bytes", "mime_type"} == json_of(first).keys()
    assert size == json_of(first)["bytes"]
    following = answered(first, id="upload_1", expires_at=NOW + 3600)
    sizes = [turn.content.files[0].size for turn in following]
    assert (parts, size, PART_BYTES) == (len(sizes), sum(sizes), max(sizes))


def test_the_first_turn_alone_has_the_records(tmp_path: Path) -> None:
    """The flow counts a record once, however many requests it takes."""
    first = begun(sparse(tmp_path, GIB), log_in(tmp_path))
    assert isinstance(first, Turn)
    assert 1 == len(first.records)
    assert {()} == {turn.records for turn in answered(first, id="upload_1")}


def test_a_part_is_read_for_itself() -> None:
    """Each part holds its own bytes, and can be read again."""
    whole = file_part("file", "a.bin", bytes(range(256)))
    part = file_range(whole, 100, 50, name="data", filename="upload", piece_bytes=7)
    for _ in range(2):
        assert [("data", "upload", bytes(range(100, 150)))] == parts_of(MultipartBody({}, [part]))


def test_a_part_of_a_file_that_shrank_is_told() -> None:
    """A part is never sent short."""
    part = file_range(file_part("file", "a.bin", b"abc"), 2, 2, name="data", filename="upload", piece_bytes=7)
    with pytest.raises(OSError, match="size changed"):
        b"".join(MultipartBody({}, [part]))


def test_a_failure_waits_for_what_is_on_the_way(tmp_path: Path) -> None:
    """The end of the whole is given once, after the last part has ended."""
    first = begun(sparse(tmp_path, 4 * PART_BYTES * 4), log_in(tmp_path), parts_at_once=3)
    assert isinstance(first, Turn)
    one, two, three = answered(first, id="upload_1")
    assert () == ended(one, exhausted())
    assert () == answered(two, id="part_2")
    last = ended(three, rejected())
    assert isinstance(last, Conclusion)
    assert last.is_open


def test_a_refusal_cancels_and_then_tells_why(tmp_path: Path) -> None:
    """Whatever becomes of the cancelling, the record gets the refusal."""
    first = begun(sparse(tmp_path, GIB), log_in(tmp_path), parts_at_once=1)
    assert isinstance(first, Turn)
    (part,) = answered(first, id="upload_1")
    (cancel,) = ended(part, rejected("bad_part"))
    assert cancel.url.endswith("/uploads/upload_1/cancel")
    last = ended(cancel, rejected("other"))
    assert "bad_part" == last.error.code


def test_what_is_written_down_never_holds_the_loop(tmp_path: Path) -> None:
    """A slow storage would stop all other requests: that an upload is given up is written in a thread."""
    threads: list[bool] = []

    class Watched(UploadLog):
        def ended(self, upload_id: str) -> None:
            threads.append(threading.current_thread() is threading.main_thread())

    first = begun(sparse(tmp_path, GIB), Watched(RowLog(tmp_path, "uploads-1"), {}), parts_at_once=1)
    assert isinstance(first, Turn)
    (part,) = answered(first, id="upload_1")
    ended(part, rejected("bad_part"))
    assert [False] == threads


def test_a_reused_file_that_is_gone_is_begun_in_a_thread(tmp_path: Path) -> None:
    """Its upload may have to read the file."""
    threads: list[bool] = []

    def upload() -> RenderedRequest:
        threads.append(threading.current_thread() is threading.main_thread())
        return request

    request = begun(sparse(tmp_path, 1), log_in(tmp_path))
    known = KnownFile(id="file-1", bytes=1, filename="large.bin", purpose="user_data")
    asking = ReusedFile(
        request, form("upload_file"), known, upload=upload, done=lambda _file: None, now=lambda: NOW
    ).begin()
    assert isinstance(asking, Turn)
    assert [request] == ended(asking, rejected())
    assert [False] == threads


@pytest.mark.parametrize("answer", [{}, {"id": 7}, {"id": ""}])
def test_an_answer_without_an_id_rejects_the_file(tmp_path: Path, answer: dict[str, Any]) -> None:
    """Nothing can be added to an upload that nobody can name."""
    first = begun(sparse(tmp_path, GIB), log_in(tmp_path))
    assert isinstance(first, Turn)
    last = answered(first, **answer)
    assert ("bad_answer", False) == (last.error.code, last.is_open)


@pytest.mark.parametrize(
    ("expires_in", "checks_md5", "is_resumed"),
    [(3600, True, True), (121, True, True), (60, True, False), (-1, True, False), (3600, False, False)],
)
def test_an_upload_is_gone_on_with_while_it_lasts_and_the_md5_is_compared(
    tmp_path: Path, expires_in: int, *, checks_md5: bool, is_resumed: bool
) -> None:
    """Missing parts would come too late; and nothing else tells whether the parts that are there are of this file."""
    file = sparse(tmp_path, GIB)
    first = begun(file, log_in(tmp_path))
    assert isinstance(first, Turn)
    answered(first, id="upload_1", expires_at=NOW + expires_in)
    rows = [json.loads(line) for line in (tmp_path / "uploads-1.jsonl").read_text().splitlines()]
    again = begun(file, log_in(tmp_path, rows), checks_md5=checks_md5)
    assert is_resumed is again.url.endswith("/uploads/upload_1/parts")


def test_an_upload_log_reads_back_what_was_not_ended() -> None:
    """Rows of another form are passed over, and of a file's uploads the newest holds."""
    rows: list[dict[str, Any]] = [
        {"upload": "u1", "file": "a", "expires_at": 1},
        {"upload": "u1", "part": 0, "id": "p0"},
        {"upload": "u2", "file": "a", "expires_at": 2},
        {"upload": "u2", "part": 3, "id": "p3"},
        {"upload": "u9", "part": 0, "id": "p"},
        {"upload": 7},
        {},
        {"upload": "u3", "file": "b", "expires_at": 3},
        {"upload": "u3", "ended": True},
    ]
    found = read_uploads(rows)
    assert {"a": ("u2", {3: "p3"})} == {file: (known.id, known.parts) for file, known in found.items()}


@pytest.mark.parametrize(
    ("fields", "is_this"),
    [
        ({}, True),
        ({"expires_at": NOW + 7200}, True),
        ({"expires_at": NOW + 60}, False),
        ({"status": "error"}, False),
        ({"bytes": 4}, False),
        ({"filename": "b"}, False),
        ({"purpose": "batch"}, False),
        ({"id": "file-2"}, False),
    ],
)
def test_a_known_file_must_be_the_one_that_the_api_has(fields: dict[str, Any], *, is_this: bool) -> None:
    """By all that the API tells of it, and for some time to come."""
    file = {"id": "file-1", "bytes": 3, "filename": "a", "purpose": "evals", "status": "processed"} | fields
    assert is_this is KnownFile(id="file-1", bytes=3, filename="a", purpose="evals").is_this(file, NOW)


def test_a_ledger_is_read_by_later_runs_of_the_same_account(tmp_path: Path) -> None:
    """A file id is worth nothing in another account, and the newest file of a content holds."""
    file = {"id": "file-1", "bytes": 3, "filename": "a", "purpose": "evals", "created_at": 1}
    FileLedger(tmp_path, "mine").add("00ff", file)
    FileLedger(tmp_path, "mine").add("00ff", file | {"id": "file-2", "created_at": 2})
    found = FileLedger(tmp_path, "mine").find("00ff", "evals", "a")
    assert found is not None
    assert "file-2" == found.id
    assert None is FileLedger(tmp_path, "other").find("00ff", "evals", "a")
    assert None is FileLedger(tmp_path, "mine").find("00ff", "batch", "a")
