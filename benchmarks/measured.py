"""Measured: what a piece of work costs its process. It runs in the interpreters of all peers, so it imports little."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


class Cost:
    """CPU seconds of all threads, wall seconds and resident memory, from the making of this object on."""

    def __init__(self) -> None:
        self._rss_before = resident_mb("VmRSS")
        self.began_at = time.time()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def so_far(self) -> dict[str, Any]:
        """Give the figures; ``began_at`` and ``ended_at`` are seconds since 1970, an MB is 1,000,000 bytes."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        peak = resident_mb("VmHWM")
        return {
            "cpu_s": cpu,
            "wall_s": wall,
            "peak_rss_mb": peak,
            "rss_before_mb": self._rss_before,
            "rss_rise_mb": peak - self._rss_before,
            "began_at": self.began_at,
            "ended_at": time.time(),
        }


def resident_mb(name: str) -> float:
    """Read ``VmRSS`` (now) or ``VmHWM`` (at most so far) of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(name)


def wait_until(start_at: float) -> None:
    """Sleep until a time in seconds since 1970, so that several processes begin together."""
    time.sleep(max(0.0, start_at - time.time()))
