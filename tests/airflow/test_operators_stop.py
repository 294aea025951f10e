"""A task that is stopped keeps what was answered, leaves the rest, and a later try finishes it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import (
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAIUploadFileOperator,
    OpenAIWebhookOperator,
)
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    ASK,
    Attempt,
    RunningTask,
    api_requests,
    attempt,
    attempt_in_place,
    counts,
    inbox_items,
    rows_of,
    run,
)

QUESTIONS = [{"id": str(number), "q": f"question {number}"} for number in range(200)]


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "ask", "results": str(tmp_path), "records": QUESTIONS, "key": "id", "concurrency": 4}
    return OpenAIManualRequestOperator(**common | ASK | arguments)


def stop_when(operator: Any, is_time: Callable[[], bool]) -> tuple[Attempt, float]:
    """Execute an operator, kill it when it is time, and give how it ended and how long that took."""
    task = RunningTask(operator)
    deadline = time.monotonic() + 10
    while not is_time() and time.monotonic() < deadline:
        time.sleep(0.005)
    began = time.monotonic()
    task.kill()
    ended = task.result(timeout=10)
    return ended, time.monotonic() - began


def test_a_stopped_task_keeps_what_was_answered(sandbox: Sandbox, tmp_path: Path) -> None:
    """Soon after on_kill the task ends, with every answer kept and the rest pending."""
    sandbox.set_faults("slow=0.1")
    ended, seconds = stop_when(ask(tmp_path), lambda: api_requests(sandbox) >= 8)
    assert seconds < 2
    delivered = ended.xcom["delivered"]
    assert 8 <= delivered < 40
    assert ((200, delivered, 0, 200 - delivered), TransientError) == (counts(ended.xcom), type(ended.error))
    assert delivered == api_requests(sandbox) == len(rows_of(ended.xcom["results"]))


def test_the_next_try_finishes_a_stopped_task(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was answered before the stop is not asked again."""
    sandbox.set_faults("slow=0.05")
    stop_when(ask(tmp_path), lambda: api_requests(sandbox) >= 8)
    sandbox.set_faults()
    assert (200, 200, 0, 0) == counts(run(ask(tmp_path, concurrency=16), try_number=2))
    assert (200, 0) == (api_requests(sandbox), sandbox.stats()["repeated_items"])


@pytest.mark.parametrize(
    "fault",
    ["status=429,retry_after=60", "status=503,retry_after=60", "status=500"],
    ids=["a rate limit", "a busy server", "a broken server"],
)
def test_a_task_that_waits_is_stopped_as_well(sandbox: Sandbox, tmp_path: Path, fault: str) -> None:
    """A wait, however long, ends with the task."""
    sandbox.set_faults(fault)
    ended, seconds = stop_when(ask(tmp_path), lambda: api_requests(sandbox) >= 1)
    assert seconds < 2
    assert (200, 0, 0, 200) == counts(ended.xcom)


def test_packed_records_are_left_for_the_next_try(sandbox: Sandbox, tmp_path: Path) -> None:
    """Records that wait in a pack are pending when the task is stopped."""
    sandbox.set_faults("slow=0.3")
    records = [question | {"d": 2 + number % 20} for number, question in enumerate(QUESTIONS)]
    operator = OpenAIEmbeddingOperator(
        task_id="embed", results=str(tmp_path), records=records, model="text-embedding-3-small", input="{message.q}",
        dimensions="{message.d}", concurrency=2,
    )  # fmt: skip
    ended, seconds = stop_when(operator, lambda: sandbox.stats()["in_flight"] >= 1)
    assert seconds < 2
    assert (200, 0, True) == (ended.xcom["input"], ended.xcom["rejected"], ended.xcom["pending"] >= 160)
    sandbox.set_faults()
    assert (200, 200, 0, 0) == counts(run(operator, try_number=2))


def test_an_upload_is_left_for_the_next_try(sandbox: Sandbox, tmp_path: Path) -> None:
    """Files that were not sent yet are pending, and nothing is uploaded twice."""
    sandbox.set_faults("slow=0.1")
    operator = OpenAIUploadFileOperator(
        task_id="u",
        purpose="user_data",
        records=QUESTIONS,
        key="id",
        file_per="record",
        results=str(tmp_path),
        concurrency=4,
    )
    ended, _ = stop_when(operator, lambda: api_requests(sandbox) >= 4)
    sandbox.set_faults()
    assert (200, 200, 0, 0) == counts(run(operator, try_number=2))
    assert (True, 200) == (0 < ended.xcom["pending"] < 200, api_requests(sandbox))


