"""Rounds: runs those that are compared in turn, several times, so that a busy minute of the machine meets them all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from processes import ClientError, Figures


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One of those that are compared: a name, what it does, and how one run of it is measured."""

    name: str
    does: str
    run: Callable[[], Figures]


def interleaved(contenders: Sequence[Contender], rounds: int) -> dict[str, list[Figures] | str]:
    """Run each contender once a round; give its figures, or why it could not be run."""
    found: dict[str, list[Figures] | str] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            figures = found[contender.name]
            if isinstance(figures, str):
                continue
            say(f"round {number + 1} of {rounds}: {contender.name}")
            try:
                figures.append(contender.run())
            except ClientError as error:
                found[contender.name] = str(error)
                say(f"  could not be run: {error}")
    return found


def medians(figures: Sequence[Figures]) -> Figures:
    """Give the median of each number over the rounds; what is no number is the last one's."""
    return {
        name: median(each[name] for each in figures) if isinstance(value, (int, float)) else value
        for name, value in figures[-1].items()
    }


def say(text: str) -> None:
    """Tell whoever waits what is going on; tables go to standard output alone."""
    print(text, file=sys.stderr, flush=True)
