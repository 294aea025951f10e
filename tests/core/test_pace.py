"""The pace that refusals and pleas to slow down tell."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.limits.pace import Pace
from airflow_provider_openai_dest.limits.rate_limit import ROUNDING_SECONDS


class Server:
    """It bears so many requests a second, and tells nothing but refusals."""

    def __init__(self, bears: float) -> None:
        self.pace = Pace()
        self.bears = bears
        self.level, self.now = 1.0, 0.0
        self.passed = self.refused = 0

    def run(self, seconds: float) -> None:
        """Send as the pace says, every 5 ms at the most."""
        self.passed = self.refused = 0
        end = self.now + seconds
        while self.now < end:
            self.now += 0.005
            self.level = min(self.bears, self.level + self.bears * 0.005)
            if not self.pace.wait(self.now):
                self._judge()

    def _judge(self) -> None:
        self.pace.take(self.now)
        if self.level >= 1:
            self.level -= 1
            self.passed += 1
        else:
            self.refused += 1
            self.pace.refused(self.now, self.now)


@pytest.mark.parametrize("bears", [10.0, 50.0])
def test_the_pace_is_found(bears: float) -> None:
    """After a warm-up, what the server bears is sent, and little more."""
    server = Server(bears)
    server.run(20.0)
    server.run(60.0)
    assert server.passed >= 0.97 * 60 * bears
    assert server.refused <= 0.05 * 60 * bears


def test_a_server_that_bears_more_is_noticed() -> None:
    """What was measured does not hold for ever."""
    server = Server(10.0)
    server.run(20.0)
    server.bears = 40.0
    server.run(60.0)
    server.run(10.0)
    assert server.passed >= 0.9 * 400


def test_a_server_that_refused_everything_is_tried_again() -> None:
    """When it bears something again, the pace soon does so, too."""
    server = Server(10.0)
    server.run(10.0)
    server.bears = 0.0
    server.run(60.0)
    server.bears = 10.0
    server.run(90.0)
    server.run(10.0)
    assert server.passed >= 0.9 * 100


def test_one_plea_counts_once() -> None:
    """The requests that were under way bring the same plea."""
    pace = Pace()
    for step in range(100):
        pace.take(step / 20)
    for step in range(20):
        pace.slow_down(5.0 + step / 100)
    sent, now = 0, 5.2
    while now < 6.2:
        if (wait := pace.wait(now)) > ROUNDING_SECONDS:
            now += wait
        else:
            pace.take(now)
            sent += 1
    assert 20 / 2 == pytest.approx(sent, abs=3)


def test_without_refusals_there_is_no_pace() -> None:
    """All may go at once."""
    pace = Pace()
    for _ in range(1000):
        assert 0.0 == pace.wait(0.0)
        pace.take(0.0)
