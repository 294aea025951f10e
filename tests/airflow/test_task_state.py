"""The fence in Airflow's task state store, and whether a supervisor is there that may die."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_provider_openai_dest.checkpoint.claims import Claims
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.predecessor import OUTWAIT_SECONDS
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.operators.airflow_versions import is_supervised
from airflow_provider_openai_dest.operators.places import new_ownership
from airflow_provider_openai_dest.operators.task_state import KEY, TaskStateFence
from airflow_provider_openai_dest.sources.record import Record

RUNNER = "airflow.sdk.execution_time.task_runner"
POINTER = {"results": "/lake/results", "delivery": 1, "try": 2}


class Store:
    """The store as the context has it: takes what is written, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.written: list[tuple[str, Any]] = []

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        if self._error is not None:
            raise self._error
        self.written.append((key, value))


def refused(status: int | None) -> AirflowRuntimeError:
    """Give the error as the supervisor words an answer of the API, or that there was none."""
    detail = {"status_code": status, "message": "Server returned error", "detail": {"reason": "not_found"}}
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))


def test_each_look_writes_the_pointer() -> None:
    """A try that may write is the present one, and what it writes says where its state is."""
    store = Store()
    assert not TaskStateFence(store, POINTER).is_closed()
    assert [(KEY, POINTER)] == store.written


@pytest.mark.parametrize("status", [404, 409, 410])
def test_a_refused_write_closes_the_fence(status: int) -> None:
    """Airflow answers 404, 409 or 410 to a try that is not the present one: it must stop."""
    assert TaskStateFence(Store(refused(status)), POINTER).is_closed()


@pytest.mark.parametrize(
    "error",
    [
        refused(None),
        refused(401),
        refused(500),
        refused(503),
        AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR)),
        ConnectionError("refused"),
        EOFError("Request socket closed before length"),
        TimeoutError(),
        ValueError("no JSON"),
    ],
    ids=repr,
)
def test_an_api_that_fails_closes_nothing(error: Exception) -> None:
    """A write that failed for another reason says nothing about who may write."""
    assert not TaskStateFence(Store(error), POINTER).is_closed()


class CommsDecoder:
    """Named as what a worker's task speaks to its supervisor with."""


class InProcessCommsDecoder:
    """Named as what ``dag.test()`` has in its place."""


@pytest.mark.parametrize(
    ("comms", "expected"), [(CommsDecoder(), True), (InProcessCommsDecoder(), False), (None, False)]
)
def test_a_supervisor_is_known_by_how_the_task_speaks_to_it(
    monkeypatch: pytest.MonkeyPatch, comms: Any, expected: Any
) -> None:
    """The parent process is the supervisor where the task has a socket to it."""
    runner = ModuleType(RUNNER)
    runner.SUPERVISOR_COMMS = comms  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, RUNNER, runner)
    assert expected is is_supervised()


@pytest.mark.parametrize("comms", [CommsDecoder(), InProcessCommsDecoder()])
def test_a_worker_outwaits_a_try_that_did_not_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, comms: Any) -> None:
    """It may still run somewhere, as no earlier try of ``dag.test()`` does."""
    runner = ModuleType(RUNNER)
    runner.SUPERVISOR_COMMS = comms  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, RUNNER, runner)
    scope = Scope(dag_id="d", run_id="r", task_id="t")
    Claims(DeliveryLog(tmp_path, scope).rows("claims")).claim(Record(key="a", position=0, data={}))
    began = time.monotonic()
    new_ownership(DeliveryLog(tmp_path, scope, try_number=2), {"ti": SimpleNamespace(try_number=2)})
    assert is_supervised() is (time.monotonic() - began >= OUTWAIT_SECONDS)


@pytest.mark.parametrize("runner", [ModuleType(RUNNER), None])
def test_without_a_task_there_is_no_supervisor(monkeypatch: pytest.MonkeyPatch, runner: ModuleType | None) -> None:
    """Outside of a task, and before one has begun, the parent is any process."""
    monkeypatch.setitem(sys.modules, RUNNER, runner)  # type: ignore[arg-type]
    assert not is_supervised()


class TellOperator(BaseOperator):
    """Returns whether it is supervised."""

    def execute(self, context: Any) -> bool:
        return is_supervised()


def test_a_dag_that_is_tested_has_no_supervisor(run_dag: Callable[..., Any]) -> None:
    """In ``dag.test()`` the parent is a shell or an IDE, whose end is no reason to stop."""
    with DAG("supervised", schedule=None) as dag:
        TellOperator(task_id="tell")
    result = run_dag(dag)
    assert ("success", {"tell": False}) == (result.state, result.xcoms)
