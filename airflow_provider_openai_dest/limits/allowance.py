"""Allowance: one of the account's limits, as the server counts it, and what of it is ours to take.

Pure arithmetic: the time comes in as an argument.
"""

from __future__ import annotations

import msgspec

from airflow_provider_openai_dest.limits.bucket import Bucket
from airflow_provider_openai_dest.limits.flow import Flow
from airflow_provider_openai_dest.limits.limit_headers import Told

BURST_SECONDS = 1.0
"""How much of a limit the user gave may go at once."""

BLIND_SECONDS = 0.02
"""How much of it may go at once before the server has said how much is left: a latecomer finds little."""

SPARED = 0.25
"""How much of an amount must be left over when it goes: a request is charged here a moment before it arrives at the
server, which may have less by then; and a newcomer must find room for its first one, or nobody would notice it."""

DRAINING_SECONDS = 2.0
"""In how long a stock is taken; at once would hide what others take meanwhile, as the answers tell it too late."""

LOW_SECONDS, LOW_AMOUNTS, LOW_SHARE = 1.0, 24, 0.8
"""All who share a bucket slow down below so many seconds of refill, or usual amounts, within such a share of it."""

LEAST_SHARE = 0.2
"""They stop where no usual amount is left, but at such a share of the bucket at most."""

SHARED_FROM = 0.3
"""From so many others on all of that holds; for fewer in part, as a refusal may be chance; for none not at all."""

LEARNING, MOST_AT_ONCE, MOST_OTHERS = 2.0, 1.0, 30.0
"""How fast surprises change the number of others, a second: half a second's memory, longer than an answer takes; by how
much at most each; and the most that are believed."""

FORGETTING_SECONDS = 10.0
"""In how long others are forgotten who don't show: a full bucket, or none at all, tells nothing of them."""

LEAST_REFILL = 0.05
"""Share of the refill that is taken to be left over by the others, so that no wrong idea of them stops us."""

CATCHING_UP_SECONDS = 0.02
"""For how long a late awakening is made up."""

ASK_AGAIN_SECONDS = 0.1
"""The pace rises with the level, so a wait for it is over sooner than it seems."""


class Mark(msgspec.Struct, frozen=True):
    """What the mirror said when a request was sent, to be held against what the server says in its answer."""

    level: float
    corrected: float
    taken: float


