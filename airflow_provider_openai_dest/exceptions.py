"""Every exception of the package, by what happens next. All of them pickle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class OpenAIDestError(Exception):
    """Base of all errors of this package; raised itself only for a fault of the package, such as counts that differ."""


class ConfigurationError(OpenAIDestError):
    """Fail the task without a retry: a setting is wrong and stays wrong.

    :param faults: every fault found, one sentence each, so that all can be mended at once.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        return "; ".join(self.faults)


class InvalidTemplateError(ConfigurationError):
    """Fail the task without a retry: a body, line, URL or file name template can't be read."""


class RecordError(OpenAIDestError):
    """Reject one record, quarantine it and go on with the others.

    :param code: a short stable word, the API's ``error.code`` where it gave one.
    :param message: what is wrong, for a person.
    :param param: the field the API blames.
    :param status: the HTTP status of the refusal.
    """

    def __init__(self, code: str, message: str, *, param: str | None = None, status: int | None = None) -> None:
        super().__init__(code, message)
        self.code = _writable(code)
        self.message = _writable(message)
        self.param = None if param is None else _writable(param)
        self.status = status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def as_row(self) -> dict[str, Any]:
        """Give the JSON form used in results, quarantine and webhook items."""
        return {"code": self.code, "message": self.message, "param": self.param, "status": self.status}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> RecordError:
        """Read back what :meth:`as_row` wrote."""
        return cls(row["code"], row["message"], param=row.get("param"), status=row.get("status"))


class TransientError(OpenAIDestError):
    """Let Airflow retry: the checkpoint holds what is settled, the next try goes on from there.

    :param retry_after: seconds that the server asks to wait before the next try; None when it did not say.
    """

    def __init__(self, *args: object, retry_after: float | None = None) -> None:
        super().__init__(*args)
        self.retry_after = retry_after


class LongWaitError(TransientError):
    """Free the worker: the server asks for a longer wait than a worker should be held; go on then, no try is used.

    :param message: what is done and what is pending, for a person.
    :param seconds: how long the server asks to wait, from now.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, seconds, retry_after=seconds)
        self.message = message
        self.seconds = seconds

    def __str__(self) -> str:
        return self.message


class _EndedError(OpenAIDestError):
    """Ends a run whose counts are known; ``manifest`` has them."""

    def __init__(self, message: str, manifest: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, manifest)
        self.message = message
        self.manifest = manifest

    def __str__(self) -> str:
        return self.message


class AbortError(_EndedError):
    """Stop now and fail without a retry: the key, the quota, the project, the model or the template is refused.

    :param manifest: what the run had done until then.
    """


class BudgetReachedError(_EndedError):
    """Fail without a retry: ``max_cost``, ``max_tokens_total`` or ``max_requests`` is reached, and records are left.

    What was on the wire has ended and is kept. Raise the limit and clear the task: only the rest is sent.

    :param manifest: what the run had done until then.
    """


class TooManyRejectedError(_EndedError):
    """Fail without a retry: more records were rejected than ``max_error_rate`` or ``max_errors`` allows.

    Raised after everything else was sent and saved.

    :param manifest: what the run did.
    """


class SinkError(OpenAIDestError):
    """Let Airflow retry: a sink could not take the outcomes, so none of them was committed."""


class CheckpointMismatchError(ConfigurationError):
    """Fail without a retry: account, origin, endpoint, model, template or source changed under a half-done delivery."""


def _writable(text: str) -> str:
    """Escape what UTF-8 can't hold: the text may quote a record, and stands in files, XCom and logs."""
    return text.encode(errors="backslashreplace").decode()


MOST_NAMES = 60
"""Names that a message lists at most."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the end of an error message that names the known words nearest to ``name``."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(repr(word) for word in close)}?"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"known are: {', '.join(names[:MOST_NAMES])}{more}"
