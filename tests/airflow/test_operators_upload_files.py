"""OpenAIUploadFileOperator: files that are checked first, made in other formats, reused, and waited for."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.sdk import DAG

from airflow_provider_openai_dest import OpenAIFileProcessedTrigger, OpenAIFileSensor, OpenAIUploadFileOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException, TaskDeferred
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from demo.connections import as_environment
from tests.airflow.conftest import DagRunResult
from tests.airflow.operator_context import (
    KEY,
    Row,
    TaskInstance,
    attempt,
    counts,
    fail,
    file_content,
    requests_to,
    run,
)

UPLOADS, LOOKS = "POST /v1/files", "GET /v1/files/{file_id}"
CITIES = [{"city": "Oslo", "n": 1}, {"city": "São, Paulo", "n": None}, {"city": 'a "b"', "n": [1.5]}]


def upload(tmp_path: Path, **arguments: Any) -> OpenAIUploadFileOperator:
    common = {"task_id": "upload", "purpose": "user_data", "results": str(tmp_path / "results")}
    return OpenAIUploadFileOperator(**common | arguments)


def answers(manifest: Row) -> list[Row]:
    return [outcome["answer"] for outcome in manifest["outcomes"]]


# -- formats -----------------------------------------------------------------------------------------

# format and the bytes of the file
FORMATS = {
    "jsonl": '{"city":"Oslo","n":1}\n{"city":"São, Paulo","n":null}\n{"city":"a \\"b\\"","n":[1.5]}\n',
    "json": '[\n{"city":"Oslo","n":1},\n{"city":"São, Paulo","n":null},\n{"city":"a \\"b\\"","n":[1.5]}\n]\n',
    "csv": 'city,n\r\nOslo,1\r\n"São, Paulo",\r\n"a ""b""",[1.5]\r\n',
}


@pytest.mark.parametrize("file_format", FORMATS)
def test_records_stand_in_the_file_as_asked_for(sandbox: Sandbox, tmp_path: Path, file_format: str) -> None:
    """file_format= says whether they are lines, one array or rows, and the file is named for it."""
    (file, *_) = answers(run(upload(tmp_path, records=CITIES, file_format=file_format)))
    assert f"records.{file_format}" == file["filename"]
    assert FORMATS[file_format].encode() == file_content(sandbox, file["id"])


# -- checks ------------------------------------------------------------------------------------------


def batch_line(number: int = 1, **fields: Any) -> Row:
    body = {"model": "text-embedding-3-small", "input": "a"}
    return {"custom_id": f"r{number}", "method": "POST", "url": "/v1/embeddings", "body": body} | fields


def test_a_file_with_faults_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """All faults of a batch file are told at once by their lines, and nothing is sent."""
    lines = [batch_line(1), batch_line(1), batch_line(3, method="GET"), batch_line(4, url="/v1/files")]
    text = "\n".join([*map(json.dumps, lines), "{", ""])
    (tmp_path / "bad.jsonl").write_text(text)
    ended = fail(upload(tmp_path, files=f"{tmp_path}/bad.jsonl", purpose="batch"), AirflowFailException)
    message = ended.xcom["outcomes"][0]["error"]["message"]
    assert [f"line {number}:" in message for number in range(1, 6)] == [False, True, True, True, True]
    assert 0 == requests_to(sandbox, UPLOADS)


def test_a_file_is_sent_unchecked_when_asked_to(sandbox: Sandbox, tmp_path: Path) -> None:
    """check=False leaves it to the API."""
    (tmp_path / "bad.jsonl").write_text("{")
    run(upload(tmp_path, files=f"{tmp_path}/bad.jsonl", purpose="batch", check=False))
    assert 1 == requests_to(sandbox, UPLOADS)


