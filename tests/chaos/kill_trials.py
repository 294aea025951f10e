"""Kills: a worker is killed again and again, and the next try goes on, on the same host or on another."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.chaos.rows import Rows
from tests.chaos.scene import Scene, repeats
from tests.chaos.trial import Check, Trial, at_most, equal, none


class Kills:
    """Kills the tries of a scene, each after so many more requests, and looks at what stands in its folder then."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._random = Random(seed)
        self._executed: dict[str, int] = {}
        self.rows = Rows(scene.results)
        self.fired = 0
        self.progressed = 0

    def kill_one(self, after: tuple[int, int]) -> None:
        """Start a try and kill it while it sends."""
        stub = self._scene.stub
        seen = stub.seen()
        worker = self._scene.start()
        has_sent = stub.wait_for(seen + self._random.randint(*after), worker)
        was_alive = worker.is_alive
        worker.kill()
        self.fired += has_sent and was_alive
        self.progressed += self._look()

    def _look(self) -> bool:
        executions = self._scene.stub.executions()
        before = len(self._executed)
        for key in self.rows.read().settled():
            self._executed.setdefault(key, executions[int(key)])
        return len(self._executed) > before

    def sent_again(self) -> int:
        """Count the records that were sent after they were settled."""
        executions = self._scene.stub.executions()
        return sum(executions[int(key)] > times for key, times in self._executed.items())


def kill9(
    seed: int, *, records: int, kills: int, after: tuple[int, int], storage: str, concurrency: int = 64
) -> Iterator[Check]:
    """Kill a worker so often; then let one finish."""
    settings = {"weather": {"put_seconds": 0.01}}
    with Scene(records, storage=storage, concurrency=concurrency, **settings) as scene:
        scene.stub.plan(seed=seed)
        trial = Kills(scene, seed)
        for _ in range(kills):
            trial.kill_one(after)
        last = scene.finish()
        executions = scene.stub.executions()
        rows = trial.rows.read()
        repeated = {str(number) for number, times in enumerate(executions) if times > 1}
        yield equal("kills while it was sending", kills, trial.fired)
        yield none("records lost", records - len(rows.with_status("delivered")))
        yield none("settled records sent again", trial.sent_again())
        bound = kills * 2 * concurrency  # on the wire, and answered without a durable row
        yield at_most(f"repeats, {kills} kills x 2 x {concurrency}", bound, repeats(executions))
        yield none("repeated, and not told by maybe_billed", len(repeated - rows.maybe_billed()))
        yield at_most("repeated records, manifest.maybe_billed", last.count("maybe_billed"), len(repeated))
        yield at_most("executions of one record", 3, max(executions))
        yield equal("kills with progress before them", kills, trial.progressed)
        yield equal("delivered in the last manifest", records, last.count("delivered"))
        yield none("rows that are wrong or broken", rows.wrong() + rows.broken)


TRIALS = (
    Trial(
        name="kill9",
        run=kill9,
        full={"records": 20_000, "kills": 100, "after": (190, 260), "storage": "local"},
        short={"records": 1_200, "kills": 2, "after": (190, 260), "storage": "local"},
    ),
    Trial(
        name="kill9-other-host",
        run=kill9,
        full={"records": 20_000, "kills": 100, "after": (220, 300), "storage": "object"},
        short={"records": 1_200, "kills": 2, "after": (220, 300), "storage": "object"},
    ),
)
