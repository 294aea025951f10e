"""The manifest: every record accounted for, never larger than it may be, and no credential anywhere."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import (
    OpenAICreateImageOperator,
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAIUploadFileOperator,
    OpenAIWebhookOperator,
)
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    ASK,
    EMBED,
    KEY,
    SECRET,
    Row,
    attempt,
    counts,
    fail,
    openai_connection,
    rows_of,
    run,
    webhook_connection,
)


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    return OpenAIManualRequestOperator(**{"task_id": "ask", "results": str(tmp_path / "results")} | ASK | arguments)


def embed(tmp_path: Path, **arguments: Any) -> OpenAIEmbeddingOperator:
    return OpenAIEmbeddingOperator(
        **{"task_id": "embed", "input": "{message.q}", "results": str(tmp_path / "results")} | EMBED | arguments
    )


def questions(count: int) -> list[Row]:
    return [{"q": f"question {number}"} for number in range(count)]


# -- what it says ------------------------------------------------------------------------------------


def test_delivered_rejected_and_pending_make_up_the_input(sandbox: Sandbox, tmp_path: Path) -> None:
    """With all three at once, each record of the input has exactly one of them."""
    sandbox.set_faults("reset_after_work,match=question 7", "status=400,match=question 8")
    ended = attempt(ask(tmp_path, records=[*questions(10), {}], ambiguous_retries=0, max_error_rate=1.0))
    assert (11, 8, 2, 1) == counts(ended.xcom)
    assert ["delivered"] * 7 + ["rejected", "delivered", "rejected"] == [
        row["status"] for row in rows_of(ended.xcom["results"])
    ]


def test_it_counts_what_was_sent_and_used(sandbox: Sandbox, tmp_path: Path) -> None:
    """Requests and tokens are those that the server counted."""
    manifest = run(ask(tmp_path, records=questions(5)))
    assert (5, sandbox.stats()["tokens"]) == (manifest["requests"], manifest["usage"]["input_tokens"])


def test_it_names_the_kinds_of_rejection(sandbox: Sandbox, tmp_path: Path) -> None:
    """The commonest kind comes first, with its count and the first record that it hit."""
    sandbox.set_faults("status=400,match=question,code=no_questions")
    manifest = run(ask(tmp_path, records=[{}, *questions(3)], max_error_rate=1.0, concurrency=1))
    assert [("no_questions", 3, "1"), ("missing_field", 1, "0")] == [
        (kind["code"], kind["count"], kind["first_key"]) for kind in manifest["rejections"]
    ]


def test_it_names_ten_kinds_at_most(sandbox: Sandbox, tmp_path: Path) -> None:
    """However many kinds of rejection there are, the manifest stays small."""
    sandbox.set_faults(*(f"status=400,match=question {number},code=code_{number}" for number in range(10, 25)))
    manifest = run(ask(tmp_path, records=questions(25), max_error_rate=1.0))
    assert ((25, 10, 15, 0), 10) == (counts(manifest), len(manifest["rejections"]))


def test_it_says_whose_delivery_it_was(sandbox: Sandbox, tmp_path: Path) -> None:
    """Dag, run, task, map index and number of the delivery are told."""
    manifest = run(ask(tmp_path, records=questions(1)), dag_id="d", run_id="r", map_index=3)
    assert ({"dag_id": "d", "run_id": "r", "task_id": "ask", "map_index": 3}, 1) == (
        manifest["origin"],
        manifest["delivery"],
    )


def test_a_failed_task_leaves_its_manifest_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    """XCom holds the manifest also when too many were rejected, so that a later task or person can read it."""
    ended = fail(ask(tmp_path, records=[{}, *questions(2)]), AirflowFailException, "TooManyRejectedError")
    assert (3, 2, 1, 0) == counts(ended.xcom)
    assert 1 == len(rows_of(ended.xcom["quarantine"]))


# -- how large it gets -------------------------------------------------------------------------------


def test_outcomes_stand_in_it_in_the_order_of_the_input(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever came back first, the inline outcomes are those of the records in their order."""
    sandbox.set_faults("slow=0.1,match=question 0")
    manifest = run(ask(tmp_path, records=questions(12)))
    assert [str(number) for number in range(12)] == [outcome["key"] for outcome in manifest["outcomes"]]


@pytest.mark.parametrize("max_xcom_bytes", [0, 100, 2_000, 20_000, 49_152])
def test_outcomes_stand_in_it_only_below_the_bound(sandbox: Sandbox, tmp_path: Path, max_xcom_bytes: int) -> None:
    """The outcomes never take more than max_xcom_bytes; where they would, there are none."""
    manifest = run(ask(tmp_path, records=questions(40), max_xcom_bytes=max_xcom_bytes))
    outcomes = manifest.pop("outcomes")
    assert outcomes is None or len(json.dumps(outcomes)) <= max_xcom_bytes
    assert len(json.dumps(manifest)) < 4_000
    assert 40 == len(rows_of(manifest["results"]))


