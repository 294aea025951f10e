"""A webhook that fails: nothing that was paid for is lost, and OpenAI is never called again for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIManualRequestOperator, OpenAIWebhookOperator
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    ASK,
    api_requests,
    counts,
    fail,
    inbox_items,
    openai_connection,
    recording_server,
    rows_of,
    run,
    webhook_connection,
)

QUESTIONS = [{"id": name, "q": f"question {name}"} for name in "abcdef"]
HOOK = "openai_dest_webhook_default"

# ways in which a receiver does not take the item of question d
REFUSALS = {
    "refuses it": "status=400,path=/sandbox/inbox,match=question d",
    "finds the signature wrong": "status=401,path=/sandbox/inbox,match=question d",
    "is busy": "status=503,path=/sandbox/inbox,match=question d,retry_after=0.01",
    "redirects it": "redirect,to=/elsewhere,path=/sandbox/inbox,match=question d",
}


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "ask", "results": str(tmp_path), "records": QUESTIONS, "key": "id", "webhook_conn_id": HOOK}
    return OpenAIManualRequestOperator(**common | ASK | arguments)


def arrived(sandbox: Sandbox) -> list[str]:
    """Give the keys that the receiver took."""
    return sorted(body["data"]["key"] for body in inbox_items(sandbox))


@pytest.mark.parametrize("case", REFUSALS)
def test_a_receiver_that_refuses_fails_the_task_after_everything_was_saved(
    sandbox: Sandbox, tmp_path: Path, case: str
) -> None:
    """The answers are all there, the other items arrived, and Airflow tries again."""
    sandbox.set_faults(REFUSALS[case])
    ended = fail(ask(tmp_path), TransientError, "webhook")
    assert ((6, 6, 0, 0), 6) == (counts(ended.xcom), len(rows_of(ended.xcom["results"])))
    assert list("abcef") == arrived(sandbox)
    assert 5 == ended.xcom["webhook"]["delivered"]


@pytest.mark.parametrize("case", REFUSALS)
def test_the_retry_forwards_only_what_is_left_and_calls_openai_for_nothing(
    sandbox: Sandbox, tmp_path: Path, case: str
) -> None:
    """As soon as the receiver takes it, the item arrives, and no request goes to OpenAI."""
    sandbox.set_faults(REFUSALS[case])
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    assert (6, 6, 0, 0) == counts(run(ask(tmp_path), try_number=2))
    assert (["d"], 0) == (arrived(sandbox), api_requests(sandbox))


@pytest.mark.parametrize("case", ["refuses it", "is busy"])
def test_a_retry_that_is_refused_again_fails_again(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """While an item does not arrive, no try succeeds."""
    sandbox.set_faults(REFUSALS[case])
    fail(ask(tmp_path), TransientError)
    sandbox.reset()
    fail(ask(tmp_path), TransientError, "webhook", try_number=2)
    assert 0 == api_requests(sandbox)


@pytest.mark.parametrize("case", REFUSALS)
def test_a_webhook_that_is_not_required_lets_the_task_succeed(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """webhook_required=False: the task succeeds, and the manifest says what did not arrive."""
    sandbox.set_faults(REFUSALS[case])
    manifest = run(ask(tmp_path, webhook_required=False))
    assert ((6, 6, 0, 0), 5, 6) == (counts(manifest), manifest["webhook"]["delivered"], manifest["webhook"]["input"])


def test_what_was_refused_can_be_sent_later(sandbox: Sandbox, tmp_path: Path) -> None:
    """The file of undelivered items, named in the manifest, is a source of OpenAIWebhookOperator."""
    sandbox.set_faults(REFUSALS["refuses it"])
    manifest = run(ask(tmp_path, webhook_required=False))
    sandbox.set_faults()
    sandbox.reset()
    replay = OpenAIWebhookOperator(
        task_id="replay", source=manifest["webhook"]["undelivered"], results=str(tmp_path / "replayed")
    )
    assert (1, 1, 0, 0) == counts(run(replay))
    assert (["d"], 0) == (arrived(sandbox), api_requests(sandbox))
    assert {"ask"} == {body["data"]["origin"]["task_id"] for body in inbox_items(sandbox)}


def test_a_refused_item_is_not_stored_where_no_record_may_be(sandbox: Sandbox, tmp_path: Path) -> None:
    """quarantine_records=False keeps its id and the reason; the next try makes it anew from the source."""
    sandbox.set_faults(REFUSALS["refuses it"])
    task = ask(tmp_path, webhook_required=False, keep_records=False, quarantine_records=False)
    (row,) = rows_of(run(task)["webhook"]["undelivered"])
    assert (False, 400) == ("record" in row, row["http_status"])
    sandbox.set_faults()
    sandbox.reset()
    run(task, try_number=2)
    assert (["d"], 0) == (arrived(sandbox), api_requests(sandbox))


def test_the_item_of_a_retry_has_the_id_it_had(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a crash before an arrival was noted, the item comes again under its id, so the receiver can tell."""
    run(ask(tmp_path))
    for noted in tmp_path.glob("forwarded-*.jsonl"):
        noted.unlink()
    run(ask(tmp_path), try_number=2)
    assert {"received": 12, "distinct": 6, "repeats": 6, "refused": 0} == sandbox.stats()["webhooks"]


