"""Hostile: addresses that would lead the key away, redirects to elsewhere, and webhooks that point inside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from tests.chaos.hostile_worker import Found
from tests.chaos.scene import LONGEST_SECONDS, NO_NETWORK, REPOSITORY
from tests.chaos.trial import Check, Trial, equal, none

SENT = {"control": 1, "redirects": 1, "redirects of webhooks": 2}
"""Requests of each delivery of a kind: to the API, and to the webhook."""

SAME_ORIGIN = {"URLs of this machine": 1}
"""On this machine the API speaks plain http, so that one of the URLs is its own."""

LEAST = {"URLs": 60, "addresses": 40}


def hostile(_seed: int, *, statuses: tuple[int, ...]) -> Iterator[Check]:
    """Run every form through a real delivery, with the key in use and servers that count what comes."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos.hostile_worker", *map(str, statuses)],
        cwd=REPOSITORY,
        env=os.environ | NO_NETWORK,
        capture_output=True,
        timeout=LONGEST_SECONDS,
        check=True,
    )
    found = msgspec.json.decode(ended.stdout, type=dict[str, Found])
    control = found["control"]
    yield equal("control: delivered, with the key", 1, control.tried - control.refused and control.with_key)
    for kind, least in LEAST.items():
        yield Check(f"{kind}: distinct forms >= {least}", found[kind].distinct, found[kind].distinct >= least)
    for kind, each in found.items():
        own = SAME_ORIGIN.get(kind, 0)
        if kind != "control":
            yield equal(f"{kind}: refused, or nothing delivered, of {each.tried}", each.tried - own, each.refused)
        yield equal(f"{kind}: requests to the API and its own webhook", SENT.get(kind, 0) * each.tried + own, each.sent)
        yield none(f"{kind}: connections to anything else", each.astray)
        yield none(f"{kind}: the key seen elsewhere", each.key_elsewhere)
        yield none(f"{kind}: requests outside of the API's path", each.off_path)
        if kind != "names":  # a name must be asked for, once, to see where it leads
            yield none(f"{kind}: names asked for", each.names)


TRIALS = (
    Trial(
        name="hostile",
        run=hostile,
        full={"statuses": (300, 301, 302, 303, 305, 307, 308)},
        short={"statuses": (302, 307)},
    ),
)
