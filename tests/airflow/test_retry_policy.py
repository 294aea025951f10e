"""When a failed task is tried again: the server says when, or the error says never."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from airflow.sdk import DAG, task
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_openai_dest import (
    OpenAIDestHook,
    OpenAIDestRetryPolicy,
    OpenAIEmbeddingOperator,
    OpenAIWebhookOperator,
)
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
from airflow_provider_openai_dest.operators import retry_policy
from airflow_provider_openai_dest.sandbox import Sandbox

POLICY = OpenAIDestRetryPolicy()


def evaluate(error: BaseException) -> tuple[str, float | None]:
    """Give what is decided, and the seconds without what is drawn out at random."""
    decision = POLICY.evaluate(error, 1, 3)
    delay = decision.retry_delay
    return decision.action.value, None if delay is None else delay.total_seconds()


def assert_waits(seconds: float, error: BaseException) -> None:
    action, delay = evaluate(error)
    assert "retry" == action
    assert delay is not None
    assert seconds <= delay <= seconds * 1.1


def refusal(status: int, headers: dict[str, str] | None = None, **error: str) -> httpx.HTTPStatusError:
    """Give what `raise_for_status` raises."""
    request = httpx.Request("POST", "https://api.openai.com/v1/responses")
    response = httpx.Response(status, headers=headers, json={"error": error}, request=request)
    with pytest.raises(httpx.HTTPStatusError) as raised:
        response.raise_for_status()
    return raised.value


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


# -- the package's own errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [TransientError("x", retry_after=20), LongWaitError("x", 20), caused(RuntimeError("y"), LongWaitError("x", 20))],
    ids=repr,
)
def test_the_delay_of_the_server_is_kept(error: Exception) -> None:
    """The next try comes when the server said, a little later at random, and never earlier; causes count."""
    assert_waits(20, error)


def test_a_transient_error_asks_what_caused_it() -> None:
    """An error without a delay takes the one of the answer that it was raised from."""
    assert_waits(7, caused(TransientError("x"), refusal(503, {"retry-after": "7"})))


@pytest.mark.parametrize(
    "error",
    [TransientError("x"), SinkError("x"), caused(TransientError("x"), refusal(401)), ValueError("x"), OSError("x")],
    ids=repr,
)
def test_what_says_nothing_is_left_to_the_task(error: Exception) -> None:
    """Without a word of the server the task's own `retries` and `retry_delay` hold."""
    assert ("default", None) == evaluate(error)


@pytest.mark.parametrize(
    "kind", [ConfigurationError, AbortError, BudgetReachedError, TooManyRejectedError, CheckpointMismatchError]
)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_what_no_retry_helps_fails(kind: type[Exception], depth: int) -> None:
    """A setting, the account, too many rejections and a changed template end the task, however deep they stand."""
    error: Exception = kind("the key is refused")
    for _ in range(depth):
        error = caused(RuntimeError("wrapped"), error)
    decision = POLICY.evaluate(error, 1, 3)
    assert ("fail", f"{kind.__name__}: the key is refused") == (decision.action.value, decision.reason)


def test_a_circle_of_causes_ends() -> None:
    """Two errors that name each other as their cause are looked at, and no more."""
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert ("default", None) == evaluate(first)


# -- the errors of others ----------------------------------------------------------------------------