def test_a_record_that_makes_no_line_is_left_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record whose line the Batch API would refuse is rejected alone."""
    records = [batch_line(1), batch_line(2, body=None), batch_line(3)]
    manifest = run(upload(tmp_path, records=records, purpose="batch", max_errors=1))
    assert ((3, 2, 1, 0), "invalid_line") == (counts(manifest), manifest["rejections"][0]["code"])


# -- reuse -------------------------------------------------------------------------------------------


def again(tmp_path: Path, number: int, **arguments: Any) -> Row:
    """Upload the file in a run of its own, with results of its own."""
    folders = {"results": str(tmp_path / f"run{number}"), "reuse_folder": str(tmp_path / "ledger")}
    common = {"files": f"{tmp_path}/a.txt", "reuse": True}
    return run(upload(tmp_path, **common | folders | arguments), run_id=f"run{number}")


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    file = tmp_path / "a.txt"
    file.write_text("content")
    return file


@pytest.mark.parametrize("in_parts", [{}, {"uploads": True, "part_size": 2}])
def test_a_file_that_is_there_is_not_sent_again(sandbox: Sandbox, tmp_path: Path, a_file: Path, in_parts: Row) -> None:
    """A later run uses the file of an earlier one, and its answer says so."""
    (first,) = answers(again(tmp_path, 1, **in_parts))
    sandbox.reset()
    manifest = again(tmp_path, 2, **in_parts)
    assert [first | {"reused": True}] == answers(manifest)
    assert ((1, 1, 0, 0), 1) == (counts(manifest), manifest["requests"])


# what changes between the runs
@pytest.mark.parametrize("change", ["content", "name", "purpose", "deleted", "reuse is off"])
def test_another_file_is_sent(sandbox: Sandbox, tmp_path: Path, a_file: Path, change: str) -> None:
    """Other bytes, another name or purpose, or a file that OpenAI has no more, are uploaded."""
    (first,) = answers(again(tmp_path, 1))
    arguments: Row = {}
    match change:
        case "content":
            a_file.write_text("CONTENT")
        case "name":
            a_file.rename(tmp_path / "b.txt")
            arguments = {"files": f"{tmp_path}/b.txt"}
        case "purpose":
            arguments = {"purpose": "evals"}
        case "deleted":
            headers = {"Authorization": f"Bearer {KEY}"}
            httpx.delete(f"{sandbox.base_url}/files/{first['id']}", headers=headers, trust_env=False).raise_for_status()
        case "reuse is off":
            arguments = {"reuse": False}
    (second,) = answers(again(tmp_path, 2, **arguments))
    assert first["id"] != second["id"]
    assert "reused" not in second
    assert 2 == requests_to(sandbox, UPLOADS)


def test_many_files_that_are_gone_do_not_stop_the_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """That a known file is not there any more is no refusal, however many there are."""
    for number in range(25):
        (tmp_path / f"{number}.txt").write_text(str(number))
    files = {"files": f"{tmp_path}/*.txt"}
    for file in answers(again(tmp_path, 1, **files)):
        headers = {"Authorization": f"Bearer {KEY}"}
        httpx.delete(f"{sandbox.base_url}/files/{file['id']}", headers=headers, trust_env=False)
    assert (25, 25, 0, 0) == counts(again(tmp_path, 2, **files))


def test_an_estimate_checks_the_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """As the upload itself does, which neither sends nor writes."""
    (tmp_path / "bad.jsonl").write_text("{")
    found = run(upload(tmp_path, purpose="batch", files=f"{tmp_path}/bad.jsonl", estimate_only=True))
    assert ((1, 0, 1, 0), ["invalid_file"]) == (counts(found), [kind["code"] for kind in found["rejections"]])
    assert not (tmp_path / "results").exists()


# -- waiting -----------------------------------------------------------------------------------------


@pytest.fixture
def slow_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox that processes a file while it is asked for it twice."""
    with running_sandbox(processing_reads=2) as running:
        for name, value in as_environment(running.root_url).items():
            monkeypatch.setenv(name, value)
        yield running


def deferred(operator: Any) -> TaskDeferred:
    """Execute an operator that must give up its worker."""
    ti = TaskInstance(task_id=operator.task_id)
    with pytest.raises(TaskDeferred) as raised:
        operator.execute({"ti": ti, "task": operator, "run_id": ti.run_id})
    return raised.value


def event_of(defer: TaskDeferred) -> Row:
    """Run the trigger as the triggerer does, made again of what was saved."""
    path, arguments = defer.trigger.serialize()
    assert path.endswith(".OpenAIFileProcessedTrigger")
    trigger = OpenAIFileProcessedTrigger(**json.loads(json.dumps(arguments)))

    async def first() -> Row:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("no event")

    return asyncio.run(first())


