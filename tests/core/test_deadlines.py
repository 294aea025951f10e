"""Deadlines: what has lasted too long is ended, by one timer for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_openai_dest.wire.deadlines import Deadlines


class Timer:
    """A timer that goes off when the loop's time is moved on."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeLoop:
    """A loop whose time is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[..., None], *arguments: Any) -> Any:
        self.timers.append(Timer(when, lambda: call(*arguments)))
        return self.timers[-1]

    def move_to(self, now: float) -> None:
        """Let so much time pass, and let the timers go off that are due."""
        self.now = now
        due = [timer for timer in self.timers if timer.at <= now and not timer.is_cancelled]
        self.timers = [timer for timer in self.timers if timer not in due]
        for timer in due:
            timer.call()


def watching() -> tuple[Deadlines[str], Any, list[str]]:
    """Give deadlines of 10 s, their loop, and what was ended."""
    ended: list[str] = []
    return Deadlines(10, ended.append), FakeLoop(), ended


def test_each_is_ended_when_its_own_time_is_over() -> None:
    """However many began before it, and whether or not these are still there."""
    deadlines, loop, ended = watching()
    for second, name in enumerate("abcd"):
        loop.move_to(second)
        assert second + 10 == deadlines.begin(name, loop)
    deadlines.end("a")
    deadlines.end("c")
    seen = []
    for second in (9, 10, 11, 12, 13):
        loop.move_to(second)
        seen.append("".join(ended))
    assert ["", "", "b", "b", "bd"] == seen


def test_there_is_one_timer_for_all() -> None:
    """However many are watched; none where nothing is left to be watched."""
    deadlines, loop, _ = watching()
    for name in "abcd":
        deadlines.begin(name, loop)
    assert 1 == len(loop.timers)
    for name in "abcd":
        deadlines.end(name)
    loop.move_to(10)
    assert [] == loop.timers


def test_what_begins_again_has_its_whole_time() -> None:
    """A connection carries one request after the other."""
    deadlines, loop, ended = watching()
    deadlines.begin("a", loop)
    deadlines.end("a")
    loop.move_to(9)
    deadlines.begin("a", loop)
    loop.move_to(18)
    assert [] == ended
    loop.move_to(19)
    assert ["a"] == ended


def test_nothing_is_ended_after_the_closing() -> None:
    """Whoever closes has ended it all."""
    deadlines, loop, ended = watching()
    deadlines.begin("a", loop)
    deadlines.close()
    loop.move_to(10)
    assert [] == ended


def test_a_real_loop_ends_the_second_of_two() -> None:
    """Its time is over a little later than that of the first, which was not there any more."""

    async def run() -> list[str]:
        ended: list[str] = []
        deadlines, loop = Deadlines(0.01, ended.append), asyncio.get_running_loop()
        for name in "ab":
            deadlines.begin(name, loop)
            await asyncio.sleep(0.002)
        deadlines.end("a")
        await asyncio.sleep(0.03)
        return ended

    assert ["b"] == asyncio.run(run())
