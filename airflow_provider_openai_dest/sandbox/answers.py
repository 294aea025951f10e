"""Answer and ApiError: what the sandbox says, in the API's own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; ``content`` is sent as it is when it is bytes, else as JSON."""

    content: Any
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Give the bytes of the body."""
        return self.content if isinstance(self.content, bytes) else msgspec.json.encode(self.content)


class ApiError(Exception):
    """Refuse the request as the API does: the status, and ``{"error": {message, type, param, code}}``."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - the API's own word
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": type, "param": param, "code": code}
        self.headers = headers or {}

    def answer(self) -> Answer:
        """Give the answer that is sent."""
        return Answer(status=self.status, content={"error": self.error}, headers=self.headers)
