"""OpenAIUploadFileOperator and the Uploads API: parts at once, and in a retry only those that are missing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIUploadFileOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    Row,
    RunningTask,
    attempt,
    counts,
    fail,
    file_content,
    requests_to,
    run,
)

CREATE, PARTS = "POST /v1/uploads", "POST /v1/uploads/{upload_id}/parts"
COMPLETE, CANCEL = "POST /v1/uploads/{upload_id}/complete", "POST /v1/uploads/{upload_id}/cancel"
WHOLE = "POST /v1/files"

A_PART, AT_THE_END, AT_THE_START = 'match=name="data"', "match=part_ids", "match=mime_type"


def upload(tmp_path: Path, **arguments: Any) -> OpenAIUploadFileOperator:
    """Upload the file of :func:`a_file` in ten parts."""
    common = {"task_id": "upload", "purpose": "user_data", "results": str(tmp_path / "results")}
    in_parts = {"files": str(tmp_path / "large.bin"), "uploads": True, "part_size": 1000, "parts_at_once": 1}
    return OpenAIUploadFileOperator(**common | in_parts | arguments)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """Write the file and give what is in it: ten parts, the last of which is shorter."""
    content = os.urandom(9_900)
    (tmp_path / "large.bin").write_bytes(content)
    return content


def sent(sandbox: Sandbox) -> tuple[int, int, int, int]:
    """Give how many uploads were created, parts sent, uploads completed and cancelled."""
    create, parts, complete, cancel = (requests_to(sandbox, name) for name in (CREATE, PARTS, COMPLETE, CANCEL))
    return create, parts, complete, cancel


def only_file(manifest: Row) -> Row:
    """Give the one file that was uploaded, as the API described it."""
    (outcome,) = manifest["outcomes"]
    answer: Row = outcome["answer"]
    return answer


@pytest.mark.parametrize("parts_at_once", [1, 3, 8, 64])
def test_a_file_in_parts_arrives_as_it_is(sandbox: Sandbox, tmp_path: Path, content: bytes, parts_at_once: int) -> None:
    """However many parts go at once, the file is put together in order, and the answer is the file's own."""
    manifest = run(upload(tmp_path, parts_at_once=parts_at_once))
    file = only_file(manifest)
    assert ((1, 1, 0, 0), 12) == (counts(manifest), manifest["requests"])
    assert ("large.bin", len(content), "user_data") == (file["filename"], file["bytes"], file["purpose"])
    assert content == file_content(sandbox, file["id"])
    assert ((1, 10, 1, 0), 0) == (sent(sandbox), requests_to(sandbox, WHOLE))


