"""Nesting: how deep a JSON value goes. What is too deep could be read once, and then not be written or read again."""

from __future__ import annotations

from typing import Any

DEEPEST = 200
"""Lists and objects within each other. Python gives up at about 1,000, and Airflow's XCom at a third of that."""


def is_surely_flat(encoded: bytes) -> bool:
    """Tell, without a walk, that a JSON text has too few brackets to go deeper than :data:`DEEPEST`."""
    return encoded.count(b"[") + encoded.count(b"{") <= DEEPEST


def is_too_deep(value: Any) -> bool:
    """Tell whether a value goes deeper than :data:`DEEPEST`."""
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(DEEPEST):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _CONTAINERS)
        ]
    return bool(level)


_CONTAINERS = (dict, list, tuple)
