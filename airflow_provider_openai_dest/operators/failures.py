"""Failures: the package's exceptions become what Airflow does next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_openai_dest.exceptions import AbortError, ConfigurationError, TooManyRejectedError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException

_NO_RETRY = (ConfigurationError, AbortError, TooManyRejectedError)


@contextmanager
def told_to_airflow() -> Iterator[None]:
    """Fail the task without a retry where a retry can't help; all other errors let Airflow retry."""
    try:
        yield
    except _NO_RETRY as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
