r"""Placeholders: ``{message.field}`` in a text, read once, filled for every record.

The grammar, all of it::

    placeholder = "{" ("message" | "record") [ "." "json" | path ] "}"
    path        = what sources.field_path reads, after the first dot or bracket

``{message.json}`` and ``{message}`` are the whole record. Every other brace is plain text, and ``\{message.x}`` is
the text ``{message.x}``. There are no expressions or filters, and a value is never read as a template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from airflow_provider_openai_dest.exceptions import InvalidTemplateError, nearest
from airflow_provider_openai_dest.rendering.encoding import as_text
from airflow_provider_openai_dest.sources.field_path import FieldPath, FieldPathError

_ROOTS = ("message", "record")
# A word that is near to a root and has a path is told, since as a text it would be paid for and mean nothing.
LONGEST_QUOTE = 40
"""Characters that a message quotes of a template."""

_OPENING = re.compile(r"(?P<escape>\\?)\{(?:(?P<root>message|record)(?=[.\[}\s]|$)|(?P<word>[A-Za-z]{4,9})(?=[.\[]))")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder: a path into the record; an empty path is the whole record."""

    path: FieldPath | None

    def find(self, data: Any) -> Any:
        """Give the value of this placeholder; raises ``LookupError`` when the record lacks it."""
        return data if self.path is None else self.path.find(data)

    def write(self, data: Any, absent: str | None) -> str:
        """Give the value as text, or ``absent`` where the record lacks it; raises ``LookupError`` when that is None."""
        try:
            return as_text(self.find(data))
        except LookupError:
            if absent is None:
                raise
            return absent


@dataclass(frozen=True, slots=True)
class Text:
    """A text cut into plain parts and placeholders."""

    parts: tuple[str | Placeholder, ...]

    @property
    def only_placeholder(self) -> Placeholder | None:
        """The placeholder, when the text is exactly one: such a text keeps the value's type."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Placeholder):
            return self.parts[0]
        return None

    @property
    def plain(self) -> str | None:
        """The text itself, when it has no placeholder."""
        if any(isinstance(part, Placeholder) for part in self.parts):
            return None
        return "".join(part for part in self.parts if isinstance(part, str))

    def fill(self, data: Any, absent: str | None = None) -> str:
        """Join the parts, each value as text.

        A field that the record lacks is filled with ``absent``, or raises ``LookupError`` when that is None.
        """
        return "".join(part if isinstance(part, str) else part.write(data, absent) for part in self.parts)


def parse_text(text: str, place: str) -> Text:
    """Cut ``text`` into parts. ``place`` names it in an InvalidTemplateError, such as ``body.input``."""
    parts: list[str | Placeholder] = []
    start = 0
    for match in _OPENING.finditer(text):
        if match.start() < start or not (match["root"] or _is_near(match["word"])):
            continue
        if match["escape"]:
            parts.append(text[start : match.start()] + text[match.start() + 1 : match.end()])
            start = match.end()
            continue
        if not match["root"]:
            _refuse(text, match, place)
        parts.append(text[start : match.start()])
        end = _closing(text, match.end(), match.start(), place)
        parts.append(_placeholder(text, match.start(), text[match.end() : end], place))
        start = end + 1
    parts.append(text[start:])
    return Text(_joined(parts))


def _is_near(word: str) -> bool:
    return bool(get_close_matches(word.lower(), _ROOTS, n=1, cutoff=0.75))


def _refuse(text: str, match: re.Match[str], place: str) -> NoReturn:
    start, end = match.start(), text.find("}", match.end(), match.end() + LONGEST_QUOTE)
    quoted = text[start : end + 1] if end >= 0 else f"{{{match['word']}"
    raise InvalidTemplateError(
        f"{place}, column {start}: {quoted} is no placeholder: {nearest(match['word'].lower(), _ROOTS)} "
        f"Write \\{quoted} where the text itself is meant"
    )


def _closing(text: str, start: int, opening: int, place: str) -> int:
    quoted = False
    for column in range(start, len(text)):
        if text[column] == '"':
            quoted = not quoted
        elif text[column] == "}" and not quoted:
            return column
    raise InvalidTemplateError(f"{place}, column {opening}: the placeholder {_shown(text, opening)} has no end")


def _placeholder(text: str, opening: int, inside: str, place: str) -> Placeholder:
    if inside in ("", ".json"):
        return Placeholder(None)
    try:
        if inside.startswith(".["):
            raise FieldPathError(inside, 0)
        return Placeholder(FieldPath.parse(inside.removeprefix(".")))
    except FieldPathError:
        raise InvalidTemplateError(
            f"{place}, column {opening}: can't read the placeholder {_shown(text, opening)}; "
            'write {message.json}, {message.field}, {message.a.b[0]} or {message["any name"]}'
        ) from None


def _shown(text: str, opening: int) -> str:
    shown = text[opening : opening + LONGEST_QUOTE]
    return repr(shown if len(text) <= opening + LONGEST_QUOTE else f"{shown}...")


def _joined(parts: Sequence[str | Placeholder]) -> tuple[str | Placeholder, ...]:
    joined: list[str | Placeholder] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        elif part != "":
            joined.append(part)
    return tuple(joined)
