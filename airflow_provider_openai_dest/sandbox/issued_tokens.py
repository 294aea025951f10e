"""Issued tokens: POST /oauth/token, where a workload's own token is exchanged for one that expires (RFC 8693)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.sandbox.answers import Answer
from airflow_provider_openai_dest.sandbox.calls import Call
from airflow_provider_openai_dest.sandbox.validation import Shape, Text

if TYPE_CHECKING:
    from airflow_provider_openai_dest.sandbox.state import SandboxState

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")


class IssuedTokens:
    """The tokens of one sandbox.

    :param lifetime: seconds that each is good.
    :param requests: requests that each is good for; None for any number.
    :param taken: how many of them are ever taken, the first ones; None for all.
    """

    def __init__(self, lifetime: float, requests: int | None, taken: int | None) -> None:
        self.lifetime = lifetime
        self._requests = requests
        self._taken = taken
        self._ends: dict[str, float] = {}
        self._used: Counter[str] = Counter()

    def issue(self, now: float) -> str:
        """Give a new token."""
        token = f"sandbox-issued-{len(self._ends) + 1:04d}"
        self._ends[token] = now + self.lifetime
        return token

    def use(self, token: str, now: float) -> bool:
        """Tell whether a request with this token may pass, and count it."""
        self._used[token] += 1
        is_taken = self._taken is None or token in list(self._ends)[: self._taken]
        is_left = self._requests is None or self._used[token] <= self._requests
        return is_taken and is_left and now < self._ends.get(token, 0.0)


def exchange_token(state: SandboxState, call: Call) -> Answer:
    """Give a token for the one subject that is known."""
    if call.body["subject_token"] != state.settings.subject:
        error = {"error": "invalid_grant", "error_description": "The subject token is not known."}
        return Answer(status=400, content=error)
    token = state.issued.issue(state.clock())
    issued_type = "urn:ietf:params:oauth:token-type:access_token"
    content = {"access_token": token, "issued_token_type": issued_type, "token_type": "Bearer"}
    return Answer(content={**content, "expires_in": state.issued.lifetime})


EXCHANGE = Shape(
    fields={
        "grant_type": Text(required=True, choices=(GRANT_TYPE,)),
        "subject_token": Text(required=True),
        "subject_token_type": Text(required=True, choices=SUBJECT_TYPES),
        "identity_provider_id": Text(required=True),
        "service_account_id": Text(required=True),
    },
    is_open=False,
)
