"""FileStore: the uploaded files, in memory, up to a total of bytes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import ApiError

BATCH_LIFETIME = 30 * 24 * 3600  # "files with purpose=batch expire after 30 days and all others are persisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One uploaded file."""

    id: str
    name: str
    purpose: str
    created_at: int
    expires_at: int | None
    data: bytes

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
            "status": "processed",
            "status_details": None,
        }


class FileStore:
    """The files by id, oldest first.

    :param max_bytes: sum of the files' bytes; what would go beyond is refused with 413, nothing is thrown out.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
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
