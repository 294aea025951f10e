"""Clock: monotonic time, and waiting that can be ended."""

from __future__ import annotations

import asyncio
from typing import Protocol

NEVER = float("inf")
"""Seconds of a wait that only an event ends."""


class Clock(Protocol):
    """Monotonic time, and waiting that can be ended, so that tests need neither."""

    def now(self) -> float:
        """Give the seconds since some start."""

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait so long, or until the event is set, without holding the event loop."""


class SystemClock:
    """The real clock; call inside a running event loop."""

    def now(self) -> float:
        """Read the event loop's monotonic time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait that long, or until the event is set."""
        timer = asyncio.get_running_loop().call_later(seconds, until.set) if seconds < NEVER else None
        try:
            await until.wait()
        finally:
            if timer is not None:
                timer.cancel()