HOPELESS: dict[str, tuple[int, dict[str, str]]] = {
    "a wrong key": (401, {"code": "invalid_api_key"}),
    "no right": (403, {}),
    "the quota": (429, {"code": "insufficient_quota", "type": "insufficient_quota"}),
    "a spending limit": (429, {"code": "project_spend_limit_exceeded"}),
    "a request above the limit": (429, {"code": "rate_limit_exceeded", "message": "Request too large for gpt-6"}),
    "a broken request": (400, {"code": "invalid_value"}),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_an_answer_that_no_retry_helps_fails(case: str) -> None:
    """An HTTPStatusError of httpx is read as the dispatcher reads answers: key, quota and bad requests end the task."""
    status, error = HOPELESS[case]
    decision = POLICY.evaluate(refusal(status, {"retry-after": "5"}, **error), 1, 3)
    assert "fail" == decision.action.value
    assert f"the server answered {status}" in str(decision.reason)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_an_answer_that_passes_is_waited_for(status: int) -> None:
    """429 and what a server fails with are tried again when `Retry-After` says, or else as the task says."""
    assert_waits(30, refusal(status, {"retry-after": "30"}))
    assert_waits(1.5, refusal(status, {"retry-after-ms": "1500", "retry-after": "2"}))
    assert ("default", None) == evaluate(refusal(status))


def test_an_answer_that_says_nothing_of_the_server_is_left_to_the_task() -> None:
    """404 may be an object that is not there yet."""
    assert ("default", None) == evaluate(refusal(404))


def test_the_errors_of_openais_own_client_are_read() -> None:
    """A task that uses the official client has the same."""
    limited = refusal(429, {"retry-after": "30"})
    assert_waits(30, openai.RateLimitError("slow down", response=limited.response, body=None))
    refused = refusal(401)
    assert "fail" == evaluate(openai.AuthenticationError("no", response=refused.response, body=None))[0]


def test_an_answer_that_was_streamed_is_judged_by_its_status() -> None:
    """A body that nobody has read is not there any more; status and headers are."""

    def stream() -> Iterator[bytes]:
        yield b'{"error": {"code": "insufficient_quota"}}'

    request = httpx.Request("POST", "https://api.openai.com/v1/responses")
    headers = {"retry-after": "30", "content-encoding": "gzip", "content-length": "7"}
    response = httpx.Response(429, headers=headers, content=stream(), request=request)
    assert_waits(30, httpx.HTTPStatusError("429", request=request, response=response))


def test_a_reason_holds_no_key() -> None:
    """What Airflow stores and shows of the decision has no secret of the answer."""
    error = refusal(401, code="invalid_api_key", message="Incorrect API key provided: sk-proj-abcdefghijklmnop1234.")
    assert "abcdefghijklmnop" not in str(POLICY.evaluate(error, 1, 3).reason)


# -- in Airflow --------------------------------------------------------------------------------------


def test_the_policy_is_the_same_after_each_way_to_send_it() -> None:
    """A policy equals another one, and itself after a copy, a pickle and its own serialised form."""
    assert POLICY == OpenAIDestRetryPolicy() == copy.deepcopy(POLICY) == pickle.loads(pickle.dumps(POLICY))  # noqa: S301
    assert POLICY == OpenAIDestRetryPolicy.deserialize(POLICY.serialize())
    module, _, name = POLICY.serialize()["__type"].rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name) is OpenAIDestRetryPolicy
    assert object() != POLICY


def test_our_operators_have_the_policy_unless_they_are_given_another_one() -> None:
    """The default stands on each operator and passes through the serialisation of the Dag; the user's own wins."""
    from airflow.sdk import ExceptionRetryPolicy

    other = ExceptionRetryPolicy(rules=[])
    embed = {"model": "text-embedding-3-small", "input": "{message.q}", "records": [{"q": "?"}]}
    with DAG("policies", schedule=None) as dag:
        OpenAIEmbeddingOperator(task_id="embed", **embed)
        OpenAIWebhookOperator(task_id="forward", records=[{"q": "?"}])
        OpenAIEmbeddingOperator(task_id="other", retry_policy=other, **embed)
    with DAG("default_policies", schedule=None, default_args={"retry_policy": other}) as with_default:
        OpenAIEmbeddingOperator(task_id="embed", **embed)
    assert [POLICY, POLICY, other] == [each.retry_policy for each in dag.tasks]
    assert [other] == [each.retry_policy for each in with_default.tasks]
    serialised = DagSerialization.to_dict(dag)
    back = DagSerialization.from_dict(serialised)
    assert all(each.has_retry_policy for each in back.tasks)
    assert serialised == DagSerialization.to_dict(dag)


def test_an_airflow_without_policies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Airflow 3.3 nobody gets the policy by default, and who asks for it is told what it needs."""
    monkeypatch.setattr(retry_policy, "HAS_POLICIES", False)
    retry_policy.set_default_policy(object())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"needs Airflow 3\.3"):
        OpenAIDestRetryPolicy()


def test_a_real_task_is_tried_again_when_the_server_said(
    sandbox: Sandbox, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    """A task on the hook meets 429 once: it comes back after that second, not after its own ten minutes."""
    sandbox.set_faults("status=429,retry_after=1,times=1")
    with DAG("told_when", schedule=None) as dag:

        @task(retries=2, retry_delay=timedelta(minutes=10), retry_policy=OpenAIDestRetryPolicy())
        def list_models(ti: Any = None) -> int:
            with OpenAIDestHook().get_conn() as client:
                client.get("/models").raise_for_status()
            return int(ti.try_number)

        list_models()
    result = run_dag(dag)
    assert ("success", {"list_models": 2}) == (result.state, dict(result.xcoms))


def test_a_real_task_with_a_refused_key_is_not_tried_again(sandbox: Sandbox, run_dag: Callable[..., Any]) -> None:
    """A task on the hook meets 401: it fails at once, whatever is left of its retries."""
    sandbox.set_faults("status=401,code=invalid_api_key")
    with DAG("told_never", schedule=None) as dag:

        @task(retries=5, retry_delay=timedelta(minutes=10), retry_policy=OpenAIDestRetryPolicy())
        def list_models() -> None:
            with OpenAIDestHook().get_conn() as client:
                client.get("/models").raise_for_status()

        list_models()
    assert {"list_models": "failed"} == run_dag(dag).task_states
