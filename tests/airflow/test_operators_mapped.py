"""Dynamic task mapping: one delivery for each map index, each for itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_openai_dest import (
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAIUploadFileOperator,
    OpenAIWebhookOperator,
)
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import ASK, EMBED, counts, inbox_items, requests_to, rows_of

START = pendulum.datetime(2026, 1, 1)
BATCHES = [[{"t": "one"}, {"t": "two"}], [{"t": "three"}], [{"t": "{{ 7*7 }} {message.json}"}]]


def test_records_can_be_expanded(sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any]) -> None:
    """Each item of expand(records=...) is a task of its own; their results and manifests do not collide."""
    with DAG("expand_records", schedule=None, start_date=START) as dag:
        OpenAIEmbeddingOperator.partial(task_id="embed", input="{message.t}", results=str(tmp_path), **EMBED).expand(
            records=BATCHES
        )
    result = run_dag(dag)
    manifests = result.xcoms["embed"]
    assert ("success", [0, 1, 2]) == (result.state, [manifest["origin"]["map_index"] for manifest in manifests])
    assert [(2, 2, 0, 0), (1, 1, 0, 0), (1, 1, 0, 0)] == [counts(manifest) for manifest in manifests]
    assert [f"map_index={index}" for index in range(3)] == [Path(one["results"]).parent.name for one in manifests]
    assert BATCHES == [[row["record"] for row in rows_of(manifest["results"])] for manifest in manifests]


def test_the_output_of_a_task_can_be_expanded(sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any]) -> None:
    """So does the list that an upstream task returned, and files of one name do not overwrite each other."""
    with DAG("expand_output", schedule=None, start_date=START) as dag:

        @task
        def batches() -> list[Any]:
            return BATCHES

        uploaded = OpenAIUploadFileOperator.partial(task_id="upload", purpose="user_data", results=str(tmp_path))
        uploaded.expand(records=batches())
    result = run_dag(dag)
    assert ("success", 3) == (result.state, requests_to(sandbox, "POST /v1/files"))
    assert 3 == len({manifest["results"] for manifest in result.xcoms["upload"]})


def test_sources_can_be_expanded(sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any]) -> None:
    """A task for each file is the way to more than one machine."""
    for number in range(3):
        (tmp_path / f"{number}.jsonl").write_text(f'{{"q": "question {number}"}}\n')
    with DAG("expand_source", schedule=None, start_date=START) as dag:
        OpenAIManualRequestOperator.partial(task_id="ask", results=str(tmp_path / "results"), **ASK).expand(
            source=[f"{tmp_path}/{number}.jsonl" for number in range(3)]
        )
    result = run_dag(dag)
    assert ("success", [(1, 1, 0, 0)] * 3) == (result.state, [counts(manifest) for manifest in result.xcoms["ask"]])


def test_the_outputs_of_mapped_tasks_are_records(sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any]) -> None:
    """What the indexes of a mapped upstream task returned is one data set, in their order."""
    with DAG("reduce_outputs", schedule=None, start_date=START) as dag:

        @task
        def double(number: int) -> dict[str, Any]:
            return {"t": f"number {number * 2}"}

        OpenAIEmbeddingOperator(
            task_id="embed",
            input="{message.t}",
            results=str(tmp_path),
            records=double.expand(number=[1, 2, 3]),
            **EMBED,
        )
    result = run_dag(dag)
    assert ("success", ["number 2", "number 4", "number 6"]) == (
        result.state,
        [row["record"]["t"] for row in rows_of(result.xcoms["embed"]["results"])],
    )


def test_each_manifest_of_a_mapped_task_can_be_forwarded(
    sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any]
) -> None:
    """A mapped webhook task after a mapped delivery forwards the outcomes of its own index."""
    with DAG("expand_manifest", schedule=None, start_date=START) as dag:
        embedded = OpenAIEmbeddingOperator.partial(
            task_id="embed", input="{message.t}", results=str(tmp_path / "embedded"), **EMBED
        ).expand(records=BATCHES)
        OpenAIWebhookOperator.partial(task_id="forward", results=str(tmp_path / "forwarded")).expand(
            manifest=embedded.output
        )
    assert "success" == run_dag(dag).state
    items = [body["data"] for body in inbox_items(sandbox)]
    assert (4, {0, 1, 2}) == (len(items), {item["origin"]["map_index"] for item in items})
