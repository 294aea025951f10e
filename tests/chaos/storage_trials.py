"""Storage: a disk that is full, and object storage that fails now and then, or altogether."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos.rows import Rows
from tests.chaos.scene import Report, Scene
from tests.chaos.trial import Check, Trial, equal, none, side_by_side


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How a few tries on a bad storage, and one on a good one, ended."""

    failed: int
    wrong_counts: int
    not_durable: int
    sent_again: int
    sent_blind: int
    untold: int
    lost: int
    wrong: int


SINK_FAILURES = ("SinkError", "TransientError")


def on_bad_storage(
    scene: Scene,
    settings: Callable[[int], dict[str, Any]],
    tries: int,
    good: dict[str, Any],
    *,
    blind_from: int | None = None,
) -> Stored:
    """Run tries on a bad storage, hold each to what stands in the folder, and let one on a good one finish.

    ``sent_blind`` counts the requests of tries that can't read the state, those from number ``blind_from`` on;
    ``untold`` the tries that sent and gave no manifest.
    """
    rows, executed = Rows(scene.results), {}
    failed = wrong_counts = not_durable = sent_blind = untold = 0
    for number in range(tries):
        seen = scene.stub.seen()
        report = scene.start(**settings(number)).wait()
        executions = scene.stub.executions()
        for key in rows.read().settled():
            executed.setdefault(key, executions[int(key)])
        failed += report.error in SINK_FAILURES
        sent = scene.stub.seen() - seen
        if blind_from is not None and number >= blind_from:
            sent_blind += sent
        if report.manifest is None:
            untold += sent > 0
        else:
            wrong_counts += not report.adds_up
            not_durable += max(0, settled(report) - len(rows.settled()))
    last = scene.finish(**good)
    executions = scene.stub.executions()
    rows.read()
    return Stored(
        failed=failed,
        wrong_counts=wrong_counts + (not last.adds_up or last.count("delivered") != scene.records),
        not_durable=not_durable,
        sent_again=sum(executions[int(key)] > times for key, times in executed.items()),
        sent_blind=sent_blind,
        untold=untold,
        lost=scene.records - len(rows.with_status("delivered")),
        wrong=rows.wrong(),
    )


def settled(report: Report) -> int:
    """Give how many records the manifest says are settled."""
    return report.count("delivered") + report.count("rejected")


def disk(seed: int, *, trials: int, at_once: int, records: int, tries: int) -> Iterator[Check]:
    """Fill the disk; let the storage fail 30 % of its calls, and all of them."""
    row_bytes = 330 * records

    def full(number: int) -> Stored:
        random = Random(seed + number)
        storage = ("local", "object")[number % 2]
        with Scene(records, storage=storage) as scene:
            scene.stub.plan(seed=seed + number)
            room = random.randint(2_000, row_bytes // 2)
            bad = {"file_limit": room} if storage == "local" else {"weather": {"room": room}}
            return on_bad_storage(scene, lambda _: bad, 1, {"file_limit": None, "weather": {}})

    def failing(share: float, after: int) -> Callable[[int], Stored]:
        def one(number: int) -> Stored:
            with Scene(records, storage="object") as scene:
                scene.stub.plan(seed=seed + number)
                return on_bad_storage(
                    scene,
                    lambda each: {"weather": {"share": share, "after_puts": after, "seed": f"{seed}:{number}:{each}"}},
                    tries,
                    {"weather": {}},
                )

        return one

    def unreadable(number: int) -> Stored:
        """A state that can't be listed, or not read, after a first try that was cut short."""
        kinds = (("list",), ("read",), ("list", "read"))[number % 3]
        with Scene(records, storage="object") as scene:
            scene.stub.plan(seed=seed + number)
            return on_bad_storage(
                scene,
                lambda each: {"weather": {"share": 1.0} | ({"kinds": kinds} if each else {"after_puts": 4})},
                3,
                {"weather": {}},
                blind_from=1,
            )

    yield from _told("full disk", side_by_side(full, range(trials), at_once), trials)
    few = max(1, trials // 4)
    yield from _told("30 % of the calls fail", side_by_side(failing(0.3, 0), range(few), at_once), few)
    yield from _told("all calls fail midway", side_by_side(failing(1.0, 3), range(few), at_once), few * tries)
    yield from _told("all calls fail", side_by_side(failing(1.0, 0), range(few), at_once), few * tries)
    yield from _told("the state can't be read", side_by_side(unreadable, range(few), at_once), few * 3)


def _told(name: str, found: list[Stored], expected_failures: int) -> Iterator[Check]:
    failed = sum(each.failed for each in found)
    if name.startswith("30 %"):
        yield Check(f"{name}: tries that failed: >= {expected_failures}", failed, failed >= expected_failures)
    else:
        yield equal(f"{name}: tries that failed", expected_failures, failed)
    yield none(f"{name}: counts that are not right", sum(each.wrong_counts for each in found))
    yield none(f"{name}: counted as settled, and not durable", sum(each.not_durable for each in found))
    yield none(f"{name}: settled records sent again", sum(each.sent_again for each in found))
    yield none(f"{name}: requests of tries that could not read", sum(each.sent_blind for each in found))
    yield none(f"{name}: tries that sent and gave no manifest", sum(each.untold for each in found))
    yield none(f"{name}: records lost or wrong", sum(each.lost + each.wrong for each in found))


TRIALS = (
    Trial(
        name="disk",
        run=disk,
        full={"trials": 20, "at_once": 2, "records": 2_000, "tries": 10},
        short={"trials": 2, "at_once": 2, "records": 500, "tries": 2},
    ),
)
