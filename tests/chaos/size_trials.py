"""Size: a million records, and what the state costs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.rows import Rows
from tests.chaos.scene import Scene, repeats
from tests.chaos.trial import Check, Trial, at_most, equal, none

MEGABYTE = 1024 * 1024


def million(seed: int, *, records: int, pack: int = 512) -> Iterator[Check]:
    """Kill a large delivery in the middle, and see how soon the next try sends and what it holds.

    The time is that of reading the state. A try that can't know that the one before is dead waits two seconds as well.
    """
    with Scene(records, pack=pack, concurrency=16) as scene:
        scene.stub.plan(seed=seed)
        first = scene.start()
        middle = scene.stub.wait_for(records // pack // 2, first, 200)
        held = first.memory()
        first.kill()
        left = records - sum(map(bool, scene.stub.executions()))
        seen = scene.stub.seen()
        second = scene.start()
        scene.stub.wait_for(seen + 1, second)
        sent_at = min(one.came_at for one in scene.stub.requests() if one.client == "g0t2")
        report = second.wait()
        rows = Rows(scene.results).read()
        yield Check("killed with records left: > 0", left, middle and left > 0)
        yield at_most("MiB of the first try at the kill", 300, held // MEGABYTE)
        yield at_most("seconds from the start to the first request", 5.0, sent_at - second.began_at)
        yield at_most("MiB of the second try", 300, report.most_bytes // MEGABYTE)
        yield none("records lost", records - len(rows.with_status("delivered")))
        yield at_most("repeats, packs on the wire and one flush", 2 * 16 * pack, repeats(scene.stub.executions()))
        yield equal("delivered in the manifest", records, report.count("delivered"))
        yield none("rows that are wrong or broken", rows.wrong() + rows.broken)


def cost(seed: int, *, records: int, rounds: int, rate: float = 500.0) -> Iterator[Check]:
    """Compare the CPU of a delivery with that of one that keeps nothing, at so many records a second."""
    kept, bare = [], []
    for number in range(rounds):
        for is_stateless, found in ((False, kept), (True, bare)):
            with Scene(records) as scene:
                scene.stub.plan(seed=seed + number, delay_ms=(5, 20))
                found.append(scene.start(is_stateless=is_stateless).wait().cpu_seconds)
    share = (min(kept) - min(bare)) / (records / rate)
    yield Check("CPU-ms a record without and with state", f"{_ms(bare, records)} {_ms(kept, records)}", holds=True)
    yield at_most(f"% of the run time at {rate:g} records/s", 5.0, 100 * share)


def _ms(seconds: list[float], records: int) -> str:
    return f"{1000 * min(seconds) / records:.3f}"


TRIALS = (
    Trial(name="million", run=million, full={"records": 1_000_000}, short={"records": 30_000}),
    Trial(name="cost", run=cost, full={"records": 10_000, "rounds": 3}),
)
