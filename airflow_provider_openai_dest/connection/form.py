"""The form: reading the fields of a connection as people fill them in, and naming every fault at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from airflow_provider_openai_dest.connection.redaction import redact
from airflow_provider_openai_dest.exceptions import ConfigurationError, nearest

logger = logging.getLogger(__name__)

_LONGEST_SHOWN = 40

Settings = TypeVar("Settings", bound=BaseModel)


class Fault(NamedTuple):
    """One thing that is wrong: what, in words of ours, and why, which may quote what was typed."""

    subject: str
    reason: str


class FormField(NamedTuple):
    """One field as a person sees it: its label, where it is in the connection, and what belongs in it."""

    label: str
    place: str
    wanted: str
    is_secret: bool = False

    def fault(self, reason: object) -> Fault:
        """Give one fault of this field."""
        return Fault(f"{self.label} ({self.place})", str(reason))


def is_unset(value: object) -> bool:
    """Tell whether a field was left empty: Airflow gives None, ``''`` or, for a port, 0."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_extra(extra: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the extra of a connection without its empty fields; raises ``ValueError`` when it is no JSON object."""
    if isinstance(extra, str):
        extra = read_json_object(extra) if extra.strip() else {}
    return {name: value for name, value in (extra or {}).items() if not is_unset(value)}


def read_json_object(text: str) -> dict[str, Any]:
    """Read a JSON object; the ``ValueError`` says where it breaks off, and quotes nothing of it."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as fault:
        raise ValueError(f"is no JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from None
    if not isinstance(value, dict):
        raise ValueError('is no JSON object; write {"name": "value"}')
    return value


def warn_of_unknown(names: Iterable[str], known: Iterable[str], secrets: Iterable[str]) -> None:
    """Log the extra fields that nothing reads, each with the names it may have meant."""
    known, secrets = frozenset(known), tuple(secrets)
    for name in names:
        if name not in known:
            shown = redact(repr(name), secrets)
            logger.warning("The connection's extra field %s is unknown and ignored; %s", shown, nearest(name, known))


def fill(
    model: type[Settings],
    values: Mapping[str, Any],
    *,
    fields: Mapping[str, FormField],
    faults: Sequence[Fault],
    secrets: Iterable[str],
) -> Settings:
    """Build the settings from the fields that are set, or raise one :class:`ConfigurationError` with all faults.

    :param fields: the form's field of each attribute of the model.
    :param faults: those that were found already.
    :param secrets: values that no fault may show, wherever they were typed in.
    """
    given = {name: value for name, value in values.items() if not is_unset(value)}
    found = list(faults)
    try:
        settings = model.model_validate(given)
    except ValidationError as error:
        found += [_fault_of(detail, fields) for detail in error.errors(include_url=False)]
    if found:
        hidden, reasons = tuple(secrets), dict[str, str]()
        for fault in found:
            reasons.setdefault(fault.subject, redact(fault.reason, hidden))
        raise ConfigurationError(*(f"{subject} {reason}" for subject, reason in reasons.items()))
    return settings


def _fault_of(detail: ErrorDetails, fields: Mapping[str, FormField]) -> Fault:
    field = fields[str(detail["loc"][0])]
    if detail["type"] == "missing":
        return field.fault(f"is missing; it must be {field.wanted}")
    if detail["type"] == "value_error":
        return field.fault(detail["ctx"]["error"])
    shown = repr(detail["input"])
    if field.is_secret or len(detail["loc"]) > 1 or len(shown) > _LONGEST_SHOWN:
        return field.fault(f"must be {field.wanted}")
    return field.fault(f"is {shown}; it must be {field.wanted}")
