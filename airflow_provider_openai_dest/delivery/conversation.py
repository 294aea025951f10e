"""Conversation: several requests for what is one to the source, each of which follows from the answers before.

A file above the limit of one request goes up in parts, for one. Each turn is a request like any other: it waits for the
rate limit, is retried and is stopped by the dispatcher. What comes next says the conversation, which does the sending
of none. It holds one place of the source, so its first turn has the records, and the others have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.wire.wire import OK, Reply, WireReply


class Conversation(Protocol):
    """Says what follows from the end of a turn."""

    @property
    def request(self) -> RenderedRequest:
        """Give the request that the whole stands for, with the records that get its end."""

    async def concluded(self, turn: Turn, conclusion: Conclusion) -> Iterable[RenderedRequest] | Conclusion:
        """Take the end of a turn; give the requests that follow, none while others are on the way, or the end of all.

        Each turn that was given ends here exactly once, whatever becomes of it.
        """


class Turn(RenderedRequest, frozen=True, kw_only=True):
    """One request of a conversation.

    The refusal of one that ``is_telling`` is that of the record, which says something of the other records as well. A
    farewell is sent once even when the sending was stopped.
    """

    conversation: Conversation
    step: str
    number: int = 0
    is_telling: bool = False
    is_farewell: bool = False


def as_turn(request: RenderedRequest, conversation: Conversation, step: str, **more: Any) -> Turn:
    """Make a request a turn of a conversation."""
    same = {name: getattr(request, name) for name in RenderedRequest.__struct_fields__}
    return Turn(**same | more, conversation=conversation, step=step)


def read_answer(reply: Reply | None) -> Mapping[str, Any]:
    """Read the JSON object of a turn's answer; raises RecordError when it is none."""
    try:
        answer = msgspec.json.decode(reply.content) if reply is not None else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = None
    if not isinstance(answer, Mapping):
        raise RecordError("bad_answer", "the answer is no JSON object")
    return answer


def answered_with(answer: Mapping[str, Any], like: Conclusion) -> Conclusion:
    """Give the end of a conversation whose answer is this object; request id and headers are those of ``like``."""
    headers = dict(like.response.headers) if like.response is not None else {}
    headers["content-type"] = "application/json"
    return Conclusion(
        verdict=Verdict.DELIVERED,
        response=WireReply(OK, headers, msgspec.json.encode(answer)),
        attempts=like.attempts,
        maybe_billed=like.maybe_billed,
    )
