"""OpenAIDestRetryPolicy: when a failed task is tried again, by what the server said (Airflow 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, SinkError, TransientError
from airflow_provider_openai_dest.operators.failures import NO_RETRY, drawn_out

if TYPE_CHECKING:
    import httpx
    from airflow.sdk import BaseOperator, Context, RetryDecision, RetryPolicy

    HAS_POLICIES: bool
else:
    try:
        from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

        HAS_POLICIES = True
    except ImportError:  # Airflow 3.1 and 3.2
        RetryPolicy = object
        HAS_POLICIES = False

DEEPEST_CAUSE = 20
"""Causes of an error that are looked at."""


class OpenAIDestRetryPolicy(RetryPolicy):
    """Try a failed task again when the server said, and not at all where no retry helps.

    The operators of this package have it unless they are given another one. Give it to tasks of your own that call
    OpenAI through the hook, or with OpenAI's own client: it reads their errors as well. It never gives a task more
    tries than ``retries``.
    """

    def __init__(self) -> None:
        if not HAS_POLICIES:
            raise ConfigurationError("OpenAIDestRetryPolicy needs Airflow 3.3: this one has no retry policies")

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Read the error, and what caused it, for what the server said."""
        if isinstance(exception, (TransientError, SinkError)):  # these say that the task is to be tried again
            waits = (_asked_wait(error) for error in _causes(exception))
            return _retry(next((wait for wait in waits if wait is not None), None), str(exception))
        for error in _causes(exception):
            if decision := _decide(error):
                return decision
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Give the name under which it is found again."""
        return {"__type": f"{type(self).__module__}.{type(self).__qualname__}"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OpenAIDestRetryPolicy:  # noqa: ARG003 - Airflow's signature
        """Make it again; it has no settings."""
        return cls()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return "OpenAIDestRetryPolicy()"


def set_default_policy(operator: BaseOperator) -> None:
    """Give an operator this policy where Airflow has policies and nobody gave it another one."""
    if getattr(operator, "retry_policy", operator) is None:
        operator.retry_policy = OpenAIDestRetryPolicy()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it was raised from."""
    cause: BaseException | None = error
    for _ in range(DEEPEST_CAUSE):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _decide(error: BaseException) -> RetryDecision | None:
    """Decide by one error; None when it says nothing."""
    if isinstance(error, NO_RETRY):
        return RetryDecision.fail(f"{type(error).__name__}: {error}")
    if isinstance(error, TransientError):
        return _retry(error.retry_after, str(error))
    response = _response_of(error)
    return None if response is None else _decide_by_answer(response)


def _asked_wait(error: BaseException) -> float | None:
    """Give the seconds that the server asks for, be it by our own error or by the answer that another one holds."""
    if isinstance(error, TransientError):
        return error.retry_after
    response = _response_of(error)
    if response is None:
        return None
    from airflow_provider_openai_dest.limits.retry_after import read_retry_after

    return read_retry_after(response.headers)


def _decide_by_answer(response: httpx.Response) -> RetryDecision:
    from airflow_provider_openai_dest.delivery.verdict import BLAMES_CONTENT, OPENAI, Verdict, judge
    from airflow_provider_openai_dest.limits.retry_after import read_retry_after

    judgement = judge(response, OPENAI)
    reason = f"the server answered {response.status_code}: {judgement.error}"
    match judgement.verdict:
        case Verdict.ABORT:
            return RetryDecision.fail(reason)
        case Verdict.REJECTED if response.status_code in BLAMES_CONTENT:
            return RetryDecision.fail(reason)
        case Verdict.RETRY | Verdict.WAIT:
            return _retry(read_retry_after(response.headers), reason)
    return RetryDecision.default()


def _retry(seconds: float | None, reason: str) -> RetryDecision:
    """Retry when the server said; without a word of it, as the task itself says."""
    if seconds is None:
        return RetryDecision.default()
    return RetryDecision.retry(drawn_out(seconds), f"{reason} (the server asks to wait {seconds:.0f} s)")


def _response_of(error: BaseException) -> httpx.Response | None:
    """Give the answer that an error holds: httpx's HTTPStatusError does, and the errors of OpenAI's own client."""
    import httpx

    response = getattr(error, "response", None)
    if not isinstance(response, httpx.Response):
        return None
    try:
        response.content  # noqa: B018 - is it there?
    except httpx.ResponseNotRead:  # it was streamed: only what stood above the body is left
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return httpx.Response(response.status_code, headers=kept)
    return response
