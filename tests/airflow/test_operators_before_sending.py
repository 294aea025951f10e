"""Estimate and preview of an operator, against a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIEmbeddingOperator, OpenAIManualRequestOperator, OpenAISendRecordsOperator
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import ASK, EMBED, KEY, api_requests, counts, fail, inbox_items, run

RECORDS = [{"q": "one"}, {"q": "two"}, {"text": "three"}, {"q": "four"}]


def asking(tmp_path: Path, **keywords: Any) -> OpenAIManualRequestOperator:
    """Give a task that asks one question a record; the third record has none."""
    return OpenAIManualRequestOperator(task_id="ask", results=str(tmp_path), **({"records": RECORDS} | ASK | keywords))


def test_an_estimate_sends_nothing_and_writes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """It returns what would be sent and cost, and who would be rejected."""
    found = run(asking(tmp_path, estimate_only=True, body=ASK["body"] | {"max_output_tokens": 100}))
    assert (4, 0, 1, 3) == counts(found)
    assert (True, 3) == (found["estimate_only"], found["requests"])
    assert 0 < found["cost_input"] < found["most_cost"]
    assert [("2", "missing_field")] == [(one["key"], one["code"]) for one in found["first_rejected"]]
    assert (0, []) == (api_requests(sandbox), list(tmp_path.iterdir()))


def test_a_dry_run_does_the_same(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Airflow's own word for it."""
    asking(tmp_path).dry_run()
    assert "nothing is sent; 3 of 4 records would be, in 3 requests, and 1 be rejected" in capsys.readouterr().out
    assert 0 == api_requests(sandbox)


def test_a_preview_sends_the_first_records_and_shows_them(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log and in the manifest."""
    manifest = run(asking(tmp_path, preview=2))
    assert ((2, 2, 0, 0), 2) == (counts(manifest), api_requests(sandbox))
    assert ["one", "two"] == [view["request"]["body"]["input"] for view in manifest["preview"]]
    assert "Sandbox answer" in json.dumps(manifest["preview"][0]["answer"])
    log = capsys.readouterr().out
    assert "::group::Preview of 2 records" in log
    assert KEY not in log


def test_a_preview_never_touches_the_real_delivery(sandbox: Sandbox, tmp_path: Path) -> None:
    """It has a folder of its own, forwards nothing, and the real run sends everything, as its first delivery."""
    task = {"records": RECORDS[:2], "webhook_conn_id": "openai_dest_webhook_default"}
    for _ in range(2):
        preview = run(asking(tmp_path, preview=1, **task))
    assert (2, []) == (preview["delivery"], inbox_items(sandbox))
    assert preview["results"].startswith(str(tmp_path / "preview"))
    manifest = run(asking(tmp_path, **task))
    assert ((2, 2, 0, 0), 1) == (counts(manifest), manifest["delivery"])
    assert 2 == len(inbox_items(sandbox))


def test_a_preview_of_rejected_records_does_not_settle_them(sandbox: Sandbox, tmp_path: Path) -> None:
    """The quarantine that it reads stays what it is."""
    first = fail(asking(tmp_path), AirflowFailException)
    again = OpenAISendRecordsOperator(
        task_id="again",
        endpoint="create_response",
        source=first.xcom["quarantine"],
        results=str(tmp_path / "again"),
        body={"model": "gpt-6-luna", "input": "{message.text}"},
        preview=5,
    )
    assert (1, 1, 0, 0) == counts(run(again))
    assert (4, 3, 1, 0) == counts(fail(asking(tmp_path), AirflowFailException, try_number=2).xcom)


def test_vectors_are_cut_in_a_preview(sandbox: Sandbox, tmp_path: Path) -> None:
    """A person looks at it."""
    task = {"model": "text-embedding-3-small", "input": "{message.q}", "records": RECORDS[:2]}
    manifest = run(OpenAIEmbeddingOperator(task_id="embed", results=str(tmp_path), preview=1, **task))
    assert "... (8,192 characters)" in json.dumps(manifest["preview"])
    assert EMBED["model"] == manifest["preview"][0]["request"]["body"]["model"]
