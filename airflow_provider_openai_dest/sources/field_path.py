"""FieldPath: a dotted way into a JSON value, such as ``a.b[0]["any name"]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NAME = r"[^\W\d]\w*(?:-\w+)*"
_STEP = re.compile(
    rf"""\.?(?P<name>{_NAME})                # a name, after a dot unless it is the first
      | \[(?P<index>-?[0-9]{{1,9}})\]       # a place in a list
      | \["(?P<quoted>[^"\\]+)"\]          # any name, in double quotes
    """,
    re.VERBOSE,
)


class FieldPathError(ValueError):
    """A path that can't be read; ``column`` counts from 0."""

    def __init__(self, text: str, column: int) -> None:
        super().__init__(text, column)
        self.text = text
        self.column = column

    def __str__(self) -> str:
        return f"can't read the path {self.text!r} at column {self.column}"


@dataclass(frozen=True, slots=True)
class FieldPath:
    """The steps into a value: a string is a field of an object, an integer a place in a list."""

    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """Read ``a.b[0]["c d"]``; raises :class:`FieldPathError` with the column of the fault."""
        steps: list[str | int] = []
        column = 0
        while column < len(text):
            match = _STEP.match(text, column)
            starts_with_dot = text[column] == "."
            if match is None or (match["name"] is not None and starts_with_dot != bool(steps)):
                raise FieldPathError(text, column)
            index = match["index"]
            steps.append(int(index) if index is not None else match["name"] or match["quoted"])
            column = match.end()
        if not steps:
            raise FieldPathError(text, 0)
        return cls(tuple(steps))

    def find(self, data: Any) -> Any:
        """Give the value at the end of the path; raises ``LookupError`` with the step that is missing."""
        for step in self.steps:
            if isinstance(step, str):
                if not isinstance(data, Mapping) or step not in data:
                    raise LookupError(step)
                data = data[step]
            else:
                if not isinstance(data, (list, tuple)) or not -len(data) <= step < len(data):
                    raise LookupError(step)
                data = data[step]
        return data

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            if isinstance(step, int):
                text += f"[{step}]"
            elif re.fullmatch(_NAME, step):
                text += f".{step}" if text else step
            else:
                text += f'["{step}"]'
        return text
