"""File sending: how each upload goes: checked first, not at all when it is there, in parts when it is large."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.lines import DEFAULT_FILE_LIMIT
from airflow_provider_openai_dest.rendering.multipart import FilePart, MultipartBody
from airflow_provider_openai_dest.rendering.renderer import Rendered, Renderer
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.uploads.reuse import KnownFile, ReusedFile
from airflow_provider_openai_dest.uploads.upload_in_parts import HASH_BYTES, UploadInParts, UploadOptions

UNREADABLE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
"""What is wrong with one file, and will be at the next try; any other error is the storage's, and stops the run."""

Check = Callable[[FilePart, str], None]
"""Takes a file and its purpose; raises RecordError with all its faults."""


class Ledger(Protocol):
    """Knows which bytes were uploaded before."""

    def find(self, sha256: str, purpose: str, filename: str) -> KnownFile | None:
        """Give the file of that content, purpose and name."""

    def add(self, sha256: str, file: Mapping[str, Any]) -> None:
        """Take a file that was uploaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSending:
    """What is done with each file.

    :param in_parts: how the Uploads API is used.
    :param whole_bytes: size up to which a file goes by one request; 0 sends every file in parts.
    :param ledger: what was uploaded before; None uploads all.
    """

    in_parts: UploadOptions
    whole_bytes: int = DEFAULT_FILE_LIMIT.max_bytes
    ledger: Ledger | None = None


class CheckedRenderer:
    """Looks at each file of another renderer's uploads; those that fail are rejected.

    :param inner: renders uploads, each with one file.
    """

    def __init__(self, inner: Renderer, check: Check) -> None:
        self._inner = inner
        self._check = check

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Render the records; a file that fails the check rejects those that are in it."""
        return _changed(self._inner.render(records), self._checked)

    def split(self, request: RenderedRequest, error: RecordError | None = None) -> Sequence[RenderedRequest]:
        """Cut as the other does."""
        return self._inner.split(request, error)

    def _checked(self, request: RenderedRequest) -> RenderedRequest:
        body = _form_in(request)
        if body is not None:
            (file,) = body.files
            with _reading(file):
                self._check(file, _purpose_in(body))
        return request


class FileRenderer:
    """Gives each upload of another renderer the way that it goes.

    :param inner: renders uploads, each with one file.
    :param form: the fixed parts of an upload.
    """

    def __init__(self, inner: Renderer, form: RequestForm, sending: FileSending) -> None:
        self._inner = inner
        self._form = form
        self._sending = sending

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Render the records; a file that can't be read rejects those that are in it."""
        return _changed(self._inner.render(records), self._way_of)

    def split(self, request: RenderedRequest, error: RecordError | None = None) -> Sequence[RenderedRequest]:
        """Cut as the other does."""
        return self._inner.split(request, error)

    def _way_of(self, request: RenderedRequest) -> RenderedRequest:
        body = _form_in(request)
        if body is None:
            return request
        (file,), purpose = body.files, _purpose_in(body)
        ledger = self._sending.ledger
        if ledger is None:
            return request if self._fits(file) else self._in_parts(request, body).begin()
        with _reading(file):
            sha256 = _sha256(file)
        done = partial(ledger.add, sha256)
        known = ledger.find(sha256, purpose, file.filename)
        upload = None if self._fits(file) else lambda: self._in_parts(request, body, done).begin()
        return ReusedFile(request, self._form, known, upload=upload, done=done, now=self._sending.in_parts.now).begin()

    def _fits(self, file: FilePart) -> bool:
        return file.size <= self._sending.whole_bytes

    def _in_parts(
        self, request: RenderedRequest, body: MultipartBody, done: Callable[[Mapping[str, Any]], None] | None = None
    ) -> UploadInParts:
        return UploadInParts(request, self._form, body, self._sending.in_parts, done)


def _changed(items: Iterable[Rendered], change: Callable[[RenderedRequest], RenderedRequest]) -> Iterator[Rendered]:
    """Change each request; one for which it raises RecordError rejects its records."""
    for item in items:
        if not isinstance(item, RenderedRequest):
            yield item
            continue
        try:
            yield change(item)
        except RecordError as error:
            for record in item.records:
                yield RefusedRecord(record=record, error=error)


def _form_in(request: RenderedRequest) -> MultipartBody | None:
    """Give the form of an upload of one file."""
    body = request.content
    return body if isinstance(body, MultipartBody) and len(body.files) == 1 else None


def _purpose_in(body: MultipartBody) -> str:
    return str(body.fields.get("purpose"))


@contextmanager
def _reading(file: FilePart) -> Iterator[None]:
    """Raise RecordError for a file that can't be read, whatever else can be."""
    try:
        yield
    except UNREADABLE as error:
        reason = error.strerror or type(error).__name__
        raise RecordError("file_unreadable", f"can't read {file.filename!r}: {reason}", param="file") from None


def _sha256(file: FilePart) -> str:
    digest = hashlib.sha256()
    with file.open() as stream:
        while piece := stream.read(HASH_BYTES):
            digest.update(piece)
    return digest.hexdigest()