WAIT = {"wait": True, "poll_interval": 0.01, "purpose": "fine-tune", "check": False}


def test_the_task_waits_until_the_file_is_processed(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """wait=True returns with the file's last status."""
    manifest = run(upload(tmp_path, records=CITIES, deferrable=False, **WAIT))
    assert ["processed"] * 3 == [answer["status"] for answer in answers(manifest)]
    assert 3 == requests_to(slow_sandbox, LOOKS)


def test_the_task_can_wait_without_a_worker(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """deferrable=True gives the worker back, and the trigger only reads."""
    operator = upload(tmp_path, records=CITIES, deferrable=True, **WAIT)
    defer = deferred(operator)
    event = event_of(defer)
    assert KEY not in repr(defer.trigger.serialize())
    context: Any = {"ti": TaskInstance(task_id="upload")}
    manifest = operator.execute_complete(context, event=event)
    assert ((3, 3, 0, 0), "processed") == (counts(manifest), answers(manifest)[0]["status"])
    assert 1 == requests_to(slow_sandbox, UPLOADS)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_file_that_can_not_be_processed_is_rejected(
    slow_sandbox: Sandbox, tmp_path: Path, *, deferrable: bool
) -> None:
    """Its records count as rejected with the API's reason, and the task fails without a retry."""
    (tmp_path / "bad.jsonl").write_text("{")
    operator = upload(tmp_path, files=f"{tmp_path}/bad.jsonl", deferrable=deferrable, **WAIT)
    if deferrable:
        defer, ti = deferred(operator), TaskInstance(task_id="upload")
        with pytest.raises(AirflowFailException, match="not valid JSON"):
            operator.execute_complete({"ti": ti}, event=event_of(defer))  # type: ignore[typeddict-item]
        xcom = ti.pushed["return_value"]
    else:
        xcom = fail(operator, AirflowFailException, "not valid JSON").xcom
    assert (1, 0, 1, 0) == counts(xcom)


def test_many_files_that_can_not_be_processed_are_one_kind(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """With their number and the first of them, so that the manifest stays small."""
    for number in range(3):
        (tmp_path / f"bad{number}.jsonl").write_text("{")
    xcom = fail(upload(tmp_path, files=f"{tmp_path}/bad*.jsonl", deferrable=False, **WAIT), AirflowFailException).xcom
    (kind,) = xcom["rejections"]
    assert ((3, 0, 3, 0), "file_not_processed", 3) == (counts(xcom), kind["code"], kind["count"])
    assert kind["first_key"] in {f"{tmp_path}/bad{number}.jsonl" for number in range(3)}


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_preview_waits_as_well(slow_sandbox: Sandbox, tmp_path: Path, *, deferrable: bool) -> None:
    """What it shows stays in the manifest."""
    operator = upload(tmp_path, records=CITIES, preview=1, deferrable=deferrable, **WAIT)
    if deferrable:
        defer = deferred(operator)
        manifest = operator.execute_complete({"ti": TaskInstance(task_id="upload")}, event=event_of(defer))  # type: ignore[typeddict-item]
    else:
        manifest = run(operator)
    assert ("processed", 1) == (answers(manifest)[0]["status"], len(manifest["preview"]))


def test_what_is_extracted_must_have_the_id_to_wait_for(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """A file whose id is thrown away can't be asked for; one whose id is kept can."""
    with pytest.raises(ConfigurationError, match="'id': 'id'"):
        upload(tmp_path, records=CITIES, extract={"name": "filename"}, **WAIT)
    run(upload(tmp_path, records=CITIES, extract={"id": "id"}, deferrable=False, **WAIT))
    assert 3 == requests_to(slow_sandbox, LOOKS)


def test_a_wait_that_takes_too_long_is_for_a_retry(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """After wait_timeout the task fails; its retry waits on, and uploads nothing."""
    operator = upload(tmp_path, records=CITIES, deferrable=False, **WAIT | {"wait_timeout": 0})
    assert isinstance(attempt(operator).error, TransientError)
    manifest = run(upload(tmp_path, records=CITIES, deferrable=False, **WAIT), try_number=2)
    assert ((3, 3, 0, 0), 1) == (counts(manifest), requests_to(slow_sandbox, UPLOADS))


def test_an_operator_and_a_trigger_pickle(tmp_path: Path) -> None:
    """Both go to other processes."""
    operator = upload(tmp_path, records=CITIES, **WAIT)
    assert operator.poll_interval == pickle.loads(pickle.dumps(operator)).poll_interval  # noqa: S301 - our own bytes
    trigger = OpenAIFileProcessedTrigger(conn_id="c", file_ids=["a"], poll_interval=1, end_time=None)
    assert trigger.serialize() == OpenAIFileProcessedTrigger(**trigger.serialize()[1]).serialize()


# -- the sensor --------------------------------------------------------------------------------------


def uploaded(tmp_path: Path, text: str = "{}") -> str:
    (tmp_path / "lines.jsonl").write_text(text)
    operator = upload(tmp_path, files=f"{tmp_path}/lines.jsonl", purpose="fine-tune", check=False)
    return str(answers(run(operator))[0]["id"])


def sensor(file_id: Any, **arguments: Any) -> OpenAIFileSensor:
    return OpenAIFileSensor(**{"task_id": "wait", "file_id": file_id, "deferrable": False} | arguments)


def test_the_sensor_is_true_once_the_file_is_processed(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """Each poke asks once."""
    waiting = sensor(uploaded(tmp_path))
    assert [False, False, True] == [waiting.poke({}) for _ in range(3)]  # type: ignore[typeddict-item]


@pytest.mark.parametrize("text", ["{", None], ids=["error", "deleted"])
def test_the_sensor_fails_for_a_file_that_will_never_do(
    slow_sandbox: Sandbox, tmp_path: Path, text: str | None
) -> None:
    """A file with an error, or one that is not there, fails the task without a retry."""
    waiting = sensor("file-none" if text is None else uploaded(tmp_path, text))
    with pytest.raises(AirflowFailException, match="can't be used"):
        assert not any(waiting.poke({}) for _ in range(3))  # type: ignore[typeddict-item]


def test_the_sensor_can_wait_without_a_worker(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """deferrable=True hands the files to the trigger."""
    waiting = sensor([uploaded(tmp_path)], deferrable=True, poke_interval=0.01)
    defer = deferred(waiting)
    waiting.execute_complete({}, event=event_of(defer))  # type: ignore[typeddict-item]


def test_a_dag_whose_tasks_defer_runs(
    slow_sandbox: Sandbox, run_dag: Callable[..., DagRunResult], tmp_path: Path
) -> None:
    """Airflow itself keeps what is deferred, runs the trigger and comes back with its event."""
    with DAG("uploads_that_defer", schedule=None) as dag:
        first = upload(tmp_path, records=CITIES, deferrable=True, **WAIT)
        file_id = "{{ ti.xcom_pull('upload')['outcomes'][0]['answer']['id'] }}"
        first >> sensor(file_id, deferrable=True, poke_interval=0.01)
    result = run_dag(dag)
    assert {"success"} == {result.state, *result.task_states.values()}
    assert (counts(result.xcoms["upload"]), "processed") == ((3, 3, 0, 0), answers(result.xcoms["upload"])[0]["status"])


def test_a_refused_key_ends_the_wait(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """What no waiting mends fails the task at once."""
    slow_sandbox.set_faults("status=401,code=invalid_api_key,path=/files")
    with pytest.raises(AirflowFailException, match="can't be asked for"):
        sensor("file-1").poke({})  # type: ignore[typeddict-item]


def test_a_server_that_fails_is_asked_again(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    """A question without an answer says nothing of the file."""
    file_id = uploaded(tmp_path)
    slow_sandbox.set_faults("status=503,path=/files,times=1", "reset,path=/files,times=1")
    waiting = sensor(file_id)
    assert [False] * 4 + [True] == [waiting.poke({}) for _ in range(5)]  # type: ignore[typeddict-item]


def test_a_file_format_that_the_purpose_does_not_take_is_refused(tmp_path: Path) -> None:
    """A batch in CSV is told when the Dag is parsed."""
    with pytest.raises(ConfigurationError, match="jsonl"):
        upload(tmp_path, records=CITIES, purpose="batch", file_format="csv")
