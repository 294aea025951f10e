"""Trial: what is demanded, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Check:
    """One demand with the figure that was found."""

    demand: str
    figure: Any
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial: its function takes the seed and the numbers of its full or short form.

    :param full: numbers of ``make chaos``.
    :param short: numbers of ``make test``; None where it can't be short.
    """

    name: str
    run: Callable[..., Iterable[Check]]
    full: dict[str, Any] = field(default_factory=dict)
    short: dict[str, Any] | None = None


def none(demand: str, figure: int) -> Check:
    """Demand that there is none of something."""
    return Check(f"{demand}: 0", figure, figure == 0)


def equal(demand: str, expected: Any, figure: Any) -> Check:
    """Demand a figure."""
    return Check(f"{demand}: {expected}", figure, expected == figure)


def at_most(demand: str, bound: float, figure: float) -> Check:
    """Demand no more than so much."""
    shown = round(figure, 3) if isinstance(figure, float) else figure
    return Check(
        f"{demand} <= {bound:g}" if isinstance(bound, float) else f"{demand} <= {bound}", shown, figure <= bound
    )


def side_by_side(run: Callable[[Given], Found], given: Sequence[Given], at_once: int) -> list[Found]:
    """Run something for each of the given, a few at once: most of the time they wait."""
    with ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(run, given))