@pytest.mark.parametrize("text", ["plain", "Привет, мир: 日本語"])
def test_the_bound_is_of_what_airflow_writes(sandbox: Sandbox, tmp_path: Path, text: str) -> None:
    """A bound a byte smaller than the outcomes in Airflow's own spelling of JSON leaves them out."""
    operator = {
        "url": "/embeddings",
        "body": EMBED | {"input": "{message.q}"},
        "records": [{"q": text, "id": text}],
        "key": "id",
    }
    outcomes = run(ask(tmp_path, **operator, max_xcom_bytes=1_000_000), run_id="a")["outcomes"]
    size = len(json.dumps(outcomes))
    assert outcomes is not None
    assert run(ask(tmp_path, **operator, max_xcom_bytes=size), run_id="b")["outcomes"] is not None
    assert run(ask(tmp_path, **operator, max_xcom_bytes=size - 1), run_id="c")["outcomes"] is None


def test_the_bound_can_be_configured(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[openai_dest] max_xcom_bytes is the bound of operators that name none."""
    monkeypatch.setenv("AIRFLOW__OPENAI_DEST__MAX_XCOM_BYTES", "10")
    assert run(ask(tmp_path, records=questions(1)))["outcomes"] is None


@pytest.mark.parametrize("bound", ["lots", "-1", "1.5"])
def test_a_configured_bound_that_is_no_number_is_told(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """A wrong option fails the task without a retry, by its name."""
    monkeypatch.setenv("AIRFLOW__OPENAI_DEST__MAX_XCOM_BYTES", bound)
    fail(ask(tmp_path, records=questions(1)), AirflowFailException, "max_xcom_bytes")


def test_vectors_are_not_pushed_beyond_the_bound(sandbox: Sandbox, tmp_path: Path) -> None:
    """A few vectors stand in XCom, many do not."""
    few = run(embed(tmp_path, records=questions(3)), run_id="few")
    many = run(embed(tmp_path, records=questions(2000)), run_id="many")
    assert (3, None) == (len(few["outcomes"]), many["outcomes"])
    assert len(json.dumps(many)) < 4_000


MULTIPART: Row = {"url": "/files", "content_format": "multipart", "file_fields": ["file"], "files_root": "/in"}

# records whose rejection repeats a part of them
LONG: dict[str, Row] = {
    "a long key": {"records": [{"id": "k" * 1_000_000}], "key": "id"},
    "a long path": MULTIPART | {"records": [{"q": "/in/" + "x" * 1_000_000}], "body": {"file": "{message.q}"}},
    "a long value in the URL": {"records": [{"q": "x/" * 1_000_000}], "url": "/x/{message.q}", "body": None},
}


@pytest.mark.parametrize("case", LONG)
def test_a_long_text_of_a_record_does_not_swell_it(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """A rejected record may be of any size: the manifest still fits into XCom."""
    manifest = run(ask(tmp_path, max_error_rate=1.0, **LONG[case]))
    assert (1, 0, 1, 0) == counts(manifest)
    assert len(json.dumps(manifest)) < 49_152


def test_a_long_message_of_the_server_does_not_swell_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """So may be what the server says."""
    sandbox.set_faults({"mode": "status", "status": 400, "message": "long " * 100_000, "code": "c" * 100_000})  # type: ignore[arg-type]
    manifest = run(ask(tmp_path, records=questions(5), max_error_rate=1.0))
    assert len(json.dumps(manifest)) < 49_152


# -- credentials -------------------------------------------------------------------------------------

HEADER_SECRET = "header-secret-0123456789"


def test_no_credential_is_in_logs_results_or_xcom(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Key, signing secret and secret headers are nowhere: not in logs at DEBUG, nor files, XCom or exceptions."""
    extra = {"default_headers": {"X-Api-Key": HEADER_SECRET}}
    monkeypatch.setenv("AIRFLOW_CONN_WITH_KEY", openai_connection(sandbox.base_url, extra=extra))
    hook_extra = {"allowed_private_networks": ["127.0.0.0/8"], "headers": {"X-Token": HEADER_SECRET}}
    monkeypatch.setenv("AIRFLOW_CONN_WITH_SECRET", webhook_connection(sandbox.inbox_url, extra=hook_extra))
    sandbox.set_faults(
        f"status=401,path=/responses,after=3,message=Incorrect API key provided: {KEY} and {SECRET}",
        f"status=400,path=/sandbox/inbox,match=question 1,message=I know {SECRET}",
    )
    caplog.set_level(logging.DEBUG)
    common: Row = {"conn_id": "with_key", "webhook_conn_id": "with_secret", "max_error_rate": 1.0}
    image = {"model": "gpt-image-2", "prompt": "{message.q}", "size": "64x48", "task_id": "draw"}
    operators = (
        ask(tmp_path, records=questions(8), **common),
        embed(tmp_path, records=questions(3), **common),
        OpenAIUploadFileOperator(
            task_id="u", purpose="user_data", records=questions(2), results=str(tmp_path / "u"), **common
        ),
        OpenAICreateImageOperator(records=questions(2), results=str(tmp_path / "i"), **common, **image),
        OpenAIWebhookOperator(
            task_id="w", records=questions(3), webhook_conn_id="with_secret", results=str(tmp_path / "w")
        ),
    )
    ends = [attempt(operator) for operator in operators]
    assert [True, False] == [ends[0].error is not None, ends[3].xcom == {}]
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    seen = [caplog.text, *written, json.dumps([end.xcom for end in ends]), repr([end.error for end in ends])]
    seen += [str(operator.__dict__) for operator in operators]
    assert "question 1" in "".join(seen)
    for secret in (KEY, SECRET, SECRET.removeprefix("whsec_"), HEADER_SECRET):
        assert not any(secret in text for text in seen)
