"""Ownership: whether this try may still send. One that was superseded, or lost its parent, must stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from airflow_provider_openai_dest.checkpoint.process import has_surely_ended, this_process
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.sinks.folder import Folder, list_names, put_file

RENEW_SECONDS = 1.2
"""How often the fences are asked: what two tries send at the same time is paid twice."""

TRIES_AHEAD = 3
"""Later tries that are looked for: one may have died before it left its mark."""


class Fence(Protocol):
    """What a later try closes."""

    def is_closed(self) -> bool:
        """Tell whether a later try has begun. What can't be asked now is not closed."""


class StorageFence:
    """A mark for each try beside the rows; that of a later try closes the fence.

    Marks of later tries that are there before this one begins are left from a run of the same name.

    :param folder: the results folder.
    """

    def __init__(self, folder: Folder, scope: Scope, try_number: int) -> None:
        self._folder = folder
        self._scope = scope
        self._try_number = try_number
        self._later = [self._mark(number) for number in range(try_number + 1, try_number + 1 + TRIES_AHEAD)]

    def begin(self) -> None:
        """Leave this try's mark, which stops the earlier ones. Raises SinkError, and TransientError."""
        old = set(list_names(self._folder, f"try-{self._scope.id}-"))
        self._later = [mark for mark in self._later if mark.name not in old]
        put_file(self._folder, self._mark(self._try_number).name, msgspec.json.encode({"process": this_process()}))

    def earlier_have_ended(self) -> bool:
        """Tell whether the processes of the earlier tries ran on this host and are surely gone.

        The last ones only: each try has waited for those before it.
        """
        earlier = range(max(1, self._try_number - TRIES_AHEAD), self._try_number)
        return all(has_surely_ended(_process_of(self._mark(number))) for number in earlier)

    def is_closed(self) -> bool:
        """Look for the marks of later tries."""
        return any(map(_exists, self._later))

    def _mark(self, try_number: int) -> Folder:
        return self._folder / f"try-{self._scope.id}-t{try_number:02d}.json"


def _process_of(mark: Folder) -> str:
    try:
        with mark.open("rb") as stream:
            content = msgspec.json.decode(stream.read(), type=dict[str, str])
    except Exception:  # noqa: BLE001 - clients of object storage raise what they like; what is not known is not gone
        return ""
    return content.get("process", "")


def _exists(mark: Folder) -> bool:
    try:
        return mark.exists()
    except Exception:  # noqa: BLE001 - clients of object storage raise what they like; the next look may succeed
        return False


class Ownership:
    """Watches the fences and the parent process.

    An orphan goes on after its supervisor was killed, for minutes, beside the try that follows it; nothing tells it but
    its parent's id. ``lost`` says why this try may not send any more.

    :param fences: asked from time to time, by :meth:`renew`.
    :param parent: gives the id of the parent process.
    """

    def __init__(self, fences: Sequence[Fence] = (), parent: Callable[[], int] = os.getppid) -> None:
        self._fences = fences
        self._parent_of = parent
        self._parent = parent()
        self._renewed = float("-inf")
        self.lost: str | None = None

    def is_kept(self) -> bool:
        """Tell whether the next request may be sent; asked before each, so it costs next to nothing."""
        if self.lost is None and self._parent_of() != self._parent:
            self.lost = "the process that supervises this task is gone"
        return self.lost is None

    def renew(self, now: float) -> None:
        """Ask the fences, when it is time."""
        if now - self._renewed < RENEW_SECONDS or not self.is_kept():
            return
        self._renewed = now
        if any(fence.is_closed() for fence in self._fences):
            self.lost = "a later try of this task has begun"
