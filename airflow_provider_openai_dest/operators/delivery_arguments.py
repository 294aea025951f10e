"""Delivery arguments: what all sending operators take, and what can be told of it before a task runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint, find_operation
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.arguments import (
    check_numbers,
    check_seconds,
    check_words,
    is_final,
    refuse_double_braces,
)
from airflow_provider_openai_dest.rendering.body import BodyTemplate, Missing
from airflow_provider_openai_dest.rendering.body_fault import Validate
from airflow_provider_openai_dest.sources.keys import parse_key

if TYPE_CHECKING:
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
    from airflow_provider_openai_dest.validation.body_check import BodyCheck

OnUnknown = Literal["resend", "quarantine"]
ResultsFormat = Literal["jsonl", "jsonl.gz", "parquet"]
ResultsOrder = Literal["completion", "input"]
Resume = Literal["auto", "always", "never"]
OnMismatch = Literal["fail", "restart"]
FORMATS = ("csv", "json", "jsonl", "ndjson", "tsv")


def delivery_checks(operator: OpenAISendRecordsOperator) -> Iterator[Callable[[], object]]:
    """Give what looks at the arguments; each raises ConfigurationError."""
    yield partial(check_words, _words(operator))
    yield partial(check_numbers, _numbers(operator))
    yield partial(check_seconds, {"max_wait": (operator.max_wait, 1)})
    yield partial(_check_records, operator)
    yield partial(_check_looks, operator)
    yield operator.tolerance
    yield operator.budget_limits
    yield operator.extraction
    yield partial(refuse_double_braces, operator.body, "body")
    yield partial(refuse_double_braces, operator.fields, "fields")
    yield partial(_check_key, operator)
    yield partial(_check_template, operator)


def check_completeness(operator: OpenAISendRecordsOperator, required: Iterable[str]) -> None:
    """Refuse a body that lacks, or leaves empty, a required field for every record; raises ConfigurationError."""
    template = operator.body_template()
    names = template.names()
    if names is None:
        return
    if absent := [name for name in required if name not in names or template.is_null(name)]:
        endpoint = operator.endpoint_template().name
        raise ConfigurationError(f"{endpoint} needs {' and '.join(map(repr, absent))}, which no record's body has")


def new_body_check(operator: OpenAISendRecordsOperator, settings: ConnectionSettings) -> BodyCheck | None:
    """Look at what all bodies share, and make what looks at the rest; raises ConfigurationError with all faults."""
    endpoint = operator.spoken_endpoint(settings)
    check_completeness(operator, endpoint.required)
    if operator.validate == "off":
        return None
    from airflow_provider_openai_dest.validation.body_check import check_of, default_for

    validate = operator.validate or default_for(settings.server)
    in_url = {"model"} if settings.deployment else set()
    return check_of(endpoint, operator.body_template(), validate, in_url=in_url)


def body_fields(endpoint: str | EndpointTemplate) -> tuple[str, ...]:
    """Name the fields of an endpoint's body, to tell where a keyword goes that is none."""
    try:
        template = find_endpoint(endpoint)
    except ConfigurationError:
        return ()
    known = find_operation(template.method, template.path) or template
    return (*known.required, *known.optional)


def _words(operator: OpenAISendRecordsOperator) -> dict[str, tuple[str | None, Sequence[str]]]:
    return {
        "missing": (operator.missing, get_args(Missing)),
        "validate": (operator.validate, get_args(Validate)),
        "on_unknown": (operator.on_unknown, get_args(OnUnknown)),
        "results_format": (operator.results_format, get_args(ResultsFormat)),
        "results_order": (operator.results_order, get_args(ResultsOrder)),
        "resume": (operator.resume, get_args(Resume)),
        "on_mismatch": (operator.on_mismatch, get_args(OnMismatch)),
        "source_format": (operator.source_format, FORMATS),
    }


def _numbers(operator: OpenAISendRecordsOperator) -> dict[str, tuple[Any, int, int | None]]:
    return {
        "max_errors": (operator.max_errors, 0, None),
        "webhook_batch_size": (operator.webhook_batch_size, 1, None),
        "concurrency": (operator.concurrency, 1, 512),
        "requests_per_minute": (operator.requests_per_minute, 1, None),
        "tokens_per_minute": (operator.tokens_per_minute, 1, None),
        "images_per_minute": (operator.images_per_minute, 1, None),
        "requests_per_day": (operator.requests_per_day, 1, None),
        "ambiguous_retries": (operator.ambiguous_retries, 0, None),
        "max_xcom_bytes": (operator.max_xcom_bytes, 0, None),
        "preview": (operator.preview, 1, None),
    }


def _check_records(operator: OpenAISendRecordsOperator) -> None:
    if operator.records is not None and operator.source is not None:
        raise ConfigurationError("give records or source, not both")
    if is_final(operator.body, operator.fields) and not operator.has_records():
        _refuse_placeholders(operator)


def _refuse_placeholders(operator: OpenAISendRecordsOperator) -> None:
    if varying := BodyTemplate(operator.body or {}, fields=operator.fields).varying():
        raise ConfigurationError(
            f"{' and '.join(varying)}: a placeholder, and neither records= nor source= is given to fill it"
        )


def _check_looks(operator: OpenAISendRecordsOperator) -> None:
    if operator.preview is not None and operator.estimate_only:
        raise ConfigurationError("give preview or estimate_only, not both: an estimate sends nothing")


def _check_key(operator: OpenAISendRecordsOperator) -> None:
    if operator.key is not None and is_final(operator.key):
        parse_key(operator.key)


def _check_template(operator: OpenAISendRecordsOperator) -> None:
    endpoint = operator.endpoint_template()
    is_whole = is_final(operator.body, operator.fields, endpoint.path)
    is_here = not isinstance(operator.text_format, str)  # a path is imported when the task runs
    if is_whole and is_here and operator.missing in get_args(Missing):
        # Where the connection names a deployment, no body has a model: that is known when the task runs.
        check_completeness(operator, [name for name in endpoint.required if name != "model"])
