"""Binary files: images and other bytes of an answer become files under the results; the outcome keeps the path."""

from __future__ import annotations

import hashlib
import re
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from pybase64 import b64decode

from airflow_provider_openai_dest.answers.answer import FileAnswer
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.endpoints.template import AnswerFiles, EndpointTemplate
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sinks.folder import Folder, put_new_file

# First bytes of what the API gives, so that the name's extension is that of the content.
_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n", 0, "png"),
    (b"\xff\xd8\xff", 0, "jpg"),
    (b"GIF8", 0, "gif"),
    (b"WEBP", 8, "webp"),
    (b"WAVE", 8, "wav"),
    (b"ID3", 0, "mp3"),
    (b"\xff\xfb", 0, "mp3"),
    (b"\xff\xf3", 0, "mp3"),
    (b"OggS", 0, "ogg"),
    (b"fLaC", 0, "flac"),
    (b"%PDF", 0, "pdf"),
    (b"PK\x03\x04", 0, "zip"),
)
_SVG = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!DOCTYPE\s+svg|<svg|<!--)", re.IGNORECASE)
_OF_TYPES = {
    "application/pdf": "pdf",
    "application/zip": "zip",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/opus": "opus",
    "audio/pcm": "pcm",
    "audio/wav": "wav",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg": "svg",
    "image/svg+xml": "svg",
    "image/webp": "webp",
    "video/mp4": "mp4",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


class BinaryFiles:
    """Writes the files of an answer as ``{folder}/{key}-{n}.{ext}``.

    :param folder: the results folder.
    :param endpoint: its template says which part of an answer is a file.
    """

    def __init__(self, folder: Folder, endpoint: EndpointTemplate) -> None:
        self._folder = folder
        self._files = endpoint.answer_files

    def keep(self, outcome: Outcome) -> Outcome:
        """Give the outcome with paths where the bytes were; rejected when the bytes can't be read.

        Raises SinkError when a file can't be written.
        """
        if outcome.status is not Status.DELIVERED:
            return outcome
        try:
            if isinstance(outcome.answer, FileAnswer):
                file = outcome.answer
                answer: Any = self._put(outcome.record.key, "files", file.content, file.content_type)
                return replace(outcome, answer={**answer, "content_type": file.content_type})
            if self._files is not None:
                return replace(outcome, answer=self._replaced(outcome, self._files))
        except RecordError as error:
            return replace(outcome, status=Status.REJECTED, error=error, answer=None)
        return outcome

    def _replaced(self, outcome: Outcome, files: AnswerFiles) -> dict[str, Any]:
        answer = outcome.answer
        items = answer.get(files.items) if isinstance(answer, Mapping) else None
        if not isinstance(items, list) or not items or not all(isinstance(item, Mapping) for item in items):
            raise RecordError("bad_answer", f"the answer has no list {files.items!r} of files")
        contents = [_content(item, files.field) for item in items]  # all of them, before the first is written
        content_type = f"image/{answer.get('output_format')}"
        kept = []
        for number, (item, content) in enumerate(zip(items, contents, strict=True)):
            others = {field: value for field, value in item.items() if field != files.field}
            name = f"{outcome.record.key}-{number}"
            kept.append(others if content is None else others | self._put(name, files.folder, content, content_type))
        return {**answer, files.items: kept}

    def _put(self, name: str, folder: str, content: bytes, content_type: str = "") -> dict[str, Any]:
        path = put_new_file(self._folder / folder, safe_name(name), extension(content, content_type), content)
        return {"path": str(path), "bytes": len(content)}


def safe_name(text: str) -> str:
    """Make a file name of any text: what is unsafe becomes ``_``, and a hash keeps two names apart then."""
    safe = _UNSAFE.sub("_", text).strip("._")[:_LONGEST_NAME]
    if safe and safe == text:
        return safe
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:10]
    return f"{safe}-{digest}" if safe else digest


def extension(content: bytes, content_type: str = "") -> str:
    """Tell a file's extension by its first bytes, else by the type that the server gave; never by a name of its own."""
    for signature, start, name in _SIGNATURES:
        if content[start : start + len(signature)] == signature:
            return name
    if _SVG.match(content):
        return "svg"
    return _OF_TYPES.get(content_type, "bin")


def _content(item: Mapping[str, Any], field: str) -> bytes | None:
    """Give the bytes of an item; None where the server gives the file's address in their place."""
    text = item.get(field)
    if not text:
        if item.get("url"):
            return None
        raise RecordError("bad_answer", f"an item of the answer has no {field!r}")
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError, TypeError) as error:
        raise RecordError("bad_answer", f"the answer's file is no base64: {error}") from None
