"""Stops: a supervisor that is killed alone, a second try beside the first, and SIGTERM with 5 s of grace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import msgspec

from tests.chaos.rows import Rows
from tests.chaos.scene import Request, Scene, end_process, repeats, runs, wait_until
from tests.chaos.trial import Check, Trial, at_most, equal, none, side_by_side

GRACE = 5.0
"""Seconds from Airflow's SIGTERM to its SIGKILL (``supervisor.kill(escalation_delay=5.0)``)."""

READING = 0.25
"""Seconds in which an answer that the stub has sent may still be on its way through the client."""


def last_of(requests: list[Request], client: str) -> float:
    """Give when a try's last request came."""
    return max((one.came_at for one in requests if one.client == client), default=0.0)


# -- orphan ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Orphaned:
    """How one orphan ended."""

    fired: bool
    last_after: float
    lost: int
    repeated: int
    untold: int


def orphan(seed: int, *, trials: int, at_once: int, records: int = 3_000) -> Iterator[Check]:
    """Kill supervisors and leave their tasks."""

    def one(number: int) -> Orphaned:
        random = Random(seed + number)
        with Scene(records, concurrency=16) as scene:
            scene.stub.plan(seed=seed + number, delay_ms=(30, 60))
            worker = scene.start(is_supervised=True)
            has_sent = scene.stub.wait_for(random.randint(20, 400), worker)
            task = worker.pid
            was_running = runs(task)
            killed_at = time.monotonic()
            worker.kill()
            if not wait_until(lambda: not runs(task), 15):
                end_process(task)
            left = records - sum(map(bool, scene.stub.executions()))
            after = last_of(scene.stub.requests(), "g0t1") - killed_at
            scene.stub.plan()
            scene.finish()
            rows = Rows(scene.results).read()
            return Orphaned(
                fired=has_sent and was_running and left > 0,
                last_after=after,
                lost=records - len(rows.with_status("delivered")),
                repeated=repeats(scene.stub.executions()),
                untold=untold(scene, rows),
            )

    found = side_by_side(one, range(trials), at_once)
    yield equal("supervisors killed while the task was sending", trials, sum(each.fired for each in found))
    yield at_most("seconds to the orphan's last request", 5.0, max(each.last_after for each in found))
    yield none("records lost", sum(each.lost for each in found))
    yield none("records repeated", sum(each.repeated for each in found))


# -- overlap -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Overlapped:
    """How two tries at once ended."""

    fired: bool
    loser_stopped_after: float
    loser_error: str | None
    broken: int
    wrong_counts: int
    lost: int
    repeated: int
    untold: int
    sent_again: int


def untold(scene: Scene, rows: Rows) -> int:
    """Count the repeats of which no row tells: neither an outcome of its own, nor ``maybe_billed``."""
    told = rows.maybe_billed()
    return sum(
        max(0, times - max(1, len(rows.by_key.get(str(number), ()))))
        for number, times in enumerate(scene.stub.executions())
        if str(number) not in told
    )


def overlap(seed: int, *, trials: int, at_once: int, records: int, concurrency: int = 16) -> Iterator[Check]:
    """Start the second try while the first one sends, which is slow enough to have plenty left then."""

    def one(number: int) -> Overlapped:
        random = Random(seed + number)
        with Scene(records, concurrency=concurrency, storage=("local", "object")[number % 2]) as scene:
            scene.stub.plan(seed=seed + number, delay_ms=(30, 60))
            first = scene.start()
            has_sent = scene.stub.wait_for(random.randint(50, 500), first)
            settled = Rows(scene.results).read().settled()
            executed = scene.stub.executions()
            second = scene.start()
            has_begun = wait_until(lambda: any(scene.results.glob("try-*-t02.json")), 30)
            began = time.monotonic()
            loser = first.wait(60)
            scene.stub.plan(seed=seed + number)
            winner = second.wait(60)
            stopped = last_of(scene.stub.requests(), "g0t1")
            rows = Rows(scene.results).read()
            ends = [msgspec.json.decode(path.read_bytes()) for path in scene.results.glob("delivery-*-end.json")]
            counts = [
                loser.adds_up,
                winner.adds_up,
                winner.count("delivered") == records,
                [end["delivered"] for end in ends] == [records],
            ]
            executions = scene.stub.executions()
            return Overlapped(
                fired=has_sent and has_begun and stopped > second.began_at and loser.count("pending") > 0,
                loser_stopped_after=stopped - began,
                loser_error=loser.error,
                broken=rows.broken + rows.torn + rows.wrong(),
                wrong_counts=counts.count(False),
                lost=records - len(rows.with_status("delivered")),
                repeated=repeats(executions),
                untold=untold(scene, rows),
                sent_again=sum(executions[int(key)] > executed[int(key)] for key in settled),
            )

    found = side_by_side(one, range(trials), at_once)
    yield equal("second tries begun while the first was sending", trials, sum(each.fired for each in found))
    yield at_most("seconds until the loser stops", 5.0, max(each.loser_stopped_after for each in found))
    yield equal(
        "losers that end with TransientError", trials, [each.loser_error for each in found].count("TransientError")
    )
    yield none("rows broken, torn or wrong", sum(each.broken for each in found))
    yield none("counts that are not right", sum(each.wrong_counts for each in found))
    yield none("records lost", sum(each.lost for each in found))
    yield none("settled records sent again", sum(each.sent_again for each in found))
    yield none("repeats without a row and without maybe_billed", sum(each.untold for each in found))
    most = max(each.repeated for each in found)
    yield at_most(f"repeats in one trial, 2 x {concurrency} on the wire", 2 * concurrency, most)


