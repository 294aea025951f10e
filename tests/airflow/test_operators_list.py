"""OpenAIListSource: a list of the API as the source of any operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest import (
    OpenAIListSource,
    OpenAIManualRequestOperator,
    OpenAISendRecordsOperator,
    OpenAIWebhookOperator,
)
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException, AirflowRescheduleException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import KEY, api_requests, counts, fail, inbox_items, refuse, rows_of, run

GET_CONTENT: dict[str, Any] = {"method": "GET", "url": "/files/{message.id}/content"}


def look_up(tmp_path: Path, source: Any, **arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "look_up", "results": str(tmp_path / "results"), "source": source}
    return OpenAIManualRequestOperator(**common | {"method": "GET", "url": "/files/{message.id}"} | arguments)


@pytest.fixture
def files(sandbox: Sandbox) -> list[str]:
    """Give the ids of five files, the oldest first."""
    with httpx.Client(base_url=sandbox.base_url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        for old in client.get("/files").json()["data"]:
            client.delete(f"/files/{old['id']}")
        uploads = [
            client.post("/files", data={"purpose": "batch"}, files={"file": (f"{n}.jsonl", b"{}")}) for n in range(5)
        ]
    sandbox.reset()
    return [upload.json()["id"] for upload in uploads]


def test_each_item_of_a_list_is_a_record(sandbox: Sandbox, files: list[str], tmp_path: Path) -> None:
    """By its id, page after page, over the connection of the operator; Jinja fills the query."""
    query = {"limit": 2, "order": "asc", "purpose": "{{ 'batch' }}"}
    manifest = run(look_up(tmp_path, OpenAIListSource(path="/files", query=query)))
    rows = rows_of(manifest["results"])
    assert ((5, 5, 0, 0), files) == (counts(manifest), [row["key"] for row in rows])
    assert files == [row["answer"]["id"] for row in rows]
    assert {"200": 3} == sandbox.stats()["requests"]["GET /v1/files"]


def test_the_operator_s_key_wins(sandbox: Sandbox, files: list[str], tmp_path: Path) -> None:
    """An item may be known by another field than its id."""
    manifest = run(look_up(tmp_path, OpenAIListSource(path="/files", query={"order": "asc"}), key="filename"))
    assert [f"{n}.jsonl" for n in range(5)] == [row["key"] for row in rows_of(manifest["results"])]


def test_a_retry_reads_the_list_again_and_sends_the_rest(sandbox: Sandbox, files: list[str], tmp_path: Path) -> None:
    """What is settled is known by its key, wherever it stands in the list now."""
    operator = look_up(tmp_path, OpenAIListSource(path="/files"))
    sandbox.set_faults(f"status=503,path=/files/{files[2]}")
    assert (5, 4, 0, 1) == counts(fail(operator, TransientError).xcom)
    sandbox.set_faults()
    sandbox.reset()
    assert (5, 5, 0, 0) == counts(run(operator, try_number=2))
    assert {"200": 1} == sandbox.stats()["requests"]["GET /v1/files/{file_id}"]


def test_a_list_that_breaks_off_keeps_what_was_read(sandbox: Sandbox, files: list[str], tmp_path: Path) -> None:
    """The items of the pages before are sent, and the task fails with what is wrong with the list."""
    sandbox.set_faults("status=404,path=/files,after=1")
    source = OpenAIListSource(path="/files", query={"limit": 2})
    ended = fail(look_up(tmp_path, source, url="/models/gpt-6-luna"), AirflowFailException, "the list /files")
    assert (2, 2, 0, 0) == counts(ended.xcom)


def test_a_list_that_must_wait_long_frees_the_worker(sandbox: Sandbox, files: list[str], tmp_path: Path) -> None:
    """As records do; what was read before is sent and kept."""
    sandbox.set_faults("status=429,retry_after=600,path=/files,after=1")
    source = OpenAIListSource(path="/files", query={"limit": 2})
    ended = fail(look_up(tmp_path, source, url="/models/gpt-6-luna"), AirflowRescheduleException)
    assert (2, 2, 0, 0) == counts(ended.xcom)


def test_files_of_a_list_become_files_of_the_results(sandbox: Sandbox, files: list[str], tmp_path: Path) -> None:
    """Each content is written under the results, by the id of its file."""
    source = OpenAIListSource(path="/files", query={"order": "asc"})
    rows = rows_of(run(look_up(tmp_path, source, **GET_CONTENT))["results"])
    assert [tmp_path / f"results/files/{name}.bin" for name in files] == [Path(row["answer"]["path"]) for row in rows]


def test_any_operator_takes_a_list(sandbox: Sandbox, tmp_path: Path) -> None:
    """A named endpoint, and a webhook that has a connection to OpenAI for it."""
    source = OpenAIListSource(path="/models")
    send = OpenAISendRecordsOperator(
        task_id="send",
        endpoint="create_response",
        source=source,
        body={"model": "gpt-6-luna", "input": "What is {message.id}?"},
        results=str(tmp_path),
    )
    manifest = run(send)
    assert manifest["delivered"] == manifest["input"] > 5
    run(OpenAIWebhookOperator(task_id="forward", source=source, results=str(tmp_path / "w")))
    assert rows_of(manifest["results"])[0]["key"] in {item["data"]["key"] for item in inbox_items(sandbox)}


# a list, and what is wrong with it
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another host": ({"path": "//evil.example/files"}, "path"),
    "a way up": ({"path": "/../files"}, "path"),
    "a record's field": ({"path": "/files/{message.id}"}, "no record"),
    "a key that is none": ({"path": "/files", "key": "a["}, "key"),
    "a query that is none": ({"path": "/files", "query": "limit=2"}, "query"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_list_that_can_not_be_is_told_when_the_dag_is_parsed(case: str) -> None:
    """With what is wrong."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        OpenAIListSource(**arguments)


@pytest.mark.parametrize("path", ["{{ '//evil.example/files' }}", "{{ '/../files' }}", "{{ 'http://evil.example/x' }}"])
def test_jinja_leads_a_list_nowhere_else(sandbox: Sandbox, tmp_path: Path, path: str) -> None:
    """The key stays at the origin of the connection."""
    refuse(lambda: look_up(tmp_path, OpenAIListSource(path=path)))
    assert 0 == api_requests(sandbox)
