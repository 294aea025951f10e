"""Nesting: how deep a JSON value goes. What is too deep could be read once, and then not be written or read again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

DEEPEST = 200
"""Lists and objects within each other. Python gives up at about 1,000, and Airflow's XCom at a third of that."""


def is_surely_flat(encoded: bytes) -> bool:
    """Tell, without a walk, that a JSON text has too few brackets to go deeper than :data:`DEEPEST`."""
    return encoded.count(b"[") + encoded.count(b"{") <= DEEPEST


def is_too_deep(value: Any) -> bool:
    """Tell whether a value goes deeper than :data:`DEEPEST`."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _items(outer) if isinstance(inner, _CONTAINERS)]
        if not level:
            return False
    return True


_CONTAINERS = (dict, list, tuple)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()
