"""BodyFault: one thing that is wrong with a rendered body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class BodyFault(NamedTuple):
    """The field, such as ``messages[0].role``, and what is wrong with it, for a person."""

    param: str
    text: str


CheckBody = Callable[[Mapping[str, Any]], Sequence[BodyFault]]
"""Gives the faults for which a record is rejected before it is sent."""
