"""Garbage: while records flow, Python looks for cycles of objects less often, since they make hardly any.

It is for one delivery a process, as a task has: of two that overlap, the one that ends last leaves the other's number.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 10_000
"""New objects between two looks; Python's own number, 700 in 3.11, costs a tenth of a packed record's CPU."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look after every :data:`OBJECTS` within the block; who has switched the looks off, or set more, keeps that."""
    before = gc.get_threshold()
    if 0 < before[0] < OBJECTS:
        gc.set_threshold(OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
