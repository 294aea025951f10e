"""FieldPath: a dotted way into a JSON value, such as ``a.b[0]["any name"]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_provider_openai_dest.exceptions import RecordError, nearest

_NAME = r"[^\W\d]\w*(?:-\w+)*"
_STEP = re.compile(
    rf"""\.?(?P<name>{_NAME})                # a name, after a dot unless it is the first
      | \[(?P<index>-?[0-9]{{1,9}})\]       # a place in a list
      | \["(?P<quoted>[^"\\]+)"\]          # any name, in double quotes
    """,
    re.VERBOSE,
)


MOST_NAMES, LONGEST_NAME = 20, 60
"""Fields that a message names at most, and the characters of each."""


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
        """Give the value at the end of the path; raises ``LookupError`` with the step that is missing, and where."""
        for step in self.steps:
            if isinstance(step, str):
                if not isinstance(data, (dict, Mapping)) or step not in data:  # a dict is told ten times as fast
                    raise LookupError(step, data)
                data = data[step]
            else:
                if not isinstance(data, (list, tuple)) or not -len(data) <= step < len(data):
                    raise LookupError(step, data)
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


def missing_field(step: LookupError, place: str) -> RecordError:
    """Give the refusal of a record which lacks what a place needs, such as ``body.input``."""
    return RecordError("missing_field", f"the record has no {step.args[0]!r}, which {place} needs{others(step)}")


def others(step: LookupError) -> str:
    """Give the end of a message that names the fields nearest to a missing one; empty where there are none."""
    name, data = step.args
    if not isinstance(data, Mapping):
        return ""
    names = [known[:LONGEST_NAME] for known in islice(data, MOST_NAMES) if isinstance(known, str)]
    return f"; {nearest(str(name), names)}" if names else ""
