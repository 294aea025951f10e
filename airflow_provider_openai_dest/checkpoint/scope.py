"""Scope: whose delivery it is. The same for every try of a task instance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The task instance that delivers; ``map_index`` is -1 when the task is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @property
    def id(self) -> str:
        """A short name for files, the same for every try and no other task instance."""
        words = "\0".join((self.dag_id, self.run_id, self.task_id, str(self.map_index)))
        return hashlib.sha256(words.encode()).hexdigest()[:10]

    def as_row(self) -> dict[str, Any]:
        """Give the JSON form for webhook items and manifests."""
        return {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
        }