def test_a_receiver_that_is_gone_stops_the_forwarding(sandbox: Sandbox, tmp_path: Path) -> None:
    """410 means never again: the task fails without a retry and nearly nothing more is sent; the answers are kept."""
    sandbox.set_faults("status=410,path=/sandbox/inbox")
    records = [{"id": str(number), "q": f"question {number}"} for number in range(60)]
    ended = fail(ask(tmp_path, records=records), AirflowFailException, "webhook")
    assert ((60, 60, 0, 0), 60) == (counts(ended.xcom), len(rows_of(ended.xcom["results"])))
    assert sandbox.stats()["requests"]["POST /sandbox/inbox"]["410"] <= 8


def test_a_gone_receiver_does_not_fail_a_task_that_does_not_need_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """webhook_required=False holds for 410 as well."""
    sandbox.set_faults("status=410,path=/sandbox/inbox")
    assert (6, 6, 0, 0) == counts(run(ask(tmp_path, webhook_required=False)))


def test_a_delivery_that_stops_forwards_what_it_has(sandbox: Sandbox, tmp_path: Path) -> None:
    """When OpenAI refuses the key on the way, what was answered before is forwarded; a clear forwards the rest once."""
    sandbox.set_faults("status=401,path=/responses,after=2")
    fail(ask(tmp_path, concurrency=1), AirflowFailException, "invalid_api_key")
    assert list("ab") == arrived(sandbox)
    sandbox.set_faults()
    sandbox.reset()
    run(ask(tmp_path), clear_number=1)
    assert (list("cdef"), 4) == (arrived(sandbox), api_requests(sandbox))


def test_records_are_in_the_items_of_a_retry(sandbox: Sandbox, tmp_path: Path) -> None:
    """An item has its record also when it is forwarded from the rows of an earlier try, and those have none."""
    sandbox.set_faults(REFUSALS["is busy"])
    fail(ask(tmp_path, keep_records=False), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    run(ask(tmp_path, keep_records=False), try_number=2)
    assert [QUESTIONS[3]] == [body["data"]["record"] for body in inbox_items(sandbox)]


def test_both_faults_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """When records were rejected and items refused as well, the retry is not cut off by the rejected ones."""
    sandbox.set_faults(REFUSALS["is busy"], "status=400,match=question a")
    fail(ask(tmp_path), TransientError, "webhook")


def test_the_receiver_does_not_hold_back_the_sending(sandbox: Sandbox, tmp_path: Path) -> None:
    """A slow receiver does not slow down the requests to OpenAI."""
    sandbox.set_faults("slow=0.3,path=/sandbox/inbox")
    records = [{"id": str(number), "q": f"question {number}"} for number in range(24)]
    manifest = run(ask(tmp_path, records=records))
    assert manifest["webhook"]["delivered"] == 24
    assert 24 == sandbox.stats()["webhooks"]["distinct"]


def test_the_record_of_a_hostile_receiver_is_not_followed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect of the receiver is a refusal: the place that it names gets nothing."""
    with recording_server(lambda _: (200, "application/json", b"{}")) as (root, seen):
        sandbox.set_faults(f"redirect,to={root}/x,path=/sandbox/inbox")
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", webhook_connection(sandbox.inbox_url))
        monkeypatch.setenv("AIRFLOW_CONN_OPENAI", openai_connection(sandbox.base_url))
        fail(ask(tmp_path, conn_id="openai", webhook_conn_id="hook"), TransientError)
    assert not seen
