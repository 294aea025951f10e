"""Measure how much of an account's limits is used, how many records are lost, and how many answers were wasted 429s.

Three accounts, S1 to S3 (scenarios.py). One run a cell: each lasts 20 to 40 s, and the stub's clock is the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contenders import ours, peer
from processes import Figures
from rounds import Contender, interleaved, medians
from scenarios import S1, S2, SCENARIOS, Scenario, achieved
from section import Demand, Section, print_section

GIVEN = "**ours**, limits given"
LEARNT = "**ours**, limits learnt from the answers' headers"
UNKNOWN = "**ours**, nothing given and no such headers"
CHARGED = "**ours**, limits given, a 429 is charged, too"
LONGEST = 90  # seconds for one run


@dataclass(frozen=True, kw_only=True)
class Line:
    """One who is measured: ``contend`` makes a run of one scenario, with so many records."""

    name: str
    contend: Callable[[Scenario, str, int | None], Contender]
    scenarios: tuple[Scenario, ...] = SCENARIOS
    records: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ours:
    """Runs this package in a scenario."""

    is_given: bool = False
    stub: dict[str, Any] = field(default_factory=dict)

    def __call__(self, scenario: Scenario, name: str, records: int | None) -> Contender:
        """Make one run."""
        limits = {"rpm": scenario.rpm, "tpm": scenario.tpm} if self.is_given else {}
        return ours(name, scenario.stub | self.stub, seconds=LONGEST, input=scenario.input(records), **limits)


@dataclass(frozen=True, kw_only=True)
class ByPeer:
    """Runs a peer in a scenario."""

    peer: str
    stub: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, scenario: Scenario, name: str, records: int | None) -> Contender:
        """Make one run."""
        stub = scenario.stub | self.stub
        return peer(self.peer, stub, title=name, seconds=LONGEST, input=scenario.input(records), **self.options)


LINES = (
    Line(name=GIVEN, contend=Ours(is_given=True)),
    Line(name=LEARNT, contend=Ours()),
    Line(name=UNKNOWN, contend=Ours(stub={"hide_limits": True})),
    Line(name=CHARGED, contend=Ours(is_given=True, stub={"charge_failed": True})),
    Line(name="64 workers, each obeys Retry-After", contend=ByPeer(peer="retry_after")),
    Line(
        name="the same, a 429 is charged, too",
        contend=ByPeer(peer="retry_after", stub={"charge_failed": True}),
        scenarios=(S1,),
    ),
    Line(name="AsyncOpenAI (max_retries=2)", contend=ByPeer(peer="openai")),
    Line(
        name="AsyncOpenAI, max_retries=10",
        contend=ByPeer(peer="openai", options={"max_retries": 10}),
        scenarios=(S1, S2),
    ),
    Line(name="LiteLLM, num_retries=5", contend=ByPeer(peer="litellm", options={"max_retries": 5})),
    Line(
        name="official OpenAIHook, in turn (100 records)",
        contend=ByPeer(peer="official_hook"),
        scenarios=(S1,),
        records=100,
    ),
)
QUICK = ("**ours**, limits learnt from the answers' headers", "64 workers, each obeys Retry-After")


def measure(*, quick: bool = False) -> Section:
    """Run every line in every scenario."""
    lines = [line for line in LINES if line.name in QUICK] if quick else LINES
    cells = {
        (line.name, scenario.name): line.contend(scenario, cell_name(line, scenario), 300 if quick else line.records)
        for line in lines
        for scenario in line.scenarios
        if scenario is S1 or not quick
    }
    runs = interleaved(list(cells.values()), 1)
    found = {
        key: runs[cell.name] if isinstance(runs[cell.name], str) else medians(runs[cell.name])
        for key, cell in cells.items()
    }
    return Section(
        title="Rate limits",
        about="Share of what the account allowed / records lost / answers that were wasted 429s. 64 requests in flight,"
        f" answers after 200 ms; {', '.join(f'{each.name}: {each.binds}' for each in SCENARIOS)}. The last answer's "
        "200 ms cap the share at about 0.990 in S1 and S3 and 0.998 in S2.",
        rows=[row(line, found) for line in lines],
        demands=demands(found),
        remarks=[
            "Who loses records ends early: its share counts only what got through. Read it together with the lost.",
            f"A run is given up after {LONGEST} s.",
            "Where refusals are charged, who keeps asking can starve: each takes what came in since the last one.",
        ],
    )


def cell_name(line: Line, scenario: Scenario) -> str:
    """Name one run."""
    return f"{line.name}, {scenario.name}"


def row(line: Line, found: dict[tuple[str, str], Figures | str]) -> dict[str, str]:
    """Give one line of the table."""
    return {"who": line.name} | {each.name: words(found.get((line.name, each.name))) for each in SCENARIOS}


def words(figures: Figures | str | None) -> str:
    """Give one cell of the table."""
    if figures is None:
        return "-"
    if isinstance(figures, str):
        return figures
    left = f" ({figures['pending']:.0f} left)" if figures["pending"] else ""
    return f"{share(figures):.3f} / {figures['lost']:.0f}{left} / {figures['wasted']:.1%}"


def share(figures: Figures) -> float:
    """Give the share of what was allowed."""
    return achieved(figures["stub"], figures["done"], figures["wall_s"])


def demands(found: dict[tuple[str, str], Figures | str]) -> list[Demand]:
    """Give what is asked: of the worst of the scenarios."""

    def worst(names: tuple[str, ...], figure: Callable[[Figures], float], pick: Callable[..., float]) -> float | None:
        cells = [cell for (name, _), cell in found.items() if name in names]
        if not cells or any(isinstance(cell, str) for cell in cells):
            return None
        return pick(figure(cell) for cell in cells if not isinstance(cell, str))

    told = (GIVEN, CHARGED)
    known = (*told, LEARNT)
    everyone = (*known, UNKNOWN)
    return [
        Demand(
            what="share of the limits, S1 to S3, given, 429s charged or not, the least",
            bound=0.98,
            measured=worst(told, share, min),
            at_least=True,
        ),
        Demand(
            what="the same, learnt from the headers",
            bound=0.95,
            measured=worst((LEARNT,), share, min),
            at_least=True,
        ),
        Demand(
            what="records lost, the most",
            bound=0,
            measured=worst(everyone, lambda each: each["lost"] + each["pending"], max),
        ),
        Demand(
            what="wasted 429s, the most",
            bound=0.2,
            measured=worst(known, lambda each: 100 * each["wasted"], max),
            unit=" %",
        ),
        Demand(
            what="share where no header tells and nothing is given, the least",
            bound=0.9,
            measured=worst((UNKNOWN,), share, min),
            at_least=True,
        ),
    ]


if __name__ == "__main__":
    print_section(measure)
