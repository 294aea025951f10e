"""BatchStore: the batches, and how far each of them is."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.sandbox.answers import ApiError

if TYPE_CHECKING:
    from airflow_provider_openai_dest.sandbox.batch_lines import Line, WorkedLine

WINDOW = 24 * 3600
ENDS = ("completed", "failed", "expired", "cancelled")
STAGES = ("in_progress", "finalizing", "completed", "failed", "cancelling", "cancelled")


@dataclass(slots=True, kw_only=True)
class Batch:
    """One batch; ``reads`` are those of its object, each of which brings it on, ``lifetime`` its files' seconds."""

    id: str
    endpoint: str
    input_file_id: str
    created_at: int
    lifetime: int | None
    metadata: Mapping[str, str] | None
    lines: list[Line]
    errors: list[dict[str, Any]]
    status: str = "validating"
    reads: int = 0
    reached: dict[str, int] = field(default_factory=dict)
    worked: list[WorkedLine] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    usage: dict[str, Any] | None = None

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ENDS

    def reach(self, status: str, now: int) -> None:
        """Enter the next stage."""
        self.status = status
        self.reached[status] = now

    def as_json(self) -> dict[str, Any]:
        """Give the API's ``batch`` object."""
        done = sum(line.is_done for line in self.worked)
        total = 0 if self.status in ("validating", "failed") else len(self.lines)
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.lines[0].body.get("model") if self.lines else None,
            "errors": {"object": "list", "data": self.errors} if self.status == "failed" else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": self.created_at,
            "expires_at": self.created_at + WINDOW,
            "expired_at": None,
            **{f"{stage}_at": self.reached.get(stage) for stage in STAGES},
            "request_counts": {"total": total, "completed": done, "failed": len(self.worked) - done},
            "usage": self.usage,
            "metadata": self.metadata,
        }


class BatchStore:
    """The batches by id, oldest first."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}

    def add(self, **fields: Any) -> Batch:
        """Begin a batch."""
        batch = Batch(id=f"batch_{secrets.token_hex(16)}", **fields)
        self._batches[batch.id] = batch
        return batch

    def get(self, batch_id: str) -> Batch:
        """Give a batch, or a 404."""
        if batch_id not in self._batches:
            raise ApiError(404, f"No batch found with id '{batch_id[:80]}'.")
        return self._batches[batch_id]

    def page(self, *, limit: int, after: str | None) -> tuple[list[Batch], bool]:
        """Give the batches after that one, the newest first, and whether there are more."""
        batches = [*self._batches.values()][::-1]
        if after is not None:
            batches = batches[batches.index(self.get(after)) + 1 :]
        return batches[:limit], len(batches) > limit
