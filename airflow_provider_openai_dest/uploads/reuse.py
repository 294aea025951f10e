"""Reuse: a file that is at OpenAI already is not sent again, once the API has said that it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.conversation import Turn, answered_with, as_turn, read_answer
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.endpoints.files import RETRIEVE_FILE
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm

ASK, UPLOAD = "ask", "upload"

LASTING_SECONDS = 1800
"""A file that expires sooner is sent again: the tasks that follow are to have it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file that was uploaded before, as the API described it then."""

    id: str
    bytes: int
    filename: str
    purpose: str

    def is_this(self, file: Mapping[str, Any], now: float) -> bool:
        """Whether the API still describes it so, and can use it for a while."""
        same = all(file.get(name) == getattr(self, name) for name in ("id", "bytes", "filename", "purpose"))
        expires_at = file.get("expires_at")
        lasts = not isinstance(expires_at, int) or expires_at > now + LASTING_SECONDS
        return same and lasts and file.get("status") != "error"


class ReusedFile:
    """The conversation of a file that may be there: ask for it, and upload it where it is not.

    :param request: the upload.
    :param form: the fixed parts of such a request.
    :param known: what was uploaded before; None uploads at once.
    :param upload: gives the first request of the upload, where the request itself is not it.
    :param done: called with the file's object when it was uploaded.
    :param now: seconds since 1970.
    """

    def __init__(
        self,
        request: RenderedRequest,
        form: RequestForm,
        known: KnownFile | None,
        *,
        upload: Callable[[], RenderedRequest] | None,
        done: Callable[[Mapping[str, Any]], None],
        now: Callable[[], float],
    ) -> None:
        self.request = request
        self._form = form
        self._known = known
        self._upload = upload or self._whole
        self._done = done
        self._now = now

    def begin(self) -> RenderedRequest:
        """Give the first turn."""
        if self._known is None:
            return self._upload()
        asking = self._form.to(RETRIEVE_FILE).request(self.request.records, {"file_id": self._known.id})
        return as_turn(asking, self, ASK)

    async def concluded(self, turn: Turn, conclusion: Conclusion) -> Iterable[RenderedRequest] | Conclusion:
        """Believe what the API says of the file, or upload it."""
        if turn.step == UPLOAD:
            await self._uploaded(conclusion)
            return conclusion
        if conclusion.is_open:
            return conclusion
        file = _file_in(conclusion)
        if file is not None and self._known is not None and self._known.is_this(file, self._now()):
            return answered_with({**file, "reused": True}, conclusion)
        return [await asyncio.to_thread(self._upload)]  # it may read the file

    def _whole(self) -> RenderedRequest:
        return as_turn(self.request, self, UPLOAD, is_telling=True)

    async def _uploaded(self, conclusion: Conclusion) -> None:
        if (file := _file_in(conclusion)) is not None:
            await asyncio.to_thread(self._done, file)


def _file_in(conclusion: Conclusion) -> Mapping[str, Any] | None:
    if conclusion.verdict is not Verdict.DELIVERED:
        return None
    try:
        return read_answer(conclusion.response)
    except RecordError:
        return None
