"""A model that has ended stops the task before anything is sent; the list of models is asked for once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAICreateImageOperator, OpenAIUploadFileOperator
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import Seen, api_requests, counts, fail, recording_server, requests_to, run
from tests.airflow.operator_context import openai_connection as connection


@pytest.fixture(autouse=True)
def checked(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Turn the check on, as it is in a new Airflow, with nothing in its cache."""
    monkeypatch.delenv("AIRFLOW__OPENAI_DEST__CHECK_MODELS")
    rmtree(airflow_home / "openai_dest" / ".models", ignore_errors=True)
    yield
    rmtree(airflow_home / "openai_dest" / ".models", ignore_errors=True)


def draw(tmp_path: Path, **arguments: Any) -> OpenAICreateImageOperator:
    fields = {"task_id": "draw", "model": "gpt-image-2", "prompt": "A kite", "size": "64x48"}
    return OpenAICreateImageOperator(**fields | {"results": str(tmp_path / "results")} | arguments)


def test_a_model_that_has_ended_fails_the_task_without_a_retry(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is sent, nothing is written, and the message names what to use instead."""
    fail(draw(tmp_path, model="dall-e-3"), AirflowFailException, "use gpt-image-2.5-sunburst")
    assert (1, 1, False) == (
        requests_to(sandbox, "GET /v1/models"),
        api_requests(sandbox),
        (tmp_path / "results").exists(),
    )


def test_mapped_tasks_ask_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first of many tasks asks, the others read what it was told."""
    for index in range(5):
        run(draw(tmp_path), map_index=index)
    assert (1, 5) == (requests_to(sandbox, "GET /v1/models"), requests_to(sandbox, "POST /v1/images/generations"))


def test_a_model_that_is_not_listed_is_a_line_in_the_log(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API itself says whether it takes it."""
    manifest = run(draw(tmp_path, model="gpt-image-9", max_error_rate=1.0))
    assert (1, 0, 1, 0) == counts(manifest)
    assert "'gpt-image-9' is not in the list of models" in capsys.readouterr().out


def test_the_check_can_be_turned_off(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With [openai_dest] check_models = False nobody is asked."""
    monkeypatch.setenv("AIRFLOW__OPENAI_DEST__CHECK_MODELS", "False")
    assert (1, 0, 1, 0) == counts(run(draw(tmp_path, model="dall-e-3", max_error_rate=1.0)))
    assert 0 == requests_to(sandbox, "GET /v1/models")


def test_a_task_without_one_model_asks_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    """Uploads have no model, and one that stands in the records is told by the API."""
    run(OpenAIUploadFileOperator(task_id="u", purpose="user_data", records=[{"a": 1}], results=str(tmp_path / "u")))
    run(draw(tmp_path, model="{message.model}", records=[{"model": "gpt-image-2"}]))
    assert 0 == requests_to(sandbox, "GET /v1/models")


def test_a_gateway_without_models_delivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has no such path is asked once, and gets its requests all the same."""

    def answer(request: Seen) -> tuple[int, str, bytes]:
        if request.method == "GET":
            return 404, "text/plain", b"no"
        return 200, "application/json", b'{"data": [{"url": "https://images.example/1.png"}]}'

    with recording_server(answer) as (root, seen):
        monkeypatch.setenv("AIRFLOW_CONN_GATEWAY", connection(f"{root}/v1"))
        for number in range(2):
            manifest = run(draw(tmp_path, conn_id="gateway", model="dall-e-3"), run_id=str(number))
            assert (1, 1, 0, 0) == counts(manifest)
    assert ["GET", "POST", "POST"] == [request.method for request in seen]
