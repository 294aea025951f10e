"""Allowance: one of the account's limits, as the server counts it, and the share of it that is ours.

Pure arithmetic: the time comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf

SECONDS_A_MINUTE = 60.0

BLIND_SECONDS = 0.02
"""How much of a given limit goes at once before the server has said how much is left; then it goes at its pace."""

SLACK = 0.02
"""Share of a bucket by which mirror and server may differ before the mirror is set right."""

MOMENT_SECONDS = 0.01
"""How much later a request may arrive than one that was sent after it."""

MEMORY_SECONDS = 2.0
"""Over how long the rates of ourselves and of others are averaged."""

TRIAL_SECONDS = 0.5
"""How long the pace is that of the refill after the first answer, which shows whether others use the account, too."""

SHARED_FROM, NOISE = 0.02, 2.0
"""Others are taken to use the account from such a share of its rate, when they took more than so much."""

LEAST_SHARE = 0.05
"""Share of the account's rate below which no steering goes, so that nobody starves."""

LOW_SECONDS, LOW_SHARE = 1.0, 0.8
"""Below so many seconds of refill, or such a share of a bucket, all who share it slow down alike."""

DRAINING_SECONDS = 4.0
"""In how long those who share a bucket take what is in it beyond that."""

SLOWER, FASTER = 0.7, 0.03
"""What a refusal does to the pace, as a factor; and how it rises again, as a share of the rate each tick."""

TICK_SECONDS = 0.25


@dataclass(slots=True)
class Bucket:
    """A token bucket; ``level`` holds at ``at``. Levels may go below zero when an estimate was too low."""

    rate: float
    capacity: float
    level: float
    at: float

    def wait_for(self, amount: float, now: float) -> float:
        """Give the seconds until ``amount`` is there; an amount above the capacity waits for a full bucket."""
        self.refill(now)
        return max(0.0, (min(amount, self.capacity) - self.level) / self.rate)

    def add(self, amount: float) -> None:
        """Put ``amount`` back, or take a negative one."""
        self.level = min(self.capacity, self.level + amount)

    def refill(self, now: float) -> None:
        """Let the time pass."""
        self.level = min(self.capacity, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)


@dataclass(slots=True)
class Flow:
    """A rate a second, averaged over :data:`MEMORY_SECONDS`."""

    at: float = 0.0
    rate: float = 0.0

    def add(self, amount: float, now: float) -> None:
        """Count an amount."""
        self.rate = max(0.0, self.now(now) + amount / MEMORY_SECONDS)

    def now(self, now: float) -> float:
        """Give the rate, faded since the last amount."""
        self.rate *= exp(-max(0.0, now - self.at) / MEMORY_SECONDS)
        self.at = max(self.at, now)
        return self.rate


@dataclass(slots=True)
class Moment:
    """A few milliseconds: what is sent in them may arrive in any order.

    ``first`` is how much had been taken when it, or the one right before it, began; ``last`` how much when it, or the
    one right after it, ended.
    """

    number: int
    begin: float
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Mark:
    """What the mirror said when a request was sent, to be held against what the server says in its answer."""

    at: float
    level: float
    taken: float
    corrected: float
    moment: Moment


@dataclass(frozen=True, slots=True)
class Count:
    """What an answer says of one limit: a minute's ``limit``, what was ``left``, and when it is full again."""

    limit: int
    left: int
    full_after: float | None

    @property
    def rate(self) -> float:
        """Give the refill a second; a limit that takes longer than a minute to fill is one a day, or the like."""
        used = self.limit - self.left
        a_minutes = self.limit / SECONDS_A_MINUTE
        if self.full_after and used > 0 and self.full_after > 1.5 * used / a_minutes + 1:
            return used / self.full_after
        return a_minutes

    @property
    def capacity(self) -> float:
        """Give how much there is when the bucket is full: a server may count a minute's limit by the second."""
        full = self.limit if self.full_after is None else self.left + self.full_after * self.rate
        return max(1.0, self.left, min(self.limit, full))


