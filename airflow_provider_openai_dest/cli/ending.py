"""Ending: what came of a command, as an exit code, and on standard error for a person."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import TextIO

from airflow_provider_openai_dest.cli.words import spoken
from airflow_provider_openai_dest.exceptions import (
    AbortError,
    BudgetReachedError,
    ConfigurationError,
    OpenAIDestError,
    TooManyRejectedError,
)

DONE, REJECTED, WRONG, STOPPED, UNFINISHED, INTERRUPTED = 0, 1, 2, 3, 4, 130

EXIT_CODES: Mapping[int, str] = {
    DONE: "done: every record is delivered, or no more were rejected than allowed",
    REJECTED: "records were rejected, all others are sent and kept: mend the cause and run the command again",
    WRONG: "an option, the connection or the input is wrong",
    STOPPED: "the budget is reached, or key, quota, project or address are refused: mend it and run the command again",
    UNFINISHED: "the server or the storage failed: the same command sends just the rest",
    INTERRUPTED: "interrupted; what was answered is kept, and the same command sends just the rest",
}

_CODES: tuple[tuple[type[OpenAIDestError], int], ...] = (
    (TooManyRejectedError, REJECTED),
    (ConfigurationError, WRONG),
    (AbortError, STOPPED),
    (BudgetReachedError, STOPPED),
    (OpenAIDestError, UNFINISHED),
)

LOGGER = "airflow_provider_openai_dest"

_FOLD, _END_OF_FOLD = "::group::", "::endgroup::"


def told(command: Callable[[Namespace], int], options: Namespace, stream: TextIO) -> int:
    """Run a command with its log going to ``stream``, and give the exit code of what came of it."""
    log = logging.getLogger(LOGGER)
    writing = logging.StreamHandler(stream)
    writing.setFormatter(_PlainFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    writing.addFilter(lambda record: record.getMessage() != _END_OF_FOLD)
    before = log.level, log.propagate
    log.addHandler(writing)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        code = _code_of(command, options, log)
        if code != DONE:
            log.info("Exit code %d: %s", code, EXIT_CODES[code])
    finally:
        log.removeHandler(writing)
        log.level, log.propagate = before
    return code


def _code_of(command: Callable[[Namespace], int], options: Namespace, log: logging.Logger) -> int:
    try:
        return command(options)
    except OpenAIDestError as error:
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - for a person; it says what to do
        return next(code for kind, code in _CODES if isinstance(error, kind))


class _PlainFormatter(logging.Formatter):
    """Writes the headline of a fold as a line, for a terminal folds nothing, and says what to do in its own words."""

    def format(self, record: logging.LogRecord) -> str:
        return spoken(super().format(record).replace(_FOLD, "", 1))
