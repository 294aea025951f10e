"""Task state: Airflow's store for one task instance, in which only its present try may write (Airflow 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "openai_dest"

REFUSED = frozenset({404, 409, 410})
"""What Airflow's API answers to a try that was superseded or cleared."""


class TaskStateFence:
    """Writes a small pointer, which Airflow refuses to a try that is not the present one any more.

    :param store: the context's ``task_state_store``.
    :param pointer: where the state is; small, since each write costs a call of the API.
    """

    def __init__(self, store: Any, pointer: Mapping[str, Any]) -> None:
        self._store = store
        self._pointer = dict(pointer)

    def is_closed(self) -> bool:
        """Write; closed when that is refused for good. An API that can't be reached now closes nothing."""
        try:
            self._store.set(KEY, self._pointer)
        except Exception as error:  # noqa: BLE001 - the SDK raises what its transport does; the next write may succeed
            detail = getattr(getattr(error, "error", None), "detail", None)
            return isinstance(detail, Mapping) and detail.get("status_code") in REFUSED
        return False
