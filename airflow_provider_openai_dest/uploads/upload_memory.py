"""Upload memory: what an upload in parts asks of the place that outlives its worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True, kw_only=True)
class KnownUpload:
    """An upload that an earlier try began: the ids of its parts by their number, from 0 on."""

    id: str
    expires_at: int
    parts: dict[int, str] = field(default_factory=dict)


class UploadMemory(Protocol):
    """Keeps uploads beyond the life of a worker. What it can't keep is sent again, so it raises nothing."""

    def unfinished(self, file: str) -> KnownUpload | None:
        """Give what an earlier try began and did not end."""

    def begun(self, file: str, upload_id: str, expires_at: int) -> None:
        """Take an upload that was created."""

    def added(self, upload_id: str, number: int, part_id: str) -> None:
        """Take a part that is there."""

    def ended(self, upload_id: str) -> None:
        """Take that an upload is completed or given up."""
