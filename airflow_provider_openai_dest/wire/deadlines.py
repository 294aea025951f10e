"""Deadlines: end what has lasted too long. One timer serves all, for a timer a request costs more than its parsing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)


class Deadlines(Generic[W]):
    """All that is watched may last equally long, so it ends in the order in which it began.

    :param seconds: how long.
    :param is_over: called with what has lasted so long; it is not watched any more.
    """

    def __init__(self, seconds: float, is_over: Callable[[W], None]) -> None:
        self._seconds = seconds
        self._is_over = is_over
        self._ends: dict[W, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, watched: W, loop: asyncio.AbstractEventLoop) -> float:
        """Watch it from now on, and give the loop's time when it is over."""
        self._ends[watched] = ends = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(ends, self._look, loop)
        return ends

    def end(self, watched: W) -> None:
        """Watch it no more."""
        self._ends.pop(watched, None)

    def close(self) -> None:
        """Watch nothing more."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._ends:
            watched, ends = next(iter(self._ends.items()))
            if ends > now:
                self._timer = loop.call_at(ends, self._look, loop)
                return
            del self._ends[watched]
            self._is_over(watched)
