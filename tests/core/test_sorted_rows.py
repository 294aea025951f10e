"""Any number of rows in the order of their positions, with bounded memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.sinks.sorted_rows import FAN_IN, in_order


@given(st.permutations(range(40)), st.integers(1, 50), st.integers(1, 50))
def test_rows_come_in_the_order_of_their_positions(positions: list[int], run_rows: int, run_bytes: int) -> None:
    """However short the runs are."""
    rows = [(position, b"\n" * (position % 7)) for position in positions]
    assert sorted(rows) == list(in_order(rows, run_rows=run_rows, run_bytes=run_bytes))


@pytest.mark.parametrize("number", [0, 1, FAN_IN - 1, FAN_IN, FAN_IN + 1, 5 * FAN_IN])
def test_many_runs_are_merged_step_by_step(number: int) -> None:
    """No more files are open at once than are merged at once."""
    rows = [(position, b"x") for position in reversed(range(number))]
    assert rows[::-1] == list(in_order(rows, run_rows=1))


def test_memory_stays_flat() -> None:
    """Of 40 MB of rows only a run is held."""

    def rows() -> Iterator[tuple[int, bytes]]:
        positions = list(range(20_000))
        random.Random(1).shuffle(positions)  # noqa: S311 - an order, no secret
        for position in positions:
            yield position, b"%2000d" % position

    tracemalloc.start()
    ordered = all(place == position for place, (position, _) in enumerate(in_order(rows(), run_rows=1000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ordered
    assert peak < 8_000_000
