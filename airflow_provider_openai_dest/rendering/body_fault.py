"""BodyFault: one thing that is wrong with a rendered body, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Validate = Literal["strict", "warn", "off"]
"""What is done with a body that has faults: its record is rejected, or they are logged, or not looked for."""


class BodyFault(NamedTuple):
    """The field, such as ``messages[0].role``, and what is wrong with it, for a person."""

    param: str
    text: str


CheckBody = Callable[[Mapping[str, Any]], Sequence[BodyFault]]
"""Gives the faults for which a record is rejected before it is sent."""
