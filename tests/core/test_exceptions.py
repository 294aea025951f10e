"""The exceptions travel: from the process that raises them to the one that reads them."""

from __future__ import annotations

import pickle

import pytest

from airflow_provider_openai_dest.exceptions import (
    AbortError,
    CheckpointMismatchError,
    ConfigurationError,
    InvalidTemplateError,
    LongWaitError,
    OpenAIDestError,
    RecordError,
    SinkError,
    TooManyRejectedError,
    TransientError,
)

ERRORS = [
    OpenAIDestError("the counts do not add up"),
    ConfigurationError("one fault", "another"),
    InvalidTemplateError("body: an open brace"),
    RecordError("missing_field", "the record has no 'q'", param="input", status=400),
    TransientError("2 records are pending"),
    TransientError("2 records are pending", retry_after=12.5),
    LongWaitError("2 records are pending", 300.0),
    AbortError("the key is refused", {"pending": 2}),
    TooManyRejectedError("2 of 2 were rejected", {"rejected": 2}),
    SinkError("the disk is full"),
    CheckpointMismatchError("template changed"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_whole_after_a_pickle(error: Exception) -> None:
    """Class, message and all that an error carries come back from a pickle."""
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(error) is type(back)
    assert str(error) == str(back)
    assert vars(error) == vars(back)


def test_a_transient_error_does_not_know_how_long_unless_it_is_told() -> None:
    """Without a word of the server there is no delay, with one it is kept in seconds."""
    assert TransientError("the server is down").retry_after is None
    assert 0.0 == TransientError("the server is busy", retry_after=0.0).retry_after


def test_a_long_wait_is_a_transient_error_that_knows_how_long() -> None:
    """Where nobody frees the worker, a long wait is a retry after as many seconds."""
    error = LongWaitError("41 of 100 records are pending", 300.0)
    assert isinstance(error, TransientError)
    assert (300.0, 300.0, "41 of 100 records are pending") == (error.seconds, error.retry_after, str(error))
