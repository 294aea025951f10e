"""Claims: which records may have been sent, made durable before they are, so that a crash leaves no guess.

A record that was claimed by a try which died, and has no outcome, has an unknown fate: it may have been billed. A try
that ends by itself says so, and which answers it lost: then only these are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_openai_dest.delivery.budget import NOTHING, Amount
from airflow_provider_openai_dest.delivery.settled import key_hash
from airflow_provider_openai_dest.sinks.folder import RowLog
from airflow_provider_openai_dest.sources.record import Record

CLAIM_RECORDS = 64
FEWER_RECORDS = 16
"""Records claimed at once: fewer where those whose fate is unknown are set aside and not sent again."""


class Claims:
    """What this try claims.

    :param log: where the claims are written.
    :param at_once: records that one claim is ahead of what is sent.
    :param untold: gives what this try has spent so far that no outcome tells; each claim says it.
    """

    def __init__(
        self, log: RowLog, at_once: int = CLAIM_RECORDS, *, untold: Callable[[], Amount] = lambda: NOTHING
    ) -> None:
        self._log = log
        self._at_once = at_once
        self._untold = untold
        self._to = 0

    def claim(self, record: Record) -> None:
        """Make durable that the record may be sent, and some that follow it. Raises SinkError."""
        if record.position >= self._to:
            self._to = record.position + self._at_once
            self._write({"to": self._to, "at": record.position, "key": key_hash(record.key)})

    def end(self, lost: Iterable[int]) -> None:
        """Say that this try has ended, and the positions of the records whose answers it lost."""
        if self._to:
            self._write({"ended": True, "lost": sorted(lost)})
        self._log.close()

    def _write(self, row: dict[str, Any]) -> None:
        if any(spent := self._untold()):
            row |= {"spent": spent._asdict()}
        self._log.append([row])
        self._log.flush()


@dataclass(slots=True)
class Claimed:
    """The positions that earlier tries may have sent: all below ``to``, and those of ``lost`` answers.

    ``keys`` has hashes of keys by position. Where one differs, the data set was changed in between, and nobody can say
    any more which records were meant: all that are not settled are claimed then. ``spent`` is what these tries spent
    that no outcome tells.
    """

    to: int = 0
    lost: frozenset[int] = frozenset()
    keys: dict[int, int] = field(default_factory=dict)
    is_shifted: bool = False
    spent: Amount = NOTHING

    def see(self, record: Record) -> None:
        """Look at a record of the source; each is shown, in order."""
        expected = self.keys.get(record.position)
        self.is_shifted = self.is_shifted or (expected is not None and expected != key_hash(record.key))

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and (self.is_shifted or position < self.to or position in self.lost)

    def __bool__(self) -> bool:
        return bool(self.to or self.lost)


def read_claims(tries: Iterable[Iterable[Mapping[str, Any]]]) -> Claimed:
    """Add up the claims of earlier tries, each an iterable of its rows; rows of another form are passed over."""
    to, lost, keys, spent = 0, set[int](), dict[int, int](), NOTHING
    for rows in tries:
        claimed, keyed, has_ended, of_try = 0, dict[int, int](), False, NOTHING
        for row in rows:
            of_try = _amount(row.get("spent")) or of_try
            claimed = max(claimed, _number(row.get("to")))
            if "key" in row:
                keyed[_number(row.get("at"))] = _number(row["key"])
            if row.get("ended") is True:
                has_ended = True
                lost.update(_positions(row.get("lost")))
        spent = spent.plus(*of_try)
        if not has_ended:
            to = max(to, claimed)
            keys |= keyed
    return Claimed(to, frozenset(lost), keys, spent=spent)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _amount(value: Any) -> Amount | None:
    match value:
        case {"tokens": float() | int() as tokens, "cost": float() | int() as cost} if tokens >= 0 and cost >= 0:
            return Amount(tokens, cost)
    return None


def _positions(value: Any) -> Iterator[int]:
    return (one for one in value if isinstance(one, int)) if isinstance(value, list) else iter(())
