"""Attempts: the retry policy, as a generator without clock, network or random of its own.

It yields an Attempt and is sent what came of it (an ``httpx.Response`` or a NoReply), until it returns a
Conclusion: the shape of httpx's ``Auth.auth_flow``. Whoever drives it does the sending and the waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import httpx

from airflow_provider_openai_dest.delivery.retry_after import read_retry_after
from airflow_provider_openai_dest.delivery.verdict import OPENAI, Judgement, Verdict, VerdictTable, judge
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import RenderedRequest

Random = Callable[[], float]


@dataclass(frozen=True, slots=True)
class NoReply:
    """A request without an answer. ``left`` is false when it never left: nothing can have been billed then."""

    reason: str
    left: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """The next thing to do: send, ``after`` so many seconds. A ``shared`` wait is everybody's, as after a 429."""

    request: RenderedRequest
    number: int
    after: float = 0.0
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How it ended. ``exhausted`` means that the server, not the record, failed until the attempts ran out."""

    verdict: Verdict
    response: httpx.Response | None = None
    error: RecordError | None = None
    attempts: int = 1
    waits: int = 0
    maybe_billed: bool = False
    exhausted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long.

    :param max_attempts: tries of a request that the server refused with 5xx, 408 or 409, or that did not leave.
    :param first_pause: seconds before the second try; doubled each time, with full jitter.
    :param longest_pause: upper bound of that pause.
    :param ambiguous_retries: further tries after an answer was lost: each may be billed again.
    :param quarantine_unknown: reject a record whose answer was lost for good, where a later run would send it again.
    """

    table: VerdictTable = OPENAI
    max_attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 60.0
    ambiguous_retries: int = 1
    quarantine_unknown: bool = False


def attempts(
    policy: RetryPolicy, request: RenderedRequest, random: Random
) -> Generator[Attempt, httpx.Response | NoReply, Conclusion]:
    """Drive one request to its end."""
    number, waits, lost = 1, 0, 0
    next_attempt = Attempt(request, number)
    while True:
        reply = yield next_attempt
        judgement = _judge(reply, policy)
        if isinstance(reply, NoReply) and reply.left:
            lost += 1
        if judgement.verdict is Verdict.WAIT:
            waits += 1
            next_attempt = Attempt(request, number, _shared_wait(reply, policy, waits, random), shared=True)
            continue
        may_retry = number < policy.max_attempts and lost <= policy.ambiguous_retries
        if judgement.verdict is Verdict.RETRY and may_retry:
            next_attempt = Attempt(request, number + 1, _pause(reply, policy, number, random))
            number += 1
            continue
        return _conclude(reply, judgement, policy, attempts=number, waits=waits, lost=lost)


def _judge(reply: httpx.Response | NoReply, policy: RetryPolicy) -> Judgement:
    if isinstance(reply, NoReply):
        code = "answer_lost" if reply.left else "not_sent"
        return Judgement(Verdict.RETRY, RecordError(code, reply.reason))
    return judge(reply, policy.table)


def _conclude(
    reply: httpx.Response | NoReply, judgement: Judgement, policy: RetryPolicy, *, attempts: int, waits: int, lost: int
) -> Conclusion:
    exhausted = judgement.verdict is Verdict.RETRY
    unknown = isinstance(reply, NoReply) and reply.left
    give_up = exhausted and unknown and policy.quarantine_unknown
    return Conclusion(
        verdict=Verdict.REJECTED if exhausted else judgement.verdict,
        response=reply if isinstance(reply, httpx.Response) else None,
        error=judgement.error,
        attempts=attempts,
        waits=waits,
        maybe_billed=lost > 0,
        exhausted=exhausted and not give_up,
    )


def _pause(reply: httpx.Response | NoReply, policy: RetryPolicy, number: int, random: Random) -> float:
    asked = read_retry_after(reply.headers) if isinstance(reply, httpx.Response) else None
    if asked is not None:
        return asked
    return random() * min(policy.longest_pause, policy.first_pause * 2.0**number)


def _shared_wait(reply: httpx.Response | NoReply, policy: RetryPolicy, waits: int, random: Random) -> float:
    asked = read_retry_after(reply.headers) if isinstance(reply, httpx.Response) else None
    if asked is not None:
        return asked
    return (0.5 + random() / 2) * min(policy.longest_pause, policy.first_pause * 2.0 ** min(waits, 10))