def test_a_stopped_task_stops_forwarding(sandbox: Sandbox, tmp_path: Path) -> None:
    """The webhook is stopped with it, and the next try forwards the rest, each item once."""
    sandbox.set_faults("slow=0.1")
    operator = ask(tmp_path, webhook_conn_id="openai_dest_webhook_default")
    _, seconds = stop_when(operator, lambda: sandbox.stats()["webhooks"]["distinct"] >= 4)
    assert seconds < 2
    assert len(inbox_items(sandbox)) < 100
    sandbox.set_faults()
    run(operator, try_number=2)
    webhooks = sandbox.stats()["webhooks"]
    assert (200, 200, 0) == (api_requests(sandbox), webhooks["distinct"], webhooks["repeats"])


def test_a_stopped_webhook_task_goes_on_later(sandbox: Sandbox, tmp_path: Path) -> None:
    """OpenAIWebhookOperator is stopped and finished in the same way."""
    sandbox.set_faults("slow=0.1,path=/sandbox/inbox")
    operator = OpenAIWebhookOperator(task_id="forward", records=QUESTIONS, key="id", results=str(tmp_path))
    ended, seconds = stop_when(operator, lambda: sandbox.stats()["webhooks"]["distinct"] >= 4)
    assert (True, 200, True) == (seconds < 2, ended.xcom["input"], ended.xcom["pending"] > 0)
    sandbox.set_faults()
    assert (200, 200, 0, 0) == counts(run(operator, try_number=2))
    assert 0 == sandbox.stats()["webhooks"]["repeats"]


def test_a_real_sigterm_stops_a_task(sandbox: Sandbox, tmp_path: Path) -> None:
    """A signal in the midst of the sending ends the task as well: its handler calls on_kill, as Airflow's does."""
    sandbox.set_faults("slow=0.1")
    operator = ask(tmp_path)
    term = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    try:
        term.start()
        began = time.monotonic()
        ended = attempt_in_place(operator)
        seconds = time.monotonic() - began
    finally:
        term.cancel()
        signal.signal(signal.SIGTERM, before)
    assert (True, TransientError) == (seconds < 2, type(ended.error))
    assert ended.xcom["delivered"] == api_requests(sandbox) < 200


def test_a_timeout_of_the_task_keeps_what_was_answered(sandbox: Sandbox, tmp_path: Path) -> None:
    """An execution_timeout, which raises in the midst of the sending, loses no answer: the next try goes on."""

    class TimeoutOfTheTaskError(Exception):
        pass

    def ring(*_: Any) -> None:
        raise TimeoutOfTheTaskError

    sandbox.set_faults("slow=0.1")
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        began = time.monotonic()
        ended = attempt(ask(tmp_path))
        seconds = time.monotonic() - began
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (True, TimeoutOfTheTaskError) == (seconds < 2, type(ended.error))
    answered = api_requests(sandbox)
    assert 0 < answered < 200
    sandbox.set_faults()
    assert (200, 200, 0, 0) == counts(run(ask(tmp_path, concurrency=16), try_number=2))
    assert (200, 0) == (api_requests(sandbox), sandbox.stats()["repeated_items"])


@pytest.mark.parametrize("kind", ["send", "forward"])
def test_a_task_that_is_killed_before_it_begins_sends_nothing(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    """A kill that comes even before the first line of execute is not forgotten either."""
    operator = (
        ask(tmp_path)
        if kind == "send"
        else OpenAIWebhookOperator(task_id="forward", records=QUESTIONS, key="id", results=str(tmp_path))
    )
    operator.on_kill()
    ended = attempt_in_place(operator)
    assert ended.error is not None
    assert (0, 0) == (api_requests(sandbox), sandbox.stats()["webhooks"]["received"])


def test_a_task_that_is_killed_while_it_prepares_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A kill that comes before the first request, while files are listed or state is read, is not forgotten."""

    class KilledEarly(OpenAIManualRequestOperator):
        def read_source(self) -> Any:
            self.on_kill()
            return super().read_source()

    operator = KilledEarly(task_id="ask", results=str(tmp_path), records=QUESTIONS, key="id", **ASK)
    ended = attempt_in_place(operator)
    assert (0, True) == (api_requests(sandbox), ended.error is not None)
