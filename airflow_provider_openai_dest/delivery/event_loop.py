"""Event loop: what runs the sending, in a thread of its own, so that a signal handler's exception breaks into no loop.

uvloop, which Airflow brings for its own server, costs less CPU than asyncio's: https://uvloop.readthedocs.io/dev/
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

WATCH_SECONDS = 0.2


class LoopThread:
    """Runs one coroutine to its end, while the thread that asked for it waits and watches.

    :param grace_seconds: how long the coroutine goes on after the waiting was interrupted, before it is cancelled.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def run(
        self, work: Coroutine[Any, Any, T], *, watch: Callable[[float], None], on_interrupt: Callable[[], None]
    ) -> T:
        """Give what the coroutine gives.

        :param watch: called every :data:`WATCH_SECONDS` by the thread that waits, with a monotonic time.
        :param on_interrupt: called when something interrupts the waiting, such as a signal handler's exception.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="openai-dest-send") as thread:
            running = thread.submit(_run, self._begun(work))
            try:
                while not running.done():
                    watch(time.monotonic())
                    wait([running], timeout=WATCH_SECONDS)
                return running.result()
            except BaseException:
                on_interrupt()
                self._end_soon()
                raise

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the loop, from any thread or signal handler; at once when none runs yet."""
        if self._loop is None:
            function()
        else:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(function)

    async def _begun(self, work: Coroutine[Any, Any, T]) -> T:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        return await work

    def _end_soon(self) -> None:
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            self.call(lambda: _cancel_later(loop, task, self._grace_seconds))


def _cancel_later(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], seconds: float) -> None:
    loop.call_later(seconds, task.cancel)


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(work)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
