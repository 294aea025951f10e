"""Failures: the package's exceptions become what Airflow does next."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from airflow_provider_openai_dest.exceptions import (
    AbortError,
    BudgetReachedError,
    ConfigurationError,
    LongWaitError,
    TooManyRejectedError,
)
from airflow_provider_openai_dest.operators.airflow_versions import (
    AirflowFailException,
    AirflowRescheduleException,
    reschedule_is_honoured,
)
from airflow_provider_openai_dest.operators.end_of_run import Logger

NO_RETRY = (ConfigurationError, AbortError, BudgetReachedError, TooManyRejectedError)
"""What a retry can't help."""

SPREAD = 0.1
"""Share of a wait by which it is drawn out at random, so that mapped tasks do not all come back in the same second."""

LONGEST_WAIT = 24 * 60 * 60.0
"""Seconds after which the server is asked again, whatever it has said."""


@contextmanager
def told_to_airflow(log: Logger, draw: Callable[[], float] = random.random) -> Iterator[None]:
    """Fail the task without a retry where a retry can't help, and free the worker where the wait is long.

    All other errors let Airflow retry, a long wait as well where Airflow would run the task again at once.

    :param log: the task's log.
    :param draw: a number from 0 to 1, by which a wait is drawn out.
    """
    try:
        yield
    except NO_RETRY as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
    except LongWaitError as error:
        if not reschedule_is_honoured():
            raise
        raise _rescheduled(error, log, draw) from error


def drawn_out(seconds: float, draw: Callable[[], float] = random.random) -> timedelta:
    """Give a wait that the server asked for, a little longer than it said and never longer than a day or so."""
    return timedelta(seconds=min(seconds, LONGEST_WAIT) * (1 + SPREAD * draw()))


def _rescheduled(error: LongWaitError, log: Logger, draw: Callable[[], float]) -> AirflowRescheduleException:
    import pendulum

    from airflow_provider_openai_dest.delivery.progress import worded_time

    wait = drawn_out(error.seconds, draw)
    until = pendulum.now("UTC") + wait
    log.warning(
        "The server asks to wait %s: %s. The task frees its worker and goes on at %s; "
        "no try is used, and what is done is kept",
        worded_time(error.seconds),
        error,
        until.isoformat(timespec="seconds"),
    )
    return AirflowRescheduleException(until)  # type: ignore[no-untyped-call] # Airflow's has no types