def test_a_file_named_by_a_uri_goes_in_parts(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """Parts are read by ranges, from a storage as well, and by records that name their file."""
    records = [{"uri": f"file://{tmp_path}/large.bin"}]
    named = {"files": None, "records": records, "file": "{message.uri}", "files_root": f"file://{tmp_path}"}
    manifest = run(upload(tmp_path, parts_at_once=4, **named))
    assert content == file_content(sandbox, only_file(manifest)["id"])


def test_parts_go_at_once(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """As many parts are on the wire as was asked for."""
    sandbox.set_faults(f"slow=0.05,path=/uploads,{A_PART}")
    run(upload(tmp_path, parts_at_once=5))
    assert 5 == sandbox.stats()["most_in_flight"]


def test_records_can_go_in_parts(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file that is made of records goes so as well, and each record has the file's answer."""
    records = [{"n": number} for number in range(1000)]
    manifest = run(
        upload(tmp_path, files=None, records=records, expires_after={"anchor": "created_at", "seconds": 7200})
    )
    assert (1000, 1000, 0, 0) == counts(manifest)
    assert 1 == requests_to(sandbox, CREATE)


def test_a_small_file_goes_by_one_request(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """Unless it was asked for, files below 512 MB are not sent in parts."""
    run(upload(tmp_path, uploads=None))
    assert ((0, 0, 0, 0), 1) == (sent(sandbox), requests_to(sandbox, WHOLE))


# -- what goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [A_PART, AT_THE_START, AT_THE_END])
@pytest.mark.parametrize("fault", ["status=503,times=2", "status=429,retry_after=0.01,times=1", "reset,times=1"])
def test_a_failure_that_passes_costs_just_its_request(
    sandbox: Sandbox, tmp_path: Path, content: bytes, where: str, fault: str
) -> None:
    """Each request of an upload is retried as any other."""
    sandbox.set_faults(f"{fault},path=/uploads,{where}")
    manifest = run(upload(tmp_path))
    assert content == file_content(sandbox, only_file(manifest)["id"])
    assert manifest["retries"] == int(fault[-1])


@pytest.mark.parametrize("where", [A_PART, AT_THE_END])
def test_an_upload_that_is_refused_is_cancelled(sandbox: Sandbox, tmp_path: Path, content: bytes, where: str) -> None:
    """The file is rejected with what the API said, and nothing of it stays at OpenAI."""
    sandbox.set_faults(f"status=400,code=bad_part,path=/uploads,{where}")
    ended = fail(upload(tmp_path), AirflowFailException, "bad_part")
    assert ((1, 0, 1, 0), 1) == (counts(ended.xcom), requests_to(sandbox, CANCEL))


def test_an_upload_that_can_not_begin_has_nothing_to_cancel(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """A refused creation rejects the file."""
    sandbox.set_faults("status=400,code=no_room,path=/uploads")
    fail(upload(tmp_path), AirflowFailException, "no_room")
    assert (1, 0, 0, 0) == sent(sandbox)


def test_the_next_try_sends_just_the_missing_parts(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """When the server fails for good, the parts that are there stay, and a retry sends the others."""
    sandbox.set_faults(f"status=503,path=/uploads,{A_PART},after=6")
    first = attempt(upload(tmp_path))
    assert ((1, 0, 0, 1), TransientError) == (counts(first.xcom), type(first.error))
    assert 0 == requests_to(sandbox, CANCEL)
    sandbox.set_faults()
    sandbox.reset()
    manifest = run(upload(tmp_path), try_number=2)
    assert content == file_content(sandbox, only_file(manifest)["id"])
    assert (0, 4, 1, 0) == sent(sandbox)


def test_a_file_that_changed_between_tries_is_sent_anew(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """The md5 tells that old and new parts do not fit together, and then all of the new file goes up."""
    sandbox.set_faults(f"status=503,path=/uploads,{A_PART},after=6")
    attempt(upload(tmp_path))
    sandbox.set_faults()
    changed = os.urandom(len(content))
    (tmp_path / "large.bin").write_bytes(changed)
    manifest = run(upload(tmp_path), try_number=2)
    assert changed == file_content(sandbox, only_file(manifest)["id"])


def test_an_upload_that_is_gone_is_begun_anew(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """When the API knows the upload of the earlier try no more, the file is sent from the start."""
    sandbox.set_faults(f"status=503,path=/uploads,{A_PART},after=6")
    attempt(upload(tmp_path))
    sandbox.set_faults(f"status=404,path=/uploads,{A_PART},times=1")
    manifest = run(upload(tmp_path), try_number=2)
    assert content == file_content(sandbox, only_file(manifest)["id"])


def test_a_file_whose_last_answer_was_lost_is_found(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """A completed upload refuses to be completed again: the file is looked for and not sent twice."""
    sandbox.set_faults(f"reset_after_work,path=/uploads,{AT_THE_END},times=1")
    manifest = run(upload(tmp_path))
    assert content == file_content(sandbox, only_file(manifest)["id"])
    assert (1, 10, 2, 0) == sent(sandbox)


def test_a_killed_task_cancels_its_upload(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """on_kill leaves nothing half-done at OpenAI."""
    sandbox.set_faults(f"slow=0.05,path=/uploads,{A_PART}")
    task = RunningTask(upload(tmp_path))
    deadline = time.monotonic() + 10
    while requests_to(sandbox, PARTS) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    task.kill()
    ended = task.result(timeout=10)
    assert (1, 0, 0, 1) == counts(ended.xcom)
    create, parts, complete, cancel = sent(sandbox)
    assert (1, 0, 1) == (create, complete, cancel)
    assert parts < 10


def test_a_task_killed_before_it_sent_cancels_nothing(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    """There is nothing to cancel before an upload is created."""
    operator = upload(tmp_path)
    operator.on_kill()
    attempt(operator)
    assert (0, 0, 0, 0) == sent(sandbox)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"part_size": 0}, "part_size"),
        ({"part_size": 64 * 1024 * 1024 + 1}, "part_size"),
        ({"parts_at_once": 0}, "parts_at_once"),
        ({"file_format": "xml"}, "file_format"),
        ({"poll_interval": -1}, "poll_interval"),
        ({"expires_after": {"seconds": 3600}}, "anchor"),
        ({"expires_after": {"anchor": "last_active_at", "seconds": 3600}}, "created_at"),
        ({"expires_after": {"anchor": "created_at", "seconds": 3599}}, "3,600"),
        ({"expires_after": {"anchor": "created_at", "seconds": 2_592_001}}, "2,592,000"),
    ],
)
def test_arguments_out_of_bounds_are_refused_when_the_dag_is_parsed(tmp_path: Path, arguments: Row, words: str) -> None:
    """Each is told by the constructor."""
    with pytest.raises(ConfigurationError, match=words):
        upload(tmp_path, **arguments)


def test_a_run_whose_uploads_are_all_refused_alike_stops(sandbox: Sandbox, tmp_path: Path) -> None:
    """As for other requests, twenty refusals alike are enough."""
    for number in range(40):
        (tmp_path / f"{number}.bin").write_bytes(b"content")
    sandbox.set_faults("status=400,code=no_room,path=/uploads")
    ended = fail(upload(tmp_path, files=f"{tmp_path}/*.bin", concurrency=1), AirflowFailException, "refused alike")
    assert (40, 0, 20, 20) == counts(ended.xcom)
