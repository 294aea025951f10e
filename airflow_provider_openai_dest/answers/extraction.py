"""Extraction: the fields of an answer that are wanted, in the place of all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.field_path import FieldPath, FieldPathError


class Extraction:
    """Names, each with the path of a field in the answer; raises ConfigurationError with all faults.

    A field that an answer lacks is null. An answer that has none of them is rejected and kept whole: most likely the
    paths are wrong, and it was paid for.

    :param paths: such as ``{"text": "output[0].content[0].text"}``; a path is what a placeholder takes.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        if faults := [f"extract: {fault}" for fault in _faults(paths)]:
            raise ConfigurationError(*faults)
        self._paths = {name: FieldPath.parse(path) for name, path in paths.items()}

    def keep(self, outcome: Outcome) -> Outcome:
        """Give a delivered outcome with these fields alone; any other as it is."""
        if outcome.status is not Status.DELIVERED:
            return outcome
        found = {name: _found(path, outcome.answer) for name, path in self._paths.items()}
        if all(value is _MISSING for value in found.values()):
            return replace(outcome, status=Status.REJECTED, error=self._error())
        return replace(outcome, answer={name: None if value is _MISSING else value for name, value in found.items()})

    def name_of(self, field: str | None) -> str | None:
        """Give the name under which a field of the answer is kept, such as its vector; None when it is not."""
        return next((name for name, path in self._paths.items() if path.steps[-1] == field), None)

    def _error(self) -> RecordError:
        paths = ", ".join(map(str, self._paths.values()))
        return RecordError("missing_answer_field", f"the answer has none of the fields to extract: {paths}")


_MISSING: Any = object()


def _found(path: FieldPath, answer: Any) -> Any:
    try:
        return path.find(answer)
    except LookupError:
        return _MISSING


def _faults(paths: Any) -> Iterator[str]:
    if not isinstance(paths, Mapping) or not paths:
        yield f'{paths!r} must be an object of names and paths, such as {{"text": "output[0].content[0].text"}}'
        return
    for name, path in paths.items():
        if not isinstance(name, str) or not name:
            yield f"the name {name!r} must be a text"
        if not isinstance(path, str):
            yield f"the path of {name!r} must be a text, not {path!r}"
            continue
        try:
            FieldPath.parse(path)
        except FieldPathError as error:
            yield f"{name!r}: {error}; write it as output[0].content[0].text"
