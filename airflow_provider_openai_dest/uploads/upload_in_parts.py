"""UploadInParts: one file by the Uploads API: create, parts at once, complete; cancelled when it can't be ended.

https://platform.openai.com/docs/api-reference/uploads. No clock and no network of its own; it reads the file for its
md5, in a thread, while the parts are sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.conversation import Turn, answered_with, as_turn, read_answer
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.endpoints.files import LIST_FILES
from airflow_provider_openai_dest.endpoints.uploads import (
    ADD_UPLOAD_PART,
    CANCEL_UPLOAD,
    COMPLETE_UPLOAD,
    CREATE_UPLOAD,
)
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.file_checks import PART_BYTES
from airflow_provider_openai_dest.rendering.file_range import file_range
from airflow_provider_openai_dest.rendering.multipart import MultipartBody
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.uploads.upload_memory import UploadMemory

PIECE_BYTES = 192 * 1024
"""Read at once of each part: less than of a file that goes alone, since several are read."""

SPARE_SECONDS = 120
"""An upload that expires sooner is not gone on with."""

LIFETIME = 3600
"""Seconds after which an upload expires."""

JSON_LINES = "application/jsonl"
"""What the API calls lines of JSON, which Python's list of types does not have."""

HASH_BYTES = 256 * 1024

FOUND_FILES = 100
"""Newest files among which one is looked for whose end nobody has seen."""

CREATE, ADD, COMPLETE, FIND, CANCEL = "create", "add", "complete", "find", "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOptions:
    """How files go up in parts.

    :param memory: keeps what is there beyond the life of a worker.
    :param part_size: bytes of a part.
    :param parts_at_once: parts on the wire at once, each with :data:`PIECE_BYTES` in memory.
    :param checks_md5: whether the API is given the md5 of the file to compare; without it no upload is gone on with.
    :param is_killed: whether somebody ended the task, so that no try will go on with it.
    :param now: seconds since 1970.
    """

    memory: UploadMemory
    part_size: int = PART_BYTES
    parts_at_once: int = 8
    checks_md5: bool = True
    is_killed: Callable[[], bool]
    now: Callable[[], float]


