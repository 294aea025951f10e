"""Arguments: faults that can be told when the Dag is parsed, before anything runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError, nearest

_DOUBLE = re.compile(r"\{\{-?\s*(message|record)\b")


class LiteralRecords:
    """Records written in the Dag file itself.

    Wrapped, so that Airflow's Jinja leaves them alone: a record is data, whatever it looks like.
    """

    def __init__(self, values: Any) -> None:
        self.values = values

    def __repr__(self) -> str:
        count = len(self.values) if isinstance(self.values, (list, tuple)) else 1
        return f"<{count} literal records>"


def as_literal(records: Any) -> Any:
    """Wrap records that are data; what refers to an upstream task, or is a Jinja text, stays for Airflow."""
    if records is None or isinstance(records, (str, XComArg, LiteralRecords)):
        return records
    return _literal_parts(records)


def _literal_parts(value: Any) -> Any:
    if isinstance(value, XComArg):
        return value
    if not has_reference(value):
        return LiteralRecords(value)
    if isinstance(value, Mapping):
        return {name: _literal_parts(item) for name, item in value.items()}
    return [_literal_parts(item) for item in value] if isinstance(value, (list, tuple)) else value


def as_data(records: Any) -> Any:
    """Give the records, when Airflow is done with them, as they were written."""
    if isinstance(records, LiteralRecords):
        return records.values
    if type(records) is dict:
        return {name: as_data(item) for name, item in records.items()}
    return [as_data(record) for record in records] if type(records) is list else records


def has_reference(value: Any) -> bool:
    """Tell whether a value refers to the output of another task."""
    try:
        return any(True for _ in XComArg.iter_xcom_references(value))
    except RecursionError:  # data that is nested too deep to be sent, which is the record's fault and not the Dag's
        return False


def has_jinja(value: Any) -> bool:
    """Tell whether a text somewhere in a value is a Jinja template."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(has_jinja(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(has_jinja(item) for item in value)


def refuse_double_braces(value: Any, place: str) -> None:
    """Raise InvalidTemplateError for ``{{ message.x }}``: Jinja, which is rendered once a task, knows no message."""
    if isinstance(value, str):
        if match := _DOUBLE.search(value):
            raise InvalidTemplateError(
                f"{place}: {match[0]}...: write a placeholder with single braces, {{message.field}}"
            )
    elif isinstance(value, Mapping):
        for name, item in value.items():
            refuse_double_braces(item, f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            refuse_double_braces(item, f"{place}[{index}]")


def is_final(*values: Any) -> bool:
    """Tell whether the values are known when the Dag is parsed, so that they can be checked then."""
    return not any(has_jinja(value) or has_reference(value) for value in values)


FOREIGN = {
    "api_key": "the key stands in the connection that conn_id names",
    "base_url": "the address stands in the connection that conn_id names",
    "batch_size": "records are packed up to the endpoint's own limits; webhook_batch_size is that of the webhook",
    "chunk_size": "records are packed up to the endpoint's own limits",
    "deferrable": "nothing is deferred, since a triggerer that restarts would send and pay again; see max_wait",
    "input_text": "write input, or body={'input': ...}",
    "max_concurrency": "write concurrency",
    "max_retries": "requests are sent again as the answers ask for; retries is that of the task",
    "openai_conn_id": "write conn_id",
    "output_path": "write results",
    "request_timeout": "the timeout stands in the connection that conn_id names",
    "response_model": "write text_format",
    "rpm": "write requests_per_minute",
    "timeout": "the timeout stands in the connection that conn_id names; execution_timeout is that of the task",
    "tpm": "write tokens_per_minute",
}
"""Keywords of other providers and clients, and where that goes here."""


def unknown_faults(
    operator: type, keywords: Mapping[str, Any], body_fields: Callable[[], Iterable[str]] = tuple
) -> dict[str, str]:
    """Find keywords that neither the operator nor Airflow knows; gives what is wrong with each, and where it goes.

    :param body_fields: gives the fields of the request's body, which are no keywords; asked only when one is unknown.
    """
    known = set(_keywords(operator))
    unknown = [name for name in keywords if name not in known and not name.startswith("_")]
    fields = set(body_fields()) if unknown else set()
    place = "fields" if {"endpoint", "url"} & inspect.signature(operator).parameters.keys() else "body"
    return {
        name: f"{operator.__name__} has no keyword {name!r}: {_hint(name, known, fields, place)}" for name in unknown
    }


def _hint(name: str, known: set[str], body_fields: set[str], place: str) -> str:
    if name in body_fields:
        return f"it is a field of the request: {place}={{{name!r}: ...}}"
    return FOREIGN.get(name) or nearest(name, known)


def refuse(*faults: str) -> None:
    """Raise ConfigurationError with these faults, when there are any."""
    if faults:
        raise ConfigurationError(*faults)


def refuse_unknown(operator: type, keywords: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for keywords that neither the operator nor Airflow knows, with the nearest names."""
    refuse(*unknown_faults(operator, keywords).values())


def check_all(checks: Iterable[Callable[[], object]]) -> None:
    """Run all checks, and raise one ConfigurationError with the faults of all."""
    errors: list[ConfigurationError] = []
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            errors.append(error)
    if len({type(error) for error in errors}) > 1:
        raise ConfigurationError(*(fault for error in errors for fault in error.faults))
    if errors:
        raise type(errors[0])(*dict.fromkeys(fault for error in errors for fault in error.faults))


def check_words(words: Mapping[str, tuple[str | None, Sequence[str]]]) -> None:
    """Raise ConfigurationError for arguments that are none of the words they may be, with the nearest."""
    faults = [
        f"unknown {name}={value!r}: {nearest(str(value), known)}"
        for name, (value, known) in words.items()
        if value is not None and value not in known
    ]
    if faults:
        raise ConfigurationError(*faults)


def check_numbers(numbers: Mapping[str, tuple[Any, int, int | None]]) -> None:
    """Raise ConfigurationError for arguments that are no whole number from the least to the most; None is unset."""
    faults = [
        f"{name}={value!r} must be a whole number of at least {least}" + (f", at most {most}" if most else "")
        for name, (value, least, most) in numbers.items()
        if value is not None and not _is_between(value, least, most)
    ]
    if faults:
        raise ConfigurationError(*faults)


def check_seconds(numbers: Mapping[str, tuple[Any, float]]) -> None:
    """Raise ConfigurationError for arguments that are no seconds of at least so many; None is unset."""
    faults = [
        f"{name}={value!r} must be a number of seconds, at least {least:g}"
        for name, (value, least) in numbers.items()
        if value is not None and not (type(value) in (int, float) and least <= value < float("inf"))
    ]
    if faults:
        raise ConfigurationError(*faults)


def _is_between(value: Any, least: int, most: int | None) -> bool:
    return type(value) is int and value >= least and (most is None or value <= most)


def refuse_fixed(operator: type, keywords: Mapping[str, Any], *names: str) -> None:
    """Raise ConfigurationError for keywords that a named operator sets itself."""
    given = [name for name in names if name in keywords]
    if given:
        raise ConfigurationError(
            f"{operator.__name__} sets {' and '.join(given)} itself: use OpenAISendRecordsOperator to choose them"
        )


def _keywords(operator: type) -> Iterable[str]:
    for base in operator.__mro__:
        if base is not object and issubclass(base, BaseOperator) and "__init__" in vars(base):
            yield from inspect.signature(vars(base)["__init__"]).parameters
        if base is BaseOperator:
            return
