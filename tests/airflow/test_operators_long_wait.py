"""A task that the account's limit stops for long: the worker is free, and the task goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_openai_dest import OpenAIManualRequestOperator, OpenAISendRecordsOperator, OpenAIWebhookOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError, LongWaitError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowRescheduleException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import ASK, api_requests, attempt, counts, fail, rows_of
from tests.airflow.waiting_source import WaitingSource


def ask(tmp_path: Path, seconds: float = 300, **arguments: Any) -> OpenAIManualRequestOperator:
    source = WaitingSource(tmp_path / "waited", seconds)
    return OpenAIManualRequestOperator(
        **{"task_id": "ask", "source": source, "results": str(tmp_path / "results")} | ASK | arguments
    )


def test_a_long_wait_keeps_what_was_delivered(sandbox: Sandbox, tmp_path: Path) -> None:
    """Before the worker is free, what was answered is settled and the manifest says what is pending."""
    waiting = fail(ask(tmp_path), AirflowRescheduleException)
    assert 3 == waiting.xcom["delivered"] == len(rows_of(waiting.xcom["results"]))


@pytest.mark.parametrize("resume", ["auto", "always", "never"])
def test_a_task_that_waited_sends_only_the_rest(sandbox: Sandbox, tmp_path: Path, resume: Any) -> None:
    """The same try goes on with itself, whatever `resume` says of other tries: nothing is paid twice."""
    operator = ask(tmp_path, resume=resume)
    fail(operator, AirflowRescheduleException)
    assert 3 == api_requests(sandbox)
    ended = attempt(operator, reschedules=1)
    assert (6, 6, 0, 0) == counts(ended.xcom)
    assert (6, 6) == (api_requests(sandbox), len(rows_of(ended.xcom["results"])))


def test_of_a_record_that_changed_while_the_task_waited_the_new_answer_holds(sandbox: Sandbox, tmp_path: Path) -> None:
    """Within one try, too, what was written later is what a third run finds."""
    operator = OpenAISendRecordsOperator(
        task_id="ask",
        endpoint="create_moderation",
        records=[{"id": 1, "q": "old"}],
        key="id",
        body={"input": "{message.q}"},
        results=str(tmp_path),
        max_error_rate=1.0,
    )
    for number in range(5):
        operator.records = [{"id": 1, "q": f"new {number}"}]
        attempt(operator, reschedules=number)
    sandbox.reset()
    assert (1, 1, 0, 0) == counts(attempt(operator, try_number=2).xcom)
    assert 0 == api_requests(sandbox)


def test_the_worker_is_not_freed_where_the_task_would_not_come_back(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under `airflow tasks test` no wait is too long for the worker, and `None` says the same everywhere."""
    assert (120, 5.5, None) == tuple(ask(tmp_path, max_wait=wait).longest_wait() for wait in (120, 5.5, None))
    monkeypatch.setenv("AIRFLOW_TEST_MODE", "True")
    assert ask(tmp_path).longest_wait() is None
    fail(ask(tmp_path), LongWaitError)


@pytest.mark.parametrize("max_wait", [0, -1, 0.5, float("inf"), float("nan"), "120", True])
def test_a_wait_that_makes_no_sense_is_told_when_the_dag_is_parsed(tmp_path: Path, max_wait: Any) -> None:
    """`max_wait` is a number of seconds, at least one."""
    with pytest.raises(ConfigurationError, match="max_wait="):
        ask(tmp_path, max_wait=max_wait)


def test_dag_test_comes_back_when_it_was_said(
    sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real task is rescheduled, comes back after the wait and not before, as the same try, and ends the delivery."""
    tries: list[tuple[int, float]] = []
    monkeypatch.setattr(
        OpenAIManualRequestOperator,
        "pre_execute",
        lambda self, context: tries.append((context["ti"].try_number, time.monotonic())),
    )
    with DAG("long_wait", schedule=None) as dag:
        ask(tmp_path, seconds=3, max_wait=1, retries=0)
    result = run_dag(dag)
    assert "success" == result.state
    assert (6, 6, 0, 0) == counts(result.xcoms["ask"])
    assert 6 == api_requests(sandbox)
    (first, left), (second, came_back) = tries
    assert 1 == first == second
    assert came_back - left >= 3


def test_a_mapped_task_that_waits_holds_no_other_up(
    sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any]
) -> None:
    """Of two mapped tasks one waits; the other one is done meanwhile, and both end."""
    with DAG("mapped_long_wait", schedule=None) as dag:
        OpenAIManualRequestOperator.partial(
            task_id="ask", results=str(tmp_path / "results"), source=WaitingSource(tmp_path / "waited", 1), **ASK
        ).expand(max_errors=[0, 1])
    result = run_dag(dag)
    assert "success" == result.state
    assert [(6, 6, 0, 0)] * 2 == [counts(manifest) for manifest in result.xcoms["ask"]]


def test_the_webhook_operator_waits_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """What forwards outcomes frees its worker in the same way."""
    operator = OpenAIWebhookOperator(task_id="forward", records=[{"a": 1}])
    monkeypatch.setattr(operator, "_forward", lambda context: (_ for _ in ()).throw(LongWaitError("1 is pending", 300)))
    with pytest.raises(AirflowRescheduleException):
        operator.execute(SimpleNamespace())
