"""What Airflow is told when a delivery ends with an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_openai_dest.exceptions import (
    AbortError,
    BudgetReachedError,
    CheckpointMismatchError,
    ConfigurationError,
    LongWaitError,
    SinkError,
    TooManyRejectedError,
    TransientError,
)
from airflow_provider_openai_dest.operators import airflow_versions
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException, AirflowRescheduleException
from airflow_provider_openai_dest.operators.failures import LONGEST_WAIT, drawn_out, told_to_airflow


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, /, *values: Any) -> None:
        self.lines.append(message % values)

    warning = info


def told(error: Exception, log: Lines | None = None, draw: float = 0.0) -> BaseException:
    """Give what Airflow sees of an error."""
    with pytest.raises(Exception) as seen, told_to_airflow(log or Lines(), lambda: draw):  # noqa: PT011 - any
        raise error
    return seen.value


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("x"),
        CheckpointMismatchError("x"),
        AbortError("x"),
        BudgetReachedError("x"),
        TooManyRejectedError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_retry_helps_fails_at_once(error: Exception) -> None:
    """A setting, the account and too many rejections fail the task without a retry, by name and message."""
    seen = told(error)
    assert AirflowFailException is type(seen)
    assert f"{type(error).__name__}: x" == str(seen)
    assert seen.__cause__ is error


@pytest.mark.parametrize("error", [TransientError("x"), SinkError("x"), OSError("x")], ids=repr)
def test_what_a_retry_may_help_is_left_to_airflow(error: Exception) -> None:
    """Every other error passes as it is, and Airflow retries."""
    assert told(error) is error


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 300), (0.5, 315), (1.0, 330)])
def test_a_long_wait_frees_the_worker(draw: float, seconds: float) -> None:
    """A long wait becomes a reschedule for then, drawn out by up to a tenth; the moment has a time zone."""
    seen = told(LongWaitError("2 records are pending", 300), draw=draw)
    assert AirflowRescheduleException is type(seen)
    wait = seen.reschedule_date - datetime.now(UTC)
    assert seconds - 5 < wait.total_seconds() <= seconds


def test_a_long_wait_is_told_in_one_line() -> None:
    """The log says how long, why, what is pending, until when, and that it costs no try and no worker."""
    log = Lines()
    seen = told(LongWaitError("41 of 100 records are pending", 300), log)
    (line,) = log.lines
    for words in (
        "asks to wait 5 min",
        "41 of 100 records are pending",
        seen.reschedule_date.isoformat(timespec="seconds"),
        "frees its worker",
        "no try is used",
    ):
        assert words in line


@pytest.mark.parametrize("seconds", [1e6, 1e15, 1e300])
def test_a_wait_without_an_end_is_asked_for_again(seconds: float) -> None:
    """Whatever a server says, it is asked again after a day: no answer parks a task for ever."""
    assert LONGEST_WAIT == drawn_out(seconds, lambda: 0.0).total_seconds()


def test_a_long_wait_is_a_retry_where_the_task_would_come_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`airflow tasks test` runs a task once: it is told the error and not that the task waits."""
    monkeypatch.setenv("AIRFLOW_TEST_MODE", "True")
    error = LongWaitError("2 records are pending", 300)
    assert told(error) is error


# What stands in the scheduler's `ready_to_reschedule.py` of these versions.
GATES = {
    "3.1.0 to 3.1.6": (
        'if (\n            not is_mapped and not getattr(ti.task, "reschedule", False)\n        ):',
        False,
    ),
    "3.1.7": ("if ti.state not in self.RESCHEDULEABLE_STATES:", True),
    "3.1.8 and later": (
        'if ti.state is None and ti.map_index < 0 and not getattr(ti.task, "reschedule", False):',
        True,
    ),
    "not to be read": (None, False),
}


@pytest.mark.parametrize("version", GATES)
def test_the_gate_of_a_version_is_read(version: str) -> None:
    """A scheduler that lets tasks pass which are no sensors is told from one that keeps their date."""
    source, asks_all = GATES[version]
    assert asks_all is airflow_versions.gate_asks_all(source)


def test_this_airflow_honours_a_reschedule() -> None:
    """The Airflow of these tests, 3.1.8 or later, keeps the date."""
    assert airflow_versions.reschedule_is_honoured()
