"""UploadStore: the uploads in parts, until they are completed, cancelled or expired."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_openai_dest.sandbox.answers import ApiError

LIFETIME = 3600  # "Uploads expire after an hour after you create them"
MOST_PART_BYTES = 64 << 20
MOST_UPLOAD_BYTES = 8 << 30


@dataclass(slots=True, kw_only=True)
class Upload:
    """One upload and its parts; ``lifetime`` is the file's, in seconds."""

    id: str
    name: str
    purpose: str
    size: int
    created_at: int
    expires_at: int
    lifetime: int | None
    status: str = "pending"
    parts: dict[str, bytes] = field(default_factory=dict)

    def as_json(self, file: dict[str, Any] | None = None) -> dict[str, Any]:
        """Give the API's ``upload`` object."""
        return {
            "id": self.id,
            "object": "upload",
            "bytes": self.size,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": self.status,
            "file": file,
        }


class UploadStore:
    """The uploads by id.

    :param max_bytes: sum of the parts' bytes; what would go beyond is refused with 413.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._uploads: dict[str, Upload] = {}

    def create(self, *, name: str, purpose: str, size: int, lifetime: int | None, now: int) -> Upload:
        """Begin an upload."""
        upload = Upload(
            id=f"upload_{secrets.token_hex(12)}",
            name=name,
            purpose=purpose,
            size=size,
            created_at=now,
            expires_at=now + LIFETIME,
            lifetime=lifetime,
        )
        self._uploads[upload.id] = upload
        return upload

    def pending(self, upload_id: str, now: int) -> Upload:
        """Give an upload that takes parts, or a 404, or a 400 for one that has ended."""
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise ApiError(404, f"No such Upload object: {upload_id[:80]}", param="id")
        if upload.status == "pending" and upload.expires_at <= now:
            upload.status = "expired"
        if upload.status != "pending":
            raise ApiError(400, f"Upload {upload.id} is {upload.status}.", code=f"upload_{upload.status}")
        return upload

    def add_part(self, upload: Upload, data: bytes) -> str:
        """Keep a part; gives its id."""
        kept = sum(len(part) for one in self._uploads.values() for part in one.parts.values())
        if kept + len(data) > self._max_bytes:
            message = f"The sandbox keeps at most {self._max_bytes} bytes of parts."
            raise ApiError(413, message, param="data", code="file_storage_full")
        part_id = f"part_{secrets.token_hex(12)}"
        upload.parts[part_id] = data
        return part_id

    def complete(self, upload: Upload, part_ids: Sequence[str], md5: str | None) -> bytes:
        """Join the parts in that order and forget them, or say with a 400 why they are not the file."""
        if strange := [part_id for part_id in part_ids if str(part_id) not in upload.parts]:
            raise ApiError(400, f"No such part of this Upload: {str(strange[0])[:80]}", param="part_ids")
        data = b"".join(upload.parts[part_id] for part_id in part_ids)
        if len(data) != upload.size:
            message = f"The parts have {len(data)} bytes in all, the Upload was created for {upload.size}."
            raise ApiError(400, message, param="part_ids")
        if md5 is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.lower():
            raise ApiError(400, "The md5 of the parts differs from the one given.", param="md5", code="md5_mismatch")
        upload.status = "completed"
        upload.parts.clear()
        return data

    def cancel(self, upload: Upload) -> None:
        """End an upload without a file."""
        upload.status = "cancelled"
        upload.parts.clear()
