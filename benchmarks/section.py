"""Section: what one script found, as a page: a table, the demands beside the figures, and remarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Demand:
    """A figure that is asked of this package, and what was measured.

    :param bound: at most so much, or at least so much where ``at_least``.
    """

    what: str
    bound: float
    measured: float | None
    at_least: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure is within the bound; one that could not be measured is not."""
        if self.measured is None:
            return False
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def row(self) -> dict[str, str]:
        """Give the row of the table of demands."""
        sign = ">=" if self.at_least else "<="
        return {
            "demand": self.what,
            "bound": f"{sign} {self.bound:g}{self.unit}",
            "measured": "not measured" if self.measured is None else f"{self.measured:.4g}{self.unit}",
            "met": "-" if self.measured is None else "yes" if self.is_met else "**no**",
        }


@dataclass(kw_only=True)
class Section:
    """What one script found: a table, the demands, and remarks; ``measured`` says when, and beside which load."""

    title: str
    about: str
    rows: list[dict[str, str]] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    is_broken: bool = False
    measured: str = ""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Section:
        """Read back what ``dataclasses.asdict`` gave."""
        return cls(**{**row, "demands": [Demand(**demand) for demand in row["demands"]]})

    def as_markdown(self, *, with_demands: bool = True) -> str:
        """Give the section as a page."""
        parts = [f"## {self.title}", self.about, table(self.rows)]
        if self.measured:
            parts.insert(1, f"Measured {self.measured}.")
        if self.remarks:
            parts.append("\n".join(f"- {remark}" for remark in self.remarks))
        if with_demands and self.demands:
            parts.append(table([demand.row() for demand in self.demands]))
        return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Write a markdown table; the columns are the keys of the first row."""
    if not rows:
        return "(nothing was measured)"
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row.get(name, "") for name in names) + " |" for row in rows]
    return "\n".join(lines)


def print_section(measure: Callable[..., Section]) -> None:
    """Measure and print, as a script; ``--quick`` takes less of everything and shows only that it works."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one round, fewer records: figures to look at, not to quote"
    )
    print(measure(quick=parser.parse_args().quick).as_markdown())
