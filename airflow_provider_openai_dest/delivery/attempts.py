"""Attempts: the retry policy, as a generator without clock, network or random of its own.

It yields an Attempt and is sent what came of it (a Reply or a NoReply), until it returns a Conclusion: the shape of
httpx's ``Auth.auth_flow``. Whoever drives it does the sending and the waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import msgspec

from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.delivery.verdict import (
    BLAMES_CONTENT,
    MESSAGE_LIMIT,
    OPENAI,
    Judgement,
    Verdict,
    VerdictTable,
    judge,
)
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.limits.retry_after import read_reset, read_retry_after
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.wire.wire import Reply

MOST_DOUBLINGS = 10

Random = Callable[[], float]


@dataclass(frozen=True, slots=True)
class NoReply:
    """A request without an answer that can be used.

    ``left`` is false when it never left: nothing can have been billed then. ``is_final`` says that an answer came
    which nobody can read, and that asking again would only be billed again. ``is_local`` says that the request could
    not even be made, which tells nothing of the server.
    """

    reason: str
    left: bool
    is_final: bool = False
    is_local: bool = False


Ending = Reply | NoReply


class Attempt(msgspec.Struct, frozen=True):
    """The next thing to do: send, ``after`` so many seconds.

    A ``shared`` wait is everybody's, as after a 429; ``slower`` says that everybody was too fast. ``asked`` tells that
    the server named the pause of a counted retry itself. ``error`` is what the attempt before ended with.
    """

    after: float = 0.0
    shared: bool = False
    slower: bool = False
    asked: bool = False
    error: RecordError | None = None


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. ``exhausted`` means that the server, not the record, failed until the attempts ran out."""

    verdict: Verdict
    response: Reply | None = None
    error: RecordError | None = None
    attempts: int = 1
    maybe_billed: bool = False
    exhausted: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the records are left for the next try."""
        return self.exhausted or self.verdict is Verdict.ABORT

    @property
    def is_refused(self) -> bool:
        """Whether the server refused this request for good."""
        return self.verdict is Verdict.REJECTED and not self.exhausted

    @property
    def may_pass_halved(self) -> bool:
        """Whether the server refused what the request holds, so that a part of it may pass."""
        return (
            self.verdict is Verdict.REJECTED
            and self.response is not None
            and self.response.status_code in BLAMES_CONTENT
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long.

    :param max_attempts: tries of a request that the server refused with 5xx, 408 or 409, or that did not leave.
    :param first_pause: bound in seconds of the pause before the second try; doubled each time, with full jitter.
    :param longest_pause: upper bound of that pause.
    :param give_up_after: seconds without any success after which the server is down and the rest is left; a tenth of it
        when there was none from the start.
    :param ambiguous_retries: further tries after an answer was lost: each may be billed again.
    :param quarantine_unknown: reject a record whose answer was lost for good, where a later run would send it again.
    """

    table: VerdictTable = OPENAI
    max_attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 60.0
    give_up_after: float = 150.0
    ambiguous_retries: int = 1
    quarantine_unknown: bool = False


def attempts(
    policy: RetryPolicy, request: RenderedRequest, random: Random
) -> Generator[Attempt, Ending | None, Conclusion]:
    """Drive one request to its end; sent None, when the sending is stopped, it leaves the records for the next try."""
    attempt, tried, waits, lost = _AT_ONCE, 0, 0, 0
    error: RecordError | None = None
    while True:
        reply = yield attempt
        if reply is None:
            return Conclusion(verdict=Verdict.ABORT, error=error, attempts=tried, maybe_billed=lost > 0)
        judgement = _judge(reply, policy)
        error = judgement.error
        if judgement.verdict is Verdict.WAIT:
            waits += 1
            pause = _shared_wait(reply, request, policy, waits, random)
            attempt = Attempt(pause, shared=True, slower=_asks_to_slow_down(error), error=error)
            continue
        tried += 1
        lost += isinstance(reply, NoReply) and reply.left
        may_retry = tried < policy.max_attempts and lost <= policy.ambiguous_retries
        if judgement.verdict is Verdict.RETRY and may_retry:
            asked = None if isinstance(reply, NoReply) else read_retry_after(reply.headers)
            pause = random() * _doubled(policy, tried) if asked is None else asked
            attempt = Attempt(pause, slower=_asks_to_slow_down(error), asked=asked is not None, error=error)
            continue
        return _conclude(reply, judgement, policy, attempts=tried, lost=lost)


_AT_ONCE = Attempt()


def _asks_to_slow_down(error: RecordError | None) -> bool:
    """Tell by the code: https://platform.openai.com/docs/guides/error-codes."""
    return error is not None and error.code == "slow_down"


def _judge(reply: Ending, policy: RetryPolicy) -> Judgement:
    if not isinstance(reply, NoReply):
        return judge(reply, policy.table)
    reason = redact(reply.reason[: 4 * MESSAGE_LIMIT])[:MESSAGE_LIMIT]
    if reply.is_final:
        return Judgement(Verdict.REJECTED, RecordError("bad_answer", reason))
    return Judgement(Verdict.RETRY, RecordError("answer_lost" if reply.left else "not_sent", reason))


def _conclude(reply: Ending, judgement: Judgement, policy: RetryPolicy, *, attempts: int, lost: int) -> Conclusion:
    exhausted = judgement.verdict is Verdict.RETRY
    unknown = isinstance(reply, NoReply) and reply.left
    give_up = exhausted and unknown and policy.quarantine_unknown
    return Conclusion(
        verdict=Verdict.REJECTED if exhausted else judgement.verdict,
        response=None if isinstance(reply, NoReply) else reply,
        error=judgement.error,
        attempts=attempts,
        maybe_billed=lost > 0,
        exhausted=exhausted and not give_up,
    )


def _shared_wait(reply: Ending, request: RenderedRequest, policy: RetryPolicy, waits: int, random: Random) -> float:
    headers = {} if isinstance(reply, NoReply) else reply.headers
    asked = read_retry_after(headers)
    if asked is None:
        asked = read_reset(headers, request.tokens)
    return asked if asked is not None else (0.5 + random() / 2) * _doubled(policy, waits)


def _doubled(policy: RetryPolicy, times: int) -> float:
    return min(policy.longest_pause, policy.first_pause * 2.0 ** min(times - 1, MOST_DOUBLINGS))