class Allowance:
    """One limit: a mirror of the server's bucket, and a pace by which all who share the account get the same.

    The mirror knows what we take, and learns from surprises how many ``others`` there are, counted in takers like us.
    While we are alone it is exact, and a request goes when the server has room for it. With others, everybody's pace
    falls with the level of the bucket, which all see alike: so it never gets empty, and all end up with the same share.
    And as the others do what we do, the mirror foresees them from one answer to the next; that keeps the level calm.

    :param given: limit a second that the user set; None for what the server says.
    """

    def __init__(self, given: float | None) -> None:
        self._own = Bucket(given, max(1.0, given * BURST_SECONDS), max(1.0, given * BLIND_SECONDS)) if given else None
        self._is_own_lower = given is not None
        self._rate = self._capacity = self._level = 0.0
        self._at = self._told_at = 0.0
        self._others = SHARED_FROM
        self._pace = self._credit = 0.0
        self._usual = 1.0
        self._taken = self._corrected = 0.0
        self._flow = Flow()

    def wait_for(self, amount: float, now: float) -> float:
        """Give the seconds until ``amount`` may be taken, or until it is worth while to ask again."""
        wait = self._own.wait_for(amount, now) if self._own and self._is_own_lower else 0.0
        if self._rate:
            self._advance(now)
            missing = min(amount * (1 + SPARED), self._capacity) - self._level
            if missing > 0:
                wait = max(wait, missing / self._refill())
            if self._credit < 0:
                wait = max(wait, min(ASK_AGAIN_SECONDS, -self._credit / self._pace if self._pace else 1.0))
        return wait

    def take(self, amount: float, now: float) -> Mark:
        """Take ``amount`` for a request that is sent now."""
        self._taken += amount
        if self._own:
            self._own.take(amount)
        if self._rate or self._own:
            self._flow.add(amount, now)
        if self._rate:
            self._advance(now)
            self._level -= amount
            self._credit -= amount
            self._usual = max(amount, self._usual - (self._usual - amount) / LOW_AMOUNTS)
        return Mark(self._level, self._corrected, self._taken)

    def give_back(self, amount: float) -> None:
        """Correct what was taken by what was really used; a negative amount takes more."""
        self._taken -= amount
        if self._own:
            self._own.take(-amount)
        self._correct(amount)

    def observe(self, mark: Mark, told: Told, sent: float, now: float) -> None:
        """Set the mirror right by an answer, when it is newer than what is known.

        :param sent: when its request was sent.
        """
        if not self._rate:
            self._begin(mark, told, sent, now)
        elif sent >= self._told_at:
            self._advance(now)
            self._limit(told)
            self._told_at = sent
            surprise = told.left - (mark.level + self._corrected - mark.corrected)
            if surprise > 0:
                self._learn(surprise)
            elif surprise < -1:  # what is left is told in whole numbers, rounded down
                self._learn(surprise + 1)

    def refuse(self, told: Told, amount: float, now: float) -> None:
        """Believe a refusal: it is new, and exact."""
        if told.left < amount:
            self._advance(now)
            self._limit(told)
            self._learn(min(0.0, told.left - self._level))

    def share(self, now: float) -> float | None:
        """Give how much of the limit we use, 0.0 to 1.0; None when it is not known."""
        return min(1.0, self._flow.now(now) / self.rate) if self.rate else None

    @property
    def rate(self) -> float:
        """Give the limit a second that holds, the lower of the user's and the server's; 0.0 when none is known."""
        return self._own.rate if self._own and self._is_own_lower else self._rate

    def _begin(self, mark: Mark, told: Told, sent: float, now: float) -> None:
        """Start from the first answer; until the next ones tell, others are taken to be there."""
        self._at, self._told_at = now, sent
        self._limit(told)
        self._level = min(self._capacity, told.left + (now - sent) * self._rate - (self._taken - mark.taken))
        self._pace = self._lawful()

    def _limit(self, told: Told) -> None:
        """Take over a limit, and its changes; one that the user gave is left when the server's is lower."""
        self._rate, self._capacity = told.rate, told.capacity
        self._is_own_lower = self._own is not None and (self._own.rate < self._rate or told.is_long)

    def _advance(self, now: float) -> None:
        """Let the time pass; what the others leave is taken as the mean of its begin and its end."""
        seconds = now - self._at
        if seconds > 0:
            self._at = now
            self._others *= 1 - min(1.0, seconds / FORGETTING_SECONDS)
            before, refill = self._level, self._refill()
            self._level = min(self._capacity, before + seconds * refill)
            self._pace = self._lawful()
            self._level = min(self._capacity, before + seconds * (refill + self._refill()) / 2)
            self._credit = min(self._pace * CATCHING_UP_SECONDS, self._credit + seconds * self._pace)

    def _refill(self) -> float:
        """Give what the others leave of the refill."""
        return max(LEAST_REFILL * self._rate, self._rate - self._others * self._pace)

    def _lawful(self) -> float:
        """Give the pace by the law that all keep: that of the refill, less when the level is low, more above."""
        weight = min(1.0, self._others / SHARED_FROM)
        low = weight * min(LOW_SHARE * self._capacity, max(LOW_SECONDS * self._rate, LOW_AMOUNTS * self._usual))
        least = weight * min(LEAST_SHARE * self._capacity, self._usual)
        if least < low and self._level < low:
            return self._rate * max(0.0, self._level - least) / (low - least)
        return self._rate + max(0.0, self._level - low) / DRAINING_SECONDS

    def _learn(self, surprise: float) -> None:
        """Correct the level, and the number of others by what each of them would take, which is what we do."""
        self._correct(surprise)
        each = max(self._pace, self._rate / (1 + self._others))
        more = min(MOST_AT_ONCE, -LEARNING * surprise / each)
        self._others = min(max(0.0, self._others + more), MOST_OTHERS)

    def _correct(self, amount: float) -> None:
        self._corrected += amount
        self._level = min(self._capacity, self._level + amount)
