"""FileStore: the uploaded files, in memory, up to a total of bytes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_openai_dest.sandbox.answers import ApiError

BATCH_LIFETIME = 30 * 24 * 3600  # "files with purpose=batch expire after 30 days and all others are persisted"


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """One uploaded file; ``reads_left`` are the reads of its object until it is processed."""

    id: str
    name: str
    purpose: str
    created_at: int
    expires_at: int | None
    data: bytes
    reads_left: int = 0
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the API's ``file`` object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": self._status,
            "status_details": None if self.reads_left else self.fault,
        }

    @property
    def _status(self) -> str:
        if self.reads_left:
            return "uploaded"
        return "error" if self.fault else "processed"


class FileStore:
    """The files by id, oldest first.

    :param max_bytes: sum of the files' bytes; what would go beyond is refused with 413, nothing is thrown out.
    :param processing_reads: how often a new file is told to be ``uploaded`` before it is processed.
    """

    def __init__(self, max_bytes: int, processing_reads: int = 0) -> None:
        self.max_bytes = max_bytes
        self.processing_reads = processing_reads
        self._files: dict[str, StoredFile] = {}

    def add(self, *, name: str, purpose: str, data: bytes, lifetime: int | None, now: int) -> StoredFile:
        """Keep a file; ``lifetime`` is in seconds, None for the purpose's own."""
        if sum(len(file.data) for file in self._files.values()) + len(data) > self.max_bytes:
            message = f"The sandbox keeps at most {self.max_bytes} bytes of files: delete some of them."
            raise ApiError(413, message, param="file", code="file_storage_full")
        if lifetime is None and purpose == "batch":
            lifetime = BATCH_LIFETIME
        file = StoredFile(
            id=f"file-{secrets.token_hex(12)}",
            name=name,
            purpose=purpose,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            data=data,
            reads_left=self.processing_reads,
            fault=_fault_of(data) if purpose == "fine-tune" else None,
        )
        self._files[file.id] = file
        return file

    def get(self, file_id: str) -> StoredFile:
        """Give a file, or a 404."""
        if file_id not in self._files:
            raise ApiError(404, f"No such File object: {file_id[:80]}", param="id")
        return self._files[file_id]

    def delete(self, file_id: str) -> None:
        """Delete a file, or a 404."""
        del self._files[self.get(file_id).id]

    def page(self, *, limit: int, order: str, after: str | None, purpose: str | None) -> tuple[list[StoredFile], bool]:
        """Give the files after that one, and whether there are more."""
        files = [file for file in self._files.values() if purpose in (None, file.purpose)]
        if order == "desc":
            files.reverse()
        if after is not None:
            ids = [file.id for file in files]
            files = files[ids.index(self.get(after).id) + 1 :] if after in ids else []
        return files[:limit], len(files) > limit


def _fault_of(data: bytes) -> str | None:
    """Say why the lines can't be read; the API looks at them while it processes the file."""
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return f"Invalid file format. Line {number} is not valid JSON."
    return None
