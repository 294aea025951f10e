"""Results in the form that was asked for, once nothing is pending."""

from __future__ import annotations

import gzip
import json
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIEmbeddingOperator, OpenAIManualRequestOperator, OpenAIWebhookOperator
from airflow_provider_openai_dest.checkpoint import tidy_results
from airflow_provider_openai_dest.exceptions import SinkError, TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sinks import parquet
from tests.airflow.operator_context import (
    ASK,
    EMBED,
    api_requests,
    counts,
    fail,
    inbox_items,
    refuse,
    rows_of,
    run,
    webhook_connection,
)

QUESTIONS = [{"id": name, "q": f"question {name}"} for name in "abcdef"]
GZ = {"results_format": "jsonl.gz", "results_order": "input"}


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "ask", "results": str(tmp_path), "records": QUESTIONS, "key": "id", "ambiguous_retries": 0}
    return OpenAIManualRequestOperator(**common | ASK | arguments)


def tidy(pattern: str) -> list[tuple[str, str]]:
    """Read key and status of each row of a set."""
    lines = [line for path in sorted(glob(pattern)) for line in gzip.open(path)]  # noqa: PTH207, SIM115 - short
    return [(row["key"], row["status"]) for row in map(json.loads, lines)]


def test_each_record_stands_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """The manifest's results name the set, its rows what was written on the way."""
    manifest = run(ask(tmp_path, **GZ))
    assert [(key, "delivered") for key in "abcdef"] == tidy(manifest["results"])
    assert list("abcdef") == [row["key"] for row in rows_of(manifest["rows"])]
    (beside,) = tmp_path.glob("results-*/manifest.json")
    assert (6, manifest["results"]) == (json.loads(beside.read_text())["delivered"], manifest["results"])


def test_nothing_is_written_anew_where_nothing_was_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """The rows are the results."""
    manifest = run(ask(tmp_path))
    assert manifest["results"] == manifest["rows"]
    assert [] == [*tmp_path.glob("results-*")]


def test_nothing_is_written_while_something_is_pending(sandbox: Sandbox, tmp_path: Path) -> None:
    """The try that ends it does; of what was rejected and is delivered after a clear there is a set of its own."""
    sandbox.set_faults("reset_after_work,match=question d", "status=400,match=question b")
    first = fail(ask(tmp_path, **GZ), TransientError).xcom
    assert first["results"] == first["rows"]
    sandbox.set_faults("status=400,match=question b")
    second = fail(ask(tmp_path, **GZ), AirflowFailException, try_number=2).xcom
    assert [(key, "rejected" if key == "b" else "delivered") for key in "abcdef"] == tidy(second["results"])
    sandbox.set_faults()
    third = run(ask(tmp_path, **GZ), clear_number=1)
    assert [(key, "delivered") for key in "abcdef"] == tidy(third["results"])
    assert second["results"] != third["results"]


@pytest.mark.parametrize("who", [{"try_number": 2}, {"clear_number": 1, "try_number": 2}])
def test_a_set_that_could_not_be_written_costs_nothing(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: dict[str, Any]
) -> None:
    """The task fails for a retry, which writes it and sends nothing; so does a clear, for nothing has ended."""

    def no_space(*_: Any) -> None:
        raise SinkError("no space left on device")

    with monkeypatch.context() as full:
        full.setattr(tidy_results, "put_parts", no_space)
        ended = fail(ask(tmp_path, **GZ), SinkError, "no space left")
    assert ((6, 6, 0, 0), ended.xcom["rows"]) == (counts(ended.xcom), ended.xcom["results"])
    sandbox.reset()
    assert 6 == len(tidy(run(ask(tmp_path, **GZ), **who)["results"]))
    assert 0 == api_requests(sandbox)


def test_no_records_are_no_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """And no results."""
    assert (None, []) == (run(ask(tmp_path, records=[], **GZ))["results"], [*tmp_path.glob("results-*")])


@pytest.mark.skipif(not parquet.find_spec("pyarrow"), reason="the extra parquet is not installed")
def test_embeddings_are_columns(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a task after it forwards the answers all the same."""
    import pyarrow.parquet as pq

    operator = OpenAIEmbeddingOperator(
        task_id="embed", results=str(tmp_path), key="id", input="{message.q}", records=QUESTIONS,
        results_format="parquet", results_order="input", **EMBED,
    )  # fmt: skip
    manifest = run(operator)
    table = pq.read_table(Path(manifest["results"]).parent / "part-00000.parquet")
    assert (list("abcdef"), [*range(6)]) == (table["key"].to_pylist(), table["position"].to_pylist())
    assert "fixed_size_list<element: float>[8]" == str(table.schema.field("embedding").type)
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", webhook_connection(sandbox.inbox_url))
    run(OpenAIWebhookOperator(task_id="forward", webhook_conn_id="hook", manifest=manifest, results=str(tmp_path)))
    assert set("abcdef") == {item["data"]["key"] for item in inbox_items(sandbox)}


@pytest.mark.skipif(not parquet.find_spec("pyarrow"), reason="the extra parquet is not installed")
@pytest.mark.parametrize(("name", "kind"), [("vector", "fixed_size_list<element: float>[8]"), ("key", "string")])
def test_an_extracted_embedding_is_a_column_of_its_own_name(
    sandbox: Sandbox, tmp_path: Path, name: str, kind: str
) -> None:
    """Unless a column has that name already: then it stays in the answer."""
    import pyarrow.parquet as pq

    operator = OpenAIEmbeddingOperator(
        task_id="embed", results=str(tmp_path), key="id", input="{message.q}", records=QUESTIONS,
        results_format="parquet", extract={name: "embedding"}, **EMBED,
    )  # fmt: skip
    table = pq.read_table(Path(run(operator)["results"]).parent / "part-00000.parquet")
    assert (kind, "answer" in table.column_names) == (str(table.schema.field(name).type), name == "key")


def test_parquet_without_pyarrow_is_told_before_anything_is_sent(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to install."""
    monkeypatch.setattr(parquet, "find_spec", lambda _: None)
    fail(ask(tmp_path, results_format="parquet"), AirflowFailException, "pip install")
    assert 0 == api_requests(sandbox)


@pytest.mark.parametrize("argument", [{"results_format": "parket"}, {"results_order": "imput"}, {"on_mismatch": "go"}])
def test_a_misspelt_word_is_told_when_the_dag_is_parsed(argument: dict[str, Any], tmp_path: Path) -> None:
    """With the nearest one."""
    refuse(lambda: ask(tmp_path, **argument), "unknown")
