"""A server that misbehaves: what it costs is bounded, and what may have been paid twice is told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIManualRequestOperator
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from tests.airflow.operator_context import ASK, api_requests, attempt, counts, fail, openai_connection, run

QUESTIONS = [{"id": str(number), "q": f"question {number}"} for number in range(60)]


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "ask", "results": str(tmp_path), "records": QUESTIONS, "key": "id"}
    return OpenAIManualRequestOperator(**common | ASK | arguments)


def test_errors_that_pass_are_waited_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """With three of ten requests refused for a moment, every record is delivered and none is worked twice."""
    sandbox.set_faults("status=503,rate=0.3,retry_after=0.01", seed=1)
    assert (60, 60, 0, 0) == counts(run(ask(tmp_path)))
    assert (60, 0) == (sandbox.stats()["items"], sandbox.stats()["repeated_items"])


def test_a_rate_limit_is_waited_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """The records that it refused wait and are delivered."""
    sandbox.set_faults("status=429,times=2,retry_after=0.01")
    manifest = run(ask(tmp_path))
    assert ((60, 60, 0, 0), 2) == (counts(manifest), manifest["waits"])


def test_the_limit_of_the_account_is_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit that the answers tell is kept, so that nearly no request is refused for it."""
    with running_sandbox(requests_per_minute=1800) as limited:
        monkeypatch.setenv("AIRFLOW_CONN_LIMITED", openai_connection(limited.base_url))
        manifest = run(ask(tmp_path, conn_id="limited"))
        refused = limited.stats()["requests"]["POST /v1/responses"].get("429", 0)
    assert ((60, 60, 0, 0), True) == (counts(manifest), refused <= 2)


def test_what_may_be_billed_twice_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each answer that was lost after the work is counted in the manifest: no more is paid twice than it says."""
    sandbox.set_faults("reset_after_work,rate=0.3", seed=3)
    manifest = attempt(ask(tmp_path)).xcom
    repeated = sandbox.stats()["repeated_items"]
    assert (True, True) == (0 < repeated <= manifest["maybe_billed"], manifest["delivered"] + manifest["pending"] == 60)


def test_ambiguous_retries_can_be_forbidden(sandbox: Sandbox, tmp_path: Path) -> None:
    """ambiguous_retries=0 pays for nothing twice in one try."""
    sandbox.set_faults("reset_after_work,rate=0.3", seed=3)
    manifest = fail(ask(tmp_path, ambiguous_retries=0), TransientError, "pending").xcom
    assert (0, manifest["pending"]) == (sandbox.stats()["repeated_items"], manifest["maybe_billed"])


def test_a_request_that_never_arrived_is_not_called_billed(sandbox: Sandbox, tmp_path: Path) -> None:
    """A connection that was refused costs nothing, and the manifest does not say that it may have."""
    sandbox.set_faults("reset,times=1,match=question 7")
    manifest = run(ask(tmp_path))
    assert ((60, 60, 0, 0), 0) == (counts(manifest), sandbox.stats()["repeated_items"])


# faults that take long, with a timeout of 0.3 s
TOO_SLOW = {"an answer that does not come": "slow=5", "an answer that drips": "drip,interval=0.2"}


@pytest.mark.parametrize("case", TOO_SLOW)
def test_the_timeout_is_of_the_whole_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """An answer is not waited for longer than the connection says, however it trickles."""
    with running_sandbox(faults=[f"{TOO_SLOW[case]},match=question 1"]) as slow:
        monkeypatch.setenv("AIRFLOW_CONN_HASTY", openai_connection(slow.base_url, extra={"timeout": 0.3}))
        began = time.monotonic()
        operator = ask(tmp_path, conn_id="hasty", records=QUESTIONS[:2], ambiguous_retries=0)
        ended = fail(operator, TransientError, "pending")
    assert ((2, 1, 0, 1), True) == (counts(ended.xcom), time.monotonic() - began < 2)


def test_an_answer_that_unpacks_without_end_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """A small answer that would become 300 MB rejects its record, and the others go on."""
    sandbox.set_faults("bomb,match=question 7")
    began = time.monotonic()
    manifest = run(ask(tmp_path, records=QUESTIONS[:10], max_errors=1))
    assert ((10, 9, 1, 0), True) == (counts(manifest), time.monotonic() - began < 5)


def test_a_server_that_is_down_leaves_all_for_the_next_try(sandbox: Sandbox, tmp_path: Path) -> None:
    """When every answer is an error, the task gives up soon, and says what the server said."""
    sandbox.set_faults("status=503,retry_after=0.01,message=We are down for maintenance.")
    ended = fail(ask(tmp_path, records=QUESTIONS * 10, key=None), TransientError, "We are down for maintenance.")
    assert (600, 0, 0, 600) == counts(ended.xcom)
    assert api_requests(sandbox) < 300


def test_why_records_are_pending_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """The error names what became of the first record that is left, and not only that some are."""
    sandbox.set_faults("reset_after_work,match=question 7")
    fail(ask(tmp_path, ambiguous_retries=0), TransientError, "answer_lost")


def test_a_model_that_is_not_there_stops_after_ten_records(sandbox: Sandbox, tmp_path: Path) -> None:
    """When the first ten records are all refused alike it is the model: the rest is not sent, and a clear sends all."""
    sandbox.set_faults("status=404,code=model_not_found,message=No such model.")
    ended = fail(ask(tmp_path, concurrency=4), AirflowFailException, "No such model.")
    assert (60, 0) == (ended.xcom["input"], ended.xcom["delivered"])
    assert api_requests(sandbox) <= 10 + 4
    sandbox.set_faults()
    assert (60, 60, 0, 0) == counts(run(ask(tmp_path), clear_number=1))
