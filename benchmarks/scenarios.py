"""Scenarios: accounts with limits, and how much of what they allow was used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inputs import texts_file
from processes import Figures


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """An account and what is sent to it, with 64 requests in flight and answers after 200 ms.

    :param burst: seconds of its limits that a full bucket holds.
    """

    name: str
    rpm: int
    tpm: int
    burst: float
    shortest: int
    longest: int
    records: int
    binds: str

    @property
    def stub(self) -> dict[str, float]:
        """Give the stub's options."""
        return {"rpm": self.rpm, "tpm": self.tpm, "burst_seconds": self.burst, "latency_ms": 200}

    def input(self, records: int | None = None) -> Path:
        """Give the file of records."""
        return texts_file(records or self.records, self.shortest, self.longest)


S1 = Scenario(
    name="S1", rpm=3_000, tpm=150_000, burst=1, shortest=40, longest=120, records=1_000, binds="50 requests a second"
)
S2 = Scenario(
    name="S2", rpm=600, tpm=1_000_000, burst=60, shortest=40, longest=120, records=1_000, binds="600, then 10 a second"
)
S3 = Scenario(
    name="S3", rpm=3_000, tpm=150_000, burst=1, shortest=80, longest=400, records=800, binds="2,500 tokens a second"
)
SCENARIOS = (S1, S2, S3)


def achieved(stats: Figures, done: int, wall: float) -> float:
    """Give the share of what the account allowed in that time: bucket + rate x wall, of the bucket that binds."""
    used = {"requests": done, "token_bucket": stats["tokens"]}
    return max(amount / (stats[name]["capacity"] + stats[name]["rate"] * wall) for name, amount in used.items())
