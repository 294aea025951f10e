"""Operation: one operation of the API as the sandbox has it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.validation import Body, Shape

Answering: TypeAlias = Callable[[SandboxState, Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    :param method: HTTP method; ``*`` is any.
    :param path: path with ``{parameters}``, from the server's root on.
    :param answer: gives the answer, or raises :class:`.ApiError`.
    :param json: shape of a JSON body.
    :param form: shape of a multipart body's fields.
    :param count_tokens: tokens of the body; an operation that has it is held to the rate limits.
    :param items_of: the pieces of work in one request; by default the request itself is the only one.
    :param is_work: whether it takes the latency and counts as an execution.
    :param is_observed: whether it is counted and may meet faults.
    """

    method: str
    path: str
    answer: Answering
    json: Shape | None = None
    form: Shape | None = None
    count_tokens: Callable[[Body], int] | None = None
    items_of: Callable[[Call], list[Hashable]] | None = None
    is_work: bool = False
    is_observed: bool = True

    @property
    def needs_key(self) -> bool:
        """Whether a caller must show an API key."""
        return self.path.startswith("/v1")

    def tokens_of(self, call: Call) -> int:
        """Count the tokens of a request."""
        return self.count_tokens(call.body) if self.count_tokens else 0

    def pieces_of(self, call: Call) -> list[Hashable]:
        """Give what tells the pieces of work in a request from those in others."""
        if self.items_of:
            return self.items_of(call)
        if call.uploads:  # the bytes of a form differ each time by its boundary
            return [(self.path, repr(sorted(call.body.items())), repr(call.uploads))]
        return [(self.path, call.request.body)]
