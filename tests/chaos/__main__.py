"""Chaos: the proof that nothing is lost and nothing paid twice. ``python -m tests.chaos all`` or the names of trials.

Each demand is a line: trial, demand, figure, ok or FAIL, and the seconds of the trial on its last one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable

from tests.chaos.trial import Check, Trial
from tests.chaos.trials import TRIALS


def run(trial: Trial, seed: int, *, is_short: bool) -> list[Check]:
    """Run one trial and print its lines."""
    began = time.monotonic()
    checks: list[Check] = []
    numbers = trial.short if is_short else trial.full
    for check in told(trial, seed, numbers or {}):
        checks.append(check)
        word = "ok" if check.holds else "FAIL"
        print(
            f"{trial.name:17} {check.demand:62} {check.figure!s:>10}  {word:4} {time.monotonic() - began:6.1f} s",
            flush=True,
        )
    return checks


def told(trial: Trial, seed: int, numbers: dict[str, object]) -> Iterable[Check]:
    """Give what the trial demands; one that breaks has failed."""
    try:
        yield from trial.run(seed, **numbers)
    except Exception as error:  # noqa: BLE001 - the other trials are run, too
        yield Check("the trial runs to its end", f"{type(error).__name__}: {error}", holds=False)


def main() -> int:
    """Run the trials that are named; 1 when a demand was not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="+", choices=["all", *TRIALS], metavar="NAME", help=f"all, {', '.join(TRIALS)}")
    parser.add_argument("--short", action="store_true", help="the form that `make test` runs")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names = TRIALS if "all" in arguments.names else dict.fromkeys(arguments.names)
    names = [name for name in names if TRIALS[name].short or not arguments.short]
    began = time.monotonic()
    checks = [check for name in names for check in run(TRIALS[name], arguments.seed, is_short=arguments.short)]
    met = sum(check.holds for check in checks)
    print(f"{met} of {len(checks)} demands met in {time.monotonic() - began:.0f} s, seed {arguments.seed}")
    return int(met < len(checks))


if __name__ == "__main__":
    sys.exit(main())
