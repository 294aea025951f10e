"""Request headers: those of a Dag author, which a record may fill as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_openai_dest.connection.headers import RESERVED_OF_TASKS, header_faults, is_header_value
from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError, RecordError
from airflow_provider_openai_dest.rendering.placeholders import Text, parse_text
from airflow_provider_openai_dest.sources.field_path import missing_field


class RequestHeaders:
    """Headers of a request, whose values may hold ``{message.field}``.

    Raises ConfigurationError with all faults: a name that is none or not the author's to set, a value that can't be
    sent, a placeholder that can't be read.
    """

    def __init__(self, headers: Mapping[str, Any]) -> None:
        if faults := [f"headers: {fault}" for fault in _faults(headers)]:
            raise ConfigurationError(*faults)
        self._values = tuple((name, parse_text(value, f"headers.{name}")) for name, value in headers.items())
        self._constant = None if self.uses_record else tuple((name, text.fill(None)) for name, text in self._values)

    @property
    def uses_record(self) -> bool:
        """Whether the headers of one record may differ from those of another."""
        return any(text.plain is None for _, text in self._values)

    def fill(self, data: Any) -> tuple[tuple[str, str], ...]:
        """Give the headers for one record; raises RecordError when a value is missing or can't stand in a header."""
        if self._constant is not None:
            return self._constant
        return tuple((name, _filled(name, text, data)) for name, text in self._values)


def _filled(name: str, text: Text, data: Any) -> str:
    try:
        value = text.fill(data)
    except LookupError as step:
        raise missing_field(step, f"the header {name!r}") from None
    if not is_header_value(value):
        raise RecordError(
            "unsafe_header_value",
            f"the value of the header {name!r} must be printable ASCII without a line break",
        )
    return value


def _faults(headers: Mapping[str, Any]) -> Iterator[str]:
    texts = {name: value for name, value in headers.items() if type(value) is str}
    yield from (f"the value of {name!r} must be a text" for name in headers if name not in texts)
    shown: dict[str, str] = {}
    for name, value in texts.items():
        try:
            parts = parse_text(value, name).parts
        except InvalidTemplateError as error:
            yield str(error)
            parts = ("x",)
        shown[name] = "".join(part if isinstance(part, str) else "x" for part in parts)
    yield from header_faults(shown, RESERVED_OF_TASKS)
