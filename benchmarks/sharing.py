"""Measure two and four processes that share one account and know nothing of each other.

All begin together, each with an equal part of the records. The least share is that of the process which had got the
least when the first of them was done, over an equal part of all that had been answered by then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from contenders import with_stats
from processes import ClientError, Figures, ours_command, results_folder, run_clients, running_stub
from rounds import say
from scenarios import S1, SCENARIOS, Scenario, achieved
from section import Demand, Section, print_section

START_UP = 3.0  # seconds that the processes have for their imports
LONGEST = 150


@dataclass(frozen=True, kw_only=True)
class Case:
    """So many processes in one scenario, told the account's limits or not."""

    processes: int
    scenario: Scenario
    is_given: bool

    @property
    def name(self) -> str:
        """Name it."""
        return f"{self.processes} processes, {self.scenario.name}, limits {'given' if self.is_given else 'learnt'}"


def measure(*, quick: bool = False) -> Section:
    """Run all cases."""
    found: dict[Case, Figures | str] = {}
    for case in cases(quick=quick):
        say(case.name)
        try:
            found[case] = run(case, case.scenario.records // (4 if quick else 1))
        except ClientError as error:
            found[case] = str(error)
    return Section(
        title="One account shared by several processes",
        about="Ours, 64 requests in flight in each process, answers after 200 ms; the limits that are given are those "
        "of the whole account. S1 to S3 as under the rate limits, the records divided among the processes.",
        rows=[row(case, figures) for case, figures in found.items()],
        demands=demands([each for each in found.values() if isinstance(each, dict)]),
    )


def cases(*, quick: bool) -> Iterator[Case]:
    """List them."""
    for processes in (2, 4):
        for scenario in (S1,) if quick else SCENARIOS:
            for is_given in (False,) if quick else (True, False):
                yield Case(processes=processes, scenario=scenario, is_given=is_given)


def run(case: Case, records: int) -> Figures:
    """Run one case and give what all its processes did together."""
    scenario, each = case.scenario, records // case.processes
    limits = {"rpm": scenario.rpm, "tpm": scenario.tpm} if case.is_given else {}
    with running_stub(**scenario.stub, tell_clients_apart=True) as stub, results_folder() as results:
        commands = [
            ours_command(
                "deliver",
                stub.base_url,
                results / str(number),
                input=scenario.input(each),
                api_key=f"sk-bench-share-{number:02d}",
                start_at=time.time() + START_UP,
                **limits,
            )
            for number in range(case.processes)
        ]
        figures = run_clients(commands, seconds=LONGEST)
        together = with_stats(added_up(figures), stub.stats())
    return together | {
        "achieved": achieved(together["stub"], together["done"], together["wall_s"]),
        "least_share": least_share(together["stub"], each),
    }


def added_up(figures: list[Figures]) -> Figures:
    """Add up the processes' figures; the wall is from the first one's begin to the last one's end."""
    sums = {name: sum(each[name] for each in figures) for name in ("done", "lost", "pending", "cpu_s")}
    return sums | {"wall_s": max(e["ended_at"] for e in figures) - min(e["began_at"] for e in figures)}


def least_share(stats: Figures, records_each: int) -> float:
    """Give the least part that one had got when the first one was done, over an equal part."""
    bins = {name: {int(at): n for at, n in each.items()} for name, each in stats["client_bins"].items()}
    so_far = dict.fromkeys(bins, 0)
    for at in range(max(max(each) for each in bins.values()) + 1):
        so_far = {name: so_far[name] + each.get(at, 0) for name, each in bins.items()}
        if max(so_far.values()) >= records_each:
            break
    return min(so_far.values()) / (sum(so_far.values()) / len(bins))


def row(case: Case, figures: Figures | str) -> dict[str, str]:
    """Give one line of the table."""
    if isinstance(figures, str):
        return {"case": case.name, "share of the limits, together": f"could not be run: {figures}"}
    return {
        "case": case.name,
        "share of the limits, together": f"{figures['achieved']:.3f}",
        "wasted 429s": f"{figures['wasted']:.1%}",
        "least share of one process": f"{figures['least_share']:.2f}",
        "lost": str(figures["lost"]),
        "left": str(figures["pending"]),
        "wall s": f"{figures['wall_s']:.1f}",
    }


def demands(found: list[Figures]) -> list[Demand]:
    """Give what is asked of the worst case."""
    return [
        Demand(
            what="share of the limits together, the least",
            bound=0.95,
            measured=min((each["achieved"] for each in found), default=None),
            at_least=True,
        ),
        Demand(
            what="wasted 429s, the most",
            bound=1,
            measured=max((100 * each["wasted"] for each in found), default=None),
            unit=" %",
        ),
        Demand(
            what="least share of one process, of an equal part",
            bound=0.5,
            measured=min((each["least_share"] for each in found), default=None),
            at_least=True,
        ),
    ]


if __name__ == "__main__":
    print_section(measure)
