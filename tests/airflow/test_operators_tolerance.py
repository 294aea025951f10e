"""How many rejected records a task may have, and that it fails only after everything else was sent and saved."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIManualRequestOperator
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import ASK, attempt, counts, fail, requests_to, rows_of

RECORDS: list[dict[str, Any]] = [{"q": f"question {number}"} for number in range(18)] + [{"p": 1}, {"p": 2}]


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    return OpenAIManualRequestOperator(
        **{"task_id": "ask", "results": str(tmp_path), "records": RECORDS} | ASK | arguments
    )


# what is allowed with 2 of 20 records rejected, and whether the task succeeds
ALLOWED: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing said": ({}, False),
    "just the share": ({"max_error_rate": 0.1}, True),
    "less than the share": ({"max_error_rate": 0.09}, False),
    "all": ({"max_error_rate": 1.0}, True),
    "none": ({"max_error_rate": 0.0}, False),
    "just the number": ({"max_errors": 2}, True),
    "less than the number": ({"max_errors": 1}, False),
    "the share and not the number": ({"max_error_rate": 0.5, "max_errors": 1}, False),
    "the number and not the share": ({"max_error_rate": 0.01, "max_errors": 5}, False),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_task_succeeds_when_no_more_were_rejected_than_allowed(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """max_error_rate and max_errors both bind; without them one rejected record is too many."""
    arguments, succeeds = ALLOWED[case]
    ended = attempt(ask(tmp_path, **arguments))
    assert (20, 18, 2, 0) == counts(ended.xcom)
    assert succeeds == (ended.error is None)
    assert succeeds or isinstance(ended.error, AirflowFailException)


def test_too_many_rejected_is_told_after_everything_was_sent_and_saved(sandbox: Sandbox, tmp_path: Path) -> None:
    """The task fails without a retry, says what was rejected and where it is, and all the rest is delivered."""
    ended = fail(ask(tmp_path), AirflowFailException, "2 of 20 records were rejected")
    assert 18 == requests_to(sandbox)
    assert (20, 2) == (len(rows_of(ended.xcom["results"])), len(rows_of(ended.xcom["quarantine"])))
    for words in ("TooManyRejectedError", "missing_field", "'18'", ended.xcom["quarantine"]):
        assert words in str(ended.error)


def test_the_error_can_be_pickled(sandbox: Sandbox, tmp_path: Path) -> None:
    """What the task raised survives the way to another process, with its cause."""
    error = attempt(ask(tmp_path)).error
    assert error is not None
    for one in (error, error.__cause__):
        again = pickle.loads(pickle.dumps(one))  # noqa: S301 - it was made a moment ago
        assert (type(one), str(one)) == (type(again), str(again))
