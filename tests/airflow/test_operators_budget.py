"""Budgets of an operator, against a real server: what is sent stays within them, and a clear sends the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIEmbeddingOperator, OpenAIManualRequestOperator
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import ASK, EMBED, api_requests, counts, fail, refuse, requests_to, run

RECORDS = [{"q": f"word {number}"} for number in range(40)]


def asking(tmp_path: Path, **keywords: Any) -> OpenAIManualRequestOperator:
    """Give a task that asks one question a record."""
    return OpenAIManualRequestOperator(
        task_id="ask", records=RECORDS, results=str(tmp_path), **(ASK | {"concurrency": 4} | keywords)
    )


def test_no_more_requests_are_sent_than_allowed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exactly so many, repeated ones included; the rest is pending and the task fails without a retry."""
    sandbox.set_faults("status=503,times=3")
    ended = fail(asking(tmp_path, max_requests=10), AirflowFailException, "max_requests=10 is reached")
    assert 10 == requests_to(sandbox)
    assert counts(ended.xcom)[0] == 40
    assert ended.xcom["pending"] >= 30


def test_a_raised_limit_and_a_clear_send_only_the_rest(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was paid for is kept."""
    fail(asking(tmp_path, max_requests=10), AirflowFailException, "raise the limit and clear the task")
    assert (40, 40, 0, 0) == counts(run(asking(tmp_path, max_requests=100), clear_number=1))
    assert 40 == requests_to(sandbox)


def test_tokens_stay_within_the_budget(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the body bounds the answer, the sum never passes the limit."""
    body = ASK["body"] | {"max_output_tokens": 50}
    ended = fail(asking(tmp_path, max_tokens_total=400, body=body), AirflowFailException, "max_tokens_total=400")
    assert 0 < ended.xcom["usage"]["total_tokens"] <= 400
    assert 0 < ended.xcom["delivered"] < 40


def test_an_unbounded_answer_passes_it_by_what_is_on_the_wire_at_most(sandbox: Sandbox, tmp_path: Path) -> None:
    """So many requests more than the limit pays for as may be on the wire."""
    ended = fail(asking(tmp_path, max_tokens_total=100), AirflowFailException, "max_tokens_total=100")
    used, sent = ended.xcom["usage"]["total_tokens"], requests_to(sandbox)
    assert (sent - 4) * used / sent <= 100


def test_a_lost_answer_is_spent_for_later_tries_too(sandbox: Sandbox, tmp_path: Path) -> None:
    """No row tells what it cost, and each try would else pay for another one."""
    body = ASK["body"] | {"max_output_tokens": 50}
    task = {"max_tokens_total": 100, "body": body, "concurrency": 1, "ambiguous_retries": 0}
    sandbox.set_faults("reset_after_work")
    fail(asking(tmp_path, **task), AirflowFailException, "max_tokens_total=100 is reached")
    sent = requests_to(sandbox)
    fail(asking(tmp_path, **task), AirflowFailException, "max_tokens_total=100 is reached", try_number=2)
    assert 1 <= sent == requests_to(sandbox)


def test_dollars_stay_within_the_budget_over_all_tries(sandbox: Sandbox, tmp_path: Path) -> None:
    """What an earlier try spent counts: the next one has nothing left."""
    body = ASK["body"] | {"max_output_tokens": 50}
    task = {"max_cost": 0.0002, "body": body}
    first = fail(asking(tmp_path, **task), AirflowFailException, "max_cost=0.0002 is reached: $")
    assert 0 < first.xcom["cost"] <= 0.0002
    sent = requests_to(sandbox)
    second = fail(asking(tmp_path, **task), AirflowFailException, "is reached", try_number=2)
    assert (first.xcom["cost"], sent) == (second.xcom["cost"], requests_to(sandbox))


def test_dollars_need_a_known_price(sandbox: Sandbox, tmp_path: Path) -> None:
    """An unknown model is refused before anything is sent."""
    body = ASK["body"] | {"model": "somebody-elses-model"}
    refuse(lambda: asking(tmp_path, max_cost=1, body=body), "the price of the model 'somebody-elses-model'")
    assert 0 == api_requests(sandbox)


def test_a_model_in_the_records_is_looked_up_before_it_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """The sending stops before the record whose price nobody knows."""
    records = [{"model": "gpt-6-luna"}, {"model": "somebody-elses-model"}]
    body = {"model": "{message.model}", "input": "hello"}
    ended = fail(
        OpenAIManualRequestOperator(
            task_id="ask", records=records, url="/responses", body=body, results=str(tmp_path), max_cost=1
        ),
        AirflowFailException,
        "'somebody-elses-model' is not known",
    )
    assert (2, 1, 0, 1) == counts(ended.xcom)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("max_cost", 0), ("max_cost", "1"), ("max_tokens_total", 0), ("max_requests", 0.5), ("preview", 0)],
)
def test_a_limit_that_is_none_does_not_parse(keyword: str, value: Any, tmp_path: Path) -> None:
    """The error names the keyword."""
    refuse(lambda: asking(tmp_path, **{keyword: value}), f"{keyword}={value!r}")


def test_a_budget_that_is_enough_changes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Everything is delivered, and the cost is told."""
    manifest = run(
        OpenAIEmbeddingOperator(
            task_id="embed", records=RECORDS, input="{message.q}", results=str(tmp_path), max_cost=1, **EMBED
        )
    )
    assert (40, 40, 0, 0) == counts(manifest)
    assert manifest["usage"]["total_tokens"] * 2e-8 == pytest.approx(manifest["cost"])
