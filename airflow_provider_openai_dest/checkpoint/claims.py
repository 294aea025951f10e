"""Claims: which records may have been sent, made durable before they are, so that a crash leaves no guess.

A record that was claimed by a try which died, and has no outcome, has an unknown fate: it may have been billed. A try
that ends by itself says so, and which answers it lost: then only these are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_openai_dest.sinks.folder import RowLog

CLAIM_RECORDS = 1024
FEWER_RECORDS = 32
"""Records claimed at once: fewer where those whose fate is unknown are set aside and not sent again."""


class Claims:
    """What this try claims.

    :param log: where the claims are written.
    :param at_once: records that one claim is ahead of what is sent.
    """

    def __init__(self, log: RowLog, at_once: int = CLAIM_RECORDS) -> None:
        self._log = log
        self._at_once = at_once
        self._to = 0

    def claim(self, position: int) -> None:
        """Make durable that the record at this position may be sent. Raises SinkError."""
        if position >= self._to:
            self._to = position + self._at_once
            self._write({"to": self._to})

    def end(self, lost: Iterable[int]) -> None:
        """Say that this try has ended, and the positions of the records whose answers it lost."""
        if self._to:
            self._write({"ended": True, "lost": sorted(lost)})
        self._log.close()

    def _write(self, row: dict[str, Any]) -> None:
        self._log.append([row])
        self._log.flush()


@dataclass(frozen=True, slots=True)
class Claimed:
    """The positions that earlier tries may have sent: all below ``to``, and those of lost answers."""

    to: int = 0
    lost: frozenset[int] = frozenset()

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and (position < self.to or position in self.lost)

    def __bool__(self) -> bool:
        return bool(self.to or self.lost)


def read_claims(tries: Iterable[Iterable[Mapping[str, Any]]]) -> Claimed:
    """Add up the claims of earlier tries, each an iterable of its rows; rows of another form are passed over."""
    to, lost = 0, set[int]()
    for rows in tries:
        claimed, has_ended = 0, False
        for row in rows:
            claimed = max(claimed, _number(row.get("to")))
            if row.get("ended") is True:
                has_ended = True
                lost.update(_positions(row.get("lost")))
        if not has_ended:
            to = max(to, claimed)
    return Claimed(to, frozenset(lost))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _positions(value: Any) -> Iterator[int]:
    return (one for one in value if isinstance(one, int)) if isinstance(value, list) else iter(())
