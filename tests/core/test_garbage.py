"""How often Python looks for cycles while records flow."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from airflow_provider_openai_dest.delivery.garbage import OBJECTS, rare_collections


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave this process as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("own", "within"), [(700, OBJECTS), (0, 0), (50_000, 50_000)], ids=["Python's own", "switched off", "set to more"]
)
def test_the_looks_are_rare_within_the_block_and_as_before_behind_it(own: int, within: int) -> None:
    """Unless somebody has chosen them rarer, or switched them off; also when the block breaks."""
    gc.set_threshold(own, 11, 12)
    with suppress(KeyError), rare_collections():
        assert (within, 11, 12) == gc.get_threshold()
        raise KeyError
    assert (own, 11, 12) == gc.get_threshold()
