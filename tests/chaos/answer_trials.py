"""Answers: what is lost, refused, damaged or never ends, and what the server bills for it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.chaos.damage import DAMAGES
from tests.chaos.kill_trials import Kills
from tests.chaos.rows import Rows
from tests.chaos.scene import Scene, repeats
from tests.chaos.trial import Check, Trial, at_most, equal, none

MEGABYTE = 1024 * 1024


# -- lost answers ------------------------------------------------------------------------------------


def reset(seed: int, *, records: int, kills: int, after: tuple[int, int]) -> Iterator[Check]:
    """Lose answers after the work: first with one more try for each, then with none, and kills."""
    with Scene(records) as scene:
        scene.stub.plan(seed=seed, reset_share=0.05)
        last = scene.finish()
        executions, lost = scene.stub.executions(), scene.stub.lost()
        rows = Rows(scene.results).read()
        told = rows.maybe_billed()
        yield Check("answers lost after the work: > 0", len(lost), len(lost) > 0)
        yield none("records lost", records - len(rows.with_status("delivered")))
        yield at_most("executions, records + lost answers", records + len(lost), sum(executions))
        yield none("records billed twice and not told, or told and not", len(told ^ {str(one) for one in lost}))
        yield equal("manifest.maybe_billed, records whose answer was lost", len(set(lost)), last.count("maybe_billed"))
    yield from _never_twice(seed, records=2 * records, kills=kills, after=after)


SET_ASIDE = 192
"""Records that a crash may set aside: those on the wire, and one claim of 128 (``checkpoint/claims.py``)."""


def _never_twice(seed: int, *, records: int, kills: int, after: tuple[int, int]) -> Iterator[Check]:
    with Scene(records, on_unknown="quarantine", ambiguous_retries=0) as scene:
        scene.stub.plan(seed=seed, reset_share=0.02)
        trial = Kills(scene, seed)
        for _ in range(kills):
            trial.kill_one(after)
        last = scene.finish()
        executions, lost = scene.stub.executions(), scene.stub.lost()
        rows = trial.rows.read()
        rejected = rows.with_status("rejected")
        quarantined = Rows(scene.results, "quarantine").read().settled()
        yield equal("quarantine: kills while it was sending", kills, trial.fired)
        yield equal("quarantine: executions of one record, at most", 1, max(executions))
        yield none("quarantine: records without one end", abs(records - rows.count()))
        yield none("quarantine: lost answers that are not rejected", len({str(one) for one in lost} - rejected))
        yield none("quarantine: rejected, and not in the quarantine", len(rejected ^ quarantined))
        yield none("quarantine: rejected without maybe_billed", len(rejected - rows.maybe_billed()))
        unsent = sum(not executions[int(key)] for key in rejected)
        yield at_most(f"quarantine: set aside and never sent, {kills} kills x {SET_ASIDE}", kills * SET_ASIDE, unsent)
        yield equal("quarantine: ends in the last manifest", (records, 0), (last.count("input"), last.count("pending")))


# -- refusals ----------------------------------------------------------------------------------------


def account(seed: int, *, records: int, concurrency: int = 64) -> Iterator[Check]:
    """Refuse quota or key midway; mend it; clear the task."""
    random = Random(seed)
    for word in ("quota", "key"):
        with Scene(records, concurrency=concurrency) as scene:
            stop = random.randint(records // 4, records // 2)
            scene.stub.plan(seed=seed, refuse_after=stop, refuse_with=word)
            first = scene.start().wait()
            refused = [one for one in scene.stub.requests() if one.word == word]
            scene.stub.plan(seed=seed)
            second = scene.start(generation=1).wait()
            rows = Rows(scene.results).read()
            yield Check(f"{word}: refusals: > 0", len(refused), len(refused) > 0)
            yield at_most(f"{word}: requests after the first refusal", concurrency, len(refused) - 1)
            yield equal(f"{word}: the first try ends with", "AbortError", first.error)
            yield none(f"{word}: pending in its manifest, and not so many", records - stop - first.count("pending"))
            yield equal(f"{word}: the clear after the repair ends with", None, second.error)
            yield none(f"{word}: records lost", records - len(rows.with_status("delivered")))
            yield none(f"{word}: executions repeated", repeats(scene.stub.executions()))


def bad(seed: int, *, records: int, share: float = 0.03, pack: int = 128) -> Iterator[Check]:
    """Refuse some records, alone and in a pack."""
    random = Random(seed)
    with Scene(records) as scene:
        refused = random.sample(range(records), int(records * share))
        scene.stub.plan(seed=seed, bad=refused)
        last = scene.start().wait()
        rows, quarantine = Rows(scene.results).read(), Rows(scene.results, "quarantine").read()
        expected = {str(number) for number in refused}
        yield none(f"{len(refused)} bad: not quarantined, or wrongly", len(quarantine.settled() ^ expected))
        yield equal("rows in the quarantine", len(refused), quarantine.count())
        yield none("quarantined without a reason", quarantine.without_reason())
        yield equal("delivered", records - len(refused), len(rows.with_status("delivered")))
        yield equal("requests", records, scene.stub.seen())
        yield equal("delivered and rejected in the manifest", (records - len(refused), len(refused)), ends(last))
    with Scene(pack, pack=pack) as scene:
        scene.stub.plan(seed=seed, bad=[random.randrange(pack)])
        last = scene.start().wait()
        yield at_most(f"1 bad among {pack} packed: calls", 16, scene.stub.seen())
        yield equal(f"1 bad among {pack} packed: delivered and rejected", (pack - 1, 1), ends(last))


def ends(report: object) -> tuple[int, int]:
    """Give what was delivered and rejected."""
    return report.count("delivered"), report.count("rejected")  # type: ignore[attr-defined]


# -- answers that are none ---------------------------------------------------------------------------

NOT_IN_THE_LIST = {"bomb", "drip", "503"}
"""Damages that have trials of their own."""

PENDING = {"truncated"}
"""Damages that leave a record for the next try: its answer was lost on the way."""


def protocol(seed: int, *, times: int, deadline: float, megabytes: int = 64) -> Iterator[Check]:
    """Damage every second answer, with one record a request and with five."""
    for pack in (1, 5):
        yield from _damaged(seed, times=times, pack=pack)
    yield from _bomb(seed, megabytes)
    yield from _drip(seed, deadline)


def _damaged(seed: int, *, times: int, pack: int) -> Iterator[Check]:
    words = [word for word in DAMAGES if word not in NOT_IN_THE_LIST]
    requests = 2 * times * len(words)
    # Every second request is damaged, in turn by each word.
    damaged = {
        word: [pack * (1 + 2 * number) for number in range(place, requests // 2, len(words))]
        for place, word in enumerate(words)
    }
    with Scene(requests * pack, pack=pack, concurrency=8, ambiguous_retries=0) as scene:
        scene.stub.plan(seed=seed, delay_ms=(1, 3), damaged=damaged)
        report = scene.start().wait()
        rows = Rows(scene.results).read()
        delivered, rejected = rows.with_status("delivered"), rows.with_status("rejected")
        spoilt = {word: {str(first + place) for first in damaged[word] for place in range(pack)} for word in words}
        whole = {str(number) for number in range(scene.records)}.difference(*spoilt.values())
        name = f"{pack} a request"
        yield equal(f"{name}: the try ends with a manifest that adds up", True, report.adds_up)
        yield none(f"{name}: wrong deliveries", rows.wrong())
        yield none(f"{name}: whole answers not delivered", len(whole - delivered))
        yield none(f"{name}: rejected without a reason", rows.without_reason())
        for word in words:
            # What a pack holds beside the damage may be delivered; wrong() has seen that it is right.
            ok = spoilt[word] & delivered if pack == 1 else set()
            left = spoilt[word] - delivered - rejected if word not in PENDING else set()
            yield none(f"{name}: {word} x {times} delivered, or not rejected", len(ok) + len(left))


def _bomb(seed: int, megabytes: int) -> Iterator[Check]:
    reports = []
    for damaged in ([], [7]):
        with Scene(20, concurrency=4, ambiguous_retries=0) as scene:
            scene.stub.plan(seed=seed, damaged={"bomb": damaged})
            reports.append(scene.start().wait())
    without, with_it = reports
    grown = with_it.most_bytes - without.most_bytes
    yield equal("bomb of 300 MB: delivered and rejected", (19, 1), ends(with_it))
    yield at_most("bomb of 300 MB: MiB more than without it", megabytes, grown // MEGABYTE)


def _drip(seed: int, deadline: float) -> Iterator[Check]:
    with Scene(20, concurrency=4, ambiguous_retries=0, timeout=deadline) as scene:
        scene.stub.plan(seed=seed, damaged={"drip": [7]})
        report = scene.start().wait()
        took = [(one.answered_at or 0) - one.came_at for one in scene.stub.requests() if one.first == 7]
        yield at_most(f"drip with a deadline of {deadline:g} s: ends after seconds", deadline + 1, took[0])
        yield equal("drip: delivered, and left", (19, 1), (report.count("delivered"), report.count("pending")))


TRIALS = (
    Trial(
        name="reset",
        run=reset,
        full={"records": 5_000, "kills": 20, "after": (120, 200)},
        short={"records": 500, "kills": 2, "after": (80, 160)},
    ),
    Trial(name="account", run=account, full={"records": 5_000}, short={"records": 500}),
    Trial(name="bad", run=bad, full={"records": 20_000}, short={"records": 500}),
    Trial(name="protocol", run=protocol, full={"times": 50, "deadline": 5.0}, short={"times": 5, "deadline": 1.0}),
)
