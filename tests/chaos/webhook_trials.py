"""Webhook: a receiver that is down for a while, fails, is slow, and takes items whose answers are then lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.chaos.rows import Rows
from tests.chaos.scene import Scene, wait_until
from tests.chaos.trial import Check, Trial, equal, none


def webhook(seed: int, *, records: int, down: float, slow_seconds: float = 1.0) -> Iterator[Check]:
    """Forward every outcome to such a receiver."""
    with Scene(records) as scene:
        stub = scene.stub
        stub.plan(seed=seed)
        plan = {"seed": seed, "fail_share": 0.2, "slow_share": 0.05, "slow_seconds": slow_seconds, "lost_share": 0.05}
        stub.hook(**plan)
        worker = scene.start(webhook_url=stub.hook_url)
        began = wait_until(lambda: len(stub.hook()["taken"]) >= records // 10, 60)
        stub.hook(**plan, is_down=True)
        before = len(stub.hook()["taken"])
        time.sleep(down)
        after = len(stub.hook()["taken"])
        stub.hook(**plan)
        report = worker.wait()
        tries = 1
        while report.error is not None and tries < 5:
            report = scene.start(webhook_url=stub.hook_url).wait()
            tries += 1
        came = stub.hook()
        taken = came["taken"]
        executions = stub.executions()
        rows = Rows(scene.results).read()
        yield Check(
            "items while it was down, of those before", f"{after - before} of {before}", began and after == before
        )
        yield equal("ids that arrived", records, len(taken))
        yield Check("items that came again: > 0", sum(taken.values()) - len(taken), sum(taken.values()) > len(taken))
        yield equal("executions of the API", (records, 1), (sum(executions), max(executions)))
        yield none(f"of {came['came']} signatures not verified by standardwebhooks", came["unverified"])
        left = (report.manifest or {}).get("webhook") or {"pending": -1}
        yield none("items left in the last manifest", left["pending"])
        yield Check("the last try ends without an error", f"{report.error}, try {tries}", report.error is None)
        yield none("records lost", records - len(rows.with_status("delivered")))


TRIALS = (
    Trial(
        name="webhook",
        run=webhook,
        full={"records": 5_000, "down": 60.0},
        short={"records": 200, "down": 2.0, "slow_seconds": 0.2},
    ),
)