class Allowance:
    """One limit: a mirror of the server's bucket, and a pace of our own where that must be less.

    While we are alone, the mirror is exact: a request goes when the server has room for it. What others take of the
    account shows as less in the answers than the mirror expects. Then everybody's pace falls with the level of the
    bucket that all of them see, so that it never gets empty, and they end up with equal shares. A server that refuses
    without telling its limits is met by a pace that falls at once and rises slowly.

    :param given: limit a second that the user set; None for what the server says.
    :param now: the present time.
    """

    def __init__(self, given: float | None, now: float) -> None:
        self._given = given
        self._mirror: Bucket | None = None
        start = max(1.0, (given or 0.0) * BLIND_SECONDS)
        self._pace: Bucket | None = Bucket(given, max(1.0, given), start, now) if given else None
        self._share = 1.0
        self._ours, self._others = Flow(), Flow()
        self._taken = self._corrected = 0.0
        self._trial_end = inf
        self._steered = now
        self._moment, self._before = Moment(-1, 0.0, 0.0, 0.0), None

    @property
    def is_mirrored(self) -> bool:
        """Whether the server has told how much is left."""
        return self._mirror is not None

    def wait_for(self, amount: float, now: float) -> float:
        """Give the seconds until ``amount`` may be taken."""
        mirror = self._mirror.wait_for(amount, now) if self._mirror else 0.0
        return max(mirror, self._pace.wait_for(amount, now)) if self._pace else mirror

    def take(self, amount: float, now: float) -> Mark:
        """Take ``amount`` for a request that is sent now."""
        self._taken += amount
        self._ours.add(amount, now)
        if self._pace:
            self._pace.add(-amount)
        if self._mirror:
            self._mirror.add(-amount)
        level = self._mirror.level if self._mirror else inf
        return Mark(now, level, self._taken, self._corrected, self._moment_of(amount, now))

    def give_back(self, amount: float) -> None:
        """Correct what was taken by what was really used; a negative amount takes more."""
        self._taken -= amount
        if self._pace:
            self._pace.add(amount)
        self._correct(amount)

    def observe(self, mark: Mark, count: Count, now: float) -> None:
        """Set the mirror right by an answer, and the pace by what others take."""
        if self._mirror is None:
            self._begin(mark, count, now)
            return
        self._mirror.refill(now)
        if count.full_after:
            self._mirror.rate = count.rate
        self._mirror.capacity = count.capacity
        self._compare(mark, count, now)

    def refused(self, count: Count, amount: float, now: float) -> None:
        """Believe a refusal: what was not enough for ``amount`` counts as nothing, since the refusal may cost, too."""
        if self._mirror and count.left < amount:
            self._mirror.refill(now)
            self._others.add(max(amount - count.left, self._mirror.level), now)
            self._correct(min(0.0, -self._mirror.level))
            if self._is_shared(now):
                self._share *= SLOWER

    def slow_down(self, now: float) -> None:
        """Take a lower pace, and rise from there steadily."""
        self._set_pace(max(1.0, self._ours.now(now)) * SLOWER, now)

    def steer(self, now: float) -> None:
        """Set the own pace; called with each answer."""
        ticks, self._steered = (now - self._steered) / TICK_SECONDS, now
        self._share = min(1.0, self._share + FASTER * ticks)
        if self._mirror and self._is_shared(now):
            self._trial_end = 0.0
            self._set_pace(self._shared_rate(self._mirror), now)
        elif self._pace and self._mirror and self._trial_end <= now and not self._has_own_limit:
            self._pace = None
        elif self._pace and self._pace.rate < self._most:
            self._set_pace(self._pace.rate * (1 + FASTER * ticks), now)

    def share(self, now: float) -> float | None:
        """Give how much of the account's rate we use, 0.0 to 1.0; None when it is not known."""
        rate = self._mirror.rate if self._mirror else self._given
        return min(1.0, self._ours.now(now) / rate) if rate else None

    def _begin(self, mark: Mark, count: Count, now: float) -> None:
        since = count.rate * (now - mark.at) - (self._taken - mark.taken)
        self._mirror = Bucket(count.rate, count.capacity, min(count.capacity, count.left + since), now)
        self._trial_end = now + TRIAL_SECONDS
        if self._pace is None or not self._has_own_limit:
            self._set_pace(count.rate, now)

    def _compare(self, mark: Mark, count: Count, now: float) -> None:
        """Correct the mirror when the answer is outside of what its request could have found there."""
        mirror = self._mirror
        if mirror is None or mark.level == inf:
            return
        expected = mark.level + self._corrected - mark.corrected
        slack = max(1.0, SLACK * mirror.capacity)
        missing = count.left - (expected - (mark.moment.last - mark.taken))
        beyond = count.left - (expected + mark.taken - mark.moment.first + mirror.rate * (now - mark.at))
        if missing < -slack:
            self._correct(missing)
            self._others.add(-missing, now)
        elif beyond > slack:
            self._correct(beyond)
            self._others.add(-beyond, now)

    def _moment_of(self, amount: float, now: float) -> Moment:
        number, before = int(now / MOMENT_SECONDS), self._moment
        if number != before.number:
            begin = self._taken - amount
            follows = number == before.number + 1
            self._moment = Moment(number, begin, before.begin if follows else begin, begin)
            self._before = before if follows else None
        if self._before:
            self._before.last = self._taken
        self._moment.last = self._taken
        return self._moment

    def _correct(self, amount: float) -> None:
        if self._mirror:
            self._corrected += amount
            self._mirror.add(amount)

    def _is_shared(self, now: float) -> bool:
        rate = self._mirror.rate if self._mirror else 0.0
        return self._others.now(now) >= max(SHARED_FROM * rate, NOISE / MEMORY_SECONDS)

    def _shared_rate(self, mirror: Bucket) -> float:
        low = max(1.0, min(mirror.rate * LOW_SECONDS, mirror.capacity * LOW_SHARE))
        return (
            self._share * mirror.rate * min(1.0, mirror.level / low) + max(0.0, mirror.level - low) / DRAINING_SECONDS
        )

    @property
    def _has_own_limit(self) -> bool:
        """Whether the user gave less than the server does."""
        return self._given is not None and self._mirror is not None and self._given < self._mirror.rate

    @property
    def _most(self) -> float:
        """The fastest steady pace: what the user gave, else what the server says."""
        return min(self._given or inf, self._mirror.rate if self._mirror else inf)

    def _set_pace(self, rate: float, now: float) -> None:
        pace = self._pace = self._pace or Bucket(rate, 1.0, 0.0, now)
        pace.refill(now)
        least = LEAST_SHARE * self._most if self._most < inf else 0.0
        pace.rate = max(least, min(rate, self._given or inf))
        pace.capacity = max(1.0, pace.rate * BLIND_SECONDS)