# -- SIGTERM -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """How a try with SIGTERM and then SIGKILL ended."""

    fired: bool
    was_killed: bool
    stopped_after: float
    answered: int
    not_durable: int
    repeated: int
    on_wire: int
    untold: int
    lost: int


def sigterm(seed: int, *, trials: int, at_once: int, records: int = 1_500, grace: float = GRACE) -> Iterator[Check]:
    """Ask workers to end while many of their requests take longer than the grace."""

    def one(number: int) -> Terminated:
        random = Random(seed + number)
        with Scene(records, concurrency=32, storage=("local", "object")[number % 2]) as scene:
            slow = {"slow_share": 0.15, "slow_ms": (100 * grace, 1600 * grace)}
            scene.stub.plan(seed=seed + number, delay_ms=(10, 40), **slow)
            worker = scene.start()
            has_sent = scene.stub.wait_for(random.randint(40, 200), worker)
            was_alive = worker.is_alive
            asked_at = worker.terminate()
            worker.process.join(max(0.0, asked_at + grace - time.monotonic()))
            was_killed = worker.is_alive
            killed_at = time.monotonic()
            worker.kill()
            requests = [one for one in scene.stub.requests() if one.client == "g0t1"]
            rows = Rows(scene.results).read()
            answered = {str(one.first) for one in requests if one.answered_at and one.answered_at < killed_at - READING}
            not_durable = answered - rows.settled()
            scene.stub.plan()
            scene.finish()
            rows.read()
            return Terminated(
                fired=has_sent and was_alive and len(requests) < records,
                was_killed=was_killed,
                stopped_after=last_of(requests, "g0t1") - asked_at,
                answered=sum(bool(one.answered_at and one.answered_at > asked_at) for one in requests),
                not_durable=len(not_durable),
                repeated=repeats(scene.stub.executions()),
                on_wire=len(requests) - len(answered),
                untold=untold(scene, rows),
                lost=records - len(rows.with_status("delivered")),
            )

    found = side_by_side(one, range(trials), at_once)
    killed = sum(each.was_killed for each in found)
    over = sum(max(0, each.repeated - each.on_wire) for each in found)
    yield equal("SIGTERMs while it was sending", trials, sum(each.fired for each in found))
    yield Check("of them killed with requests on the wire: > 0", killed, killed > 0)
    yield at_most("seconds until the last request", 0.2, max(each.stopped_after for each in found))
    yield none(
        f"of {sum(each.answered for each in found)} answers in the grace not durable at the kill",
        sum(each.not_durable for each in found),
    )
    yield none("repeats beyond what was on the wire at the kill", over)
    yield none("repeats without maybe_billed", sum(each.untold for each in found))
    yield none("records lost", sum(each.lost for each in found))


TRIALS = (
    Trial(
        name="orphan",
        run=orphan,
        full={"trials": 20, "at_once": 4},
        short={"trials": 2, "at_once": 2, "records": 1_000},
    ),
    Trial(
        name="overlap",
        run=overlap,
        full={"trials": 30, "at_once": 3, "records": 4_000},
        short={"trials": 2, "at_once": 2, "records": 3_000},
    ),
    Trial(
        name="sigterm",
        run=sigterm,
        full={"trials": 50, "at_once": 5},
        short={"trials": 2, "at_once": 2, "records": 600, "grace": 2.0},
    ),
)