class UploadInParts:
    """The conversation of one file.

    :param request: the upload of the whole file by one request, which this stands for.
    :param form: the fixed parts of such a request.
    :param body: its form, with one file.
    :param done: called with the file's object when it is there.
    """

    def __init__(
        self,
        request: RenderedRequest,
        form: RequestForm,
        body: MultipartBody,
        options: UploadOptions,
        done: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.request = request
        self._form = form
        (self._file,) = body.files
        self._fields = body.fields
        self._options = options
        self._done = done
        self._count = -(-self._file.size // options.part_size)
        self._is_resumed = False
        self._out = 0
        self._attempts = 0
        self._failure: Conclusion | None = None
        self._digest: Awaitable[str | None] | None = None
        self._upload_id = ""
        self._created_at = 0
        self._refusal: Conclusion | None = None
        self._parts: dict[int, str] = {}
        self._left = deque(range(self._count))

    def begin(self) -> Turn:
        """Give the first turn: a new upload, or the first part that one of an earlier try lacks."""
        # Without the md5 nothing proves that the parts that are there are of the same bytes.
        known = self._options.memory.unfinished(self._identity) if self._options.checks_md5 else None
        if known is None or known.expires_at < self._options.now() + SPARE_SECONDS:
            turn = self._create()
        else:
            self._is_resumed = True
            self._upload_id, self._parts = known.id, dict(known.parts)
            self._created_at = known.expires_at - LIFETIME
            self._left = deque(number for number in range(self._count) if number not in self._parts)
            turn = self._part(self._left.popleft()) if self._left else self._complete(self._md5())
        return replace(turn, records=self.request.records)

    async def concluded(self, turn: Turn, conclusion: Conclusion) -> Iterable[RenderedRequest] | Conclusion:
        """Take what came of a turn, and give what follows."""
        try:
            end = await self._ended(turn, conclusion)
        finally:
            self._out -= 1  # only now: nobody else may take the rest for done while this one is written down
        self._attempts += conclusion.attempts - 1
        if end is not None:
            return end
        if self._failure is None:
            following = await self._following()
            if self._failure is None:
                return following
        return () if self._out else await self._given_up(self._failure)

    async def _ended(self, turn: Turn, conclusion: Conclusion) -> Conclusion | None:
        """Take the end of one turn; gives that of the whole when it was the last."""
        if turn.step == CANCEL:
            return self._failure
        if turn.step == COMPLETE and self._may_be_there(conclusion):
            self._refusal = conclusion
            return None
        if conclusion.verdict is not Verdict.DELIVERED:
            self._fail(conclusion)
            return None
        try:
            return await self._take(turn, conclusion, read_answer(conclusion.response))
        except RecordError as error:
            self._fail(Conclusion(verdict=Verdict.REJECTED, error=error))
            return None

    async def _take(self, turn: Turn, conclusion: Conclusion, answer: Mapping[str, Any]) -> Conclusion | None:
        memory = self._options.memory
        match turn.step:
            case "create":
                self._upload_id = _id_of(answer)
                self._created_at = _time(answer.get("created_at"))
                await asyncio.to_thread(memory.begun, self._identity, self._upload_id, _time(answer.get("expires_at")))
            case "add":
                self._parts[turn.number] = part_id = _id_of(answer)
                await asyncio.to_thread(memory.added, self._upload_id, turn.number, part_id)
            case "complete":
                file = answer.get("file")
                if not isinstance(file, Mapping):
                    raise RecordError("bad_answer", f"the upload is {answer.get('status')!r} and names no file")
                return await self._completed(conclusion, file)
            case "find":
                found = next((file for file in _files_in(answer) if self._is_this(file)), None)
                if found is not None:
                    return await self._completed(conclusion, found)
                self._fail(conclusion if self._refusal is None else self._refusal)
        return None

    async def _completed(self, conclusion: Conclusion, file: Mapping[str, Any]) -> Conclusion:
        await asyncio.to_thread(self._options.memory.ended, self._upload_id)
        if self._done is not None:
            await asyncio.to_thread(self._done, file)
        return answered_with(file, replace(conclusion, attempts=1 + self._attempts))

    def _may_be_there(self, conclusion: Conclusion) -> bool:
        """Whether "complete" is refused because it was done before, and only the answer was lost."""
        error = conclusion.error
        is_second = conclusion.maybe_billed or self._is_resumed
        return conclusion.is_refused and is_second and error is not None and "md5" not in f"{error}".lower()

    def _is_this(self, file: Mapping[str, Any]) -> bool:
        facts = (file.get("filename"), file.get("bytes"))
        return facts == (self._file.filename, self._file.size) and _time(file.get("created_at")) >= self._created_at

    async def _following(self) -> list[RenderedRequest]:
        if self._refusal is not None:
            # An answer to "complete" may have been lost, and a completed upload refuses the second one.
            query = {"purpose": self._fields.get("purpose"), "order": "desc", "limit": FOUND_FILES}
            return [self._turn(LIST_FILES, FIND, query)]
        if self._digest is None and self._options.checks_md5:
            self._digest = asyncio.get_running_loop().run_in_executor(None, self._md5)
        if not self._left and not self._out:
            try:
                return [self._complete(await self._digest if self._digest else None)]
            except OSError as error:
                reason = RecordError("file_unreadable", f"can't read the file again for its md5: {error}")
                self._fail(Conclusion(verdict=Verdict.REJECTED, error=reason, exhausted=True))
        room = min(self._options.parts_at_once - self._out, len(self._left))
        return [self._part(self._left.popleft()) for _ in range(room)]

    def _fail(self, conclusion: Conclusion) -> None:
        self._failure = self._failure or replace(conclusion, attempts=conclusion.attempts + self._attempts)

    async def _given_up(self, failure: Conclusion) -> list[RenderedRequest] | Conclusion:
        """Begin anew once what an earlier try began and can't be ended; cancel what nobody will go on with."""
        if failure.is_open and not self._options.is_killed():
            return failure
        if not self._upload_id:
            return failure
        await asyncio.to_thread(self._options.memory.ended, self._upload_id)
        if self._is_resumed and not failure.is_open:  # it may have expired, or the file may have changed
            return [self._begin_anew()]
        return [self._turn(CANCEL_UPLOAD, CANCEL, {"upload_id": self._upload_id}, is_farewell=True)]

    def _begin_anew(self) -> Turn:
        self._is_resumed = False
        self._failure = self._refusal = self._digest = None
        self._upload_id = ""
        self._parts.clear()
        self._left = deque(range(self._count))
        return self._create()

    def _create(self) -> Turn:
        file = self._file
        mime_type = JSON_LINES if file.filename.endswith(".jsonl") else file.content_type
        facts = {"filename": file.filename, "bytes": file.size, "mime_type": mime_type}
        return self._turn(CREATE_UPLOAD, CREATE, {**self._fields, **facts}, is_telling=True)

    def _part(self, number: int) -> Turn:
        start = number * self._options.part_size
        size = min(self._options.part_size, self._file.size - start)
        part = file_range(self._file, start, size, name="data", filename="upload", piece_bytes=PIECE_BYTES)
        return self._turn(ADD_UPLOAD_PART, ADD, {"upload_id": self._upload_id}, files=[part], number=number)

    def _complete(self, md5: str | None) -> Turn:
        part_ids = [self._parts[number] for number in range(self._count)]
        body = {"upload_id": self._upload_id, "part_ids": part_ids} | ({"md5": md5} if md5 else {})
        return self._turn(COMPLETE_UPLOAD, COMPLETE, body)

    def _turn(self, endpoint: Any, step: str, body: Mapping[str, Any], files: Any = (), **more: Any) -> Turn:
        self._out += 1
        request = self._form.to(endpoint).request(self.request.records, body, files=files)
        return as_turn(request, self, step, records=(), **more)

    def _md5(self) -> str | None:
        """Hash the file; None when nobody asks any more."""
        if not self._options.checks_md5:
            return None
        digest = hashlib.md5(usedforsecurity=False)
        with self._file.open() as stream:
            while self._failure is None and (piece := stream.read(HASH_BYTES)):
                digest.update(piece)
        return digest.hexdigest() if self._failure is None else None

    @property
    def _identity(self) -> str:
        """What tells one file from the others; that its bytes are the same as before, the md5 proves."""
        key = self.request.records[0].key
        facts = [key, self._file.filename, self._file.size, self._options.part_size, dict(self._fields)]
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _id_of(answer: Mapping[str, Any]) -> str:
    found = answer.get("id")
    if not isinstance(found, str) or not found:
        raise RecordError("bad_answer", "the answer has no id")
    return found


def _files_in(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = answer.get("data")
    return [file for file in found if isinstance(file, Mapping)] if isinstance(found, list) else []


def _time(value: Any) -> int:
    return value if isinstance(value, int) else 0
