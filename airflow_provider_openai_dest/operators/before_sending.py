"""Before sending: the estimate of a data set and the preview of its first records, in the log and for the XCom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.answers.preview import Preview
from airflow_provider_openai_dest.estimate import estimate
from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
from airflow_provider_openai_dest.operators.arguments import has_reference
from airflow_provider_openai_dest.operators.end_of_run import Logger, counted, worded_kind
from airflow_provider_openai_dest.operators.list_source import OpenAIListSource
from airflow_provider_openai_dest.operators.places import max_xcom_bytes
from airflow_provider_openai_dest.operators.quarantine_of import QuarantineOf
from airflow_provider_openai_dest.prices import price_list, worded_dollars
from airflow_provider_openai_dest.sources.first_records import FirstRecords
from airflow_provider_openai_dest.sources.record import Source

if TYPE_CHECKING:
    from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator


FOUND_IN_A_RUN = (OpenAIListSource, QuarantineOf)
"""Sources that are opened with the context of a run."""


def log_estimate(operator: OpenAISendRecordsOperator) -> dict[str, Any]:
    """Read and render what a task would send, log what that is and costs, and return it. Nothing is sent."""
    settings = OpenAIDestHook(operator.conn_id).settings
    renderer = operator.renderer(operator.request_form(settings))
    found = estimate(operator.endpoint_template(), renderer, operator.read_source(), price_list(settings.base_url))
    row = found.as_dict()
    tell_estimate(operator.log, row)
    return row


def dry_run(operator: OpenAISendRecordsOperator) -> None:
    """Log the estimate, where what is sent is known without a run."""
    if has_reference(operator.records) or has_reference(operator.source) or isinstance(operator.source, FOUND_IN_A_RUN):
        operator.log.info("No estimate: what is sent is known in a run only, where estimate_only=True tells it")
        return
    log_estimate(operator)


def previewing(operator: OpenAISendRecordsOperator, source: Source) -> tuple[Source, Preview | None]:
    """Give what is sent: the whole source, or its first records with somebody who looks at them."""
    if operator.preview is None:
        return source, None
    secrets = OpenAIDestHook(operator.conn_id).settings.secrets
    return FirstRecords(source, operator.preview), Preview(secrets, operator.read_answers())


def log_preview(operator: OpenAISendRecordsOperator, preview: Preview) -> list[dict[str, Any]]:
    """Log what was sent and answered, folded, and return as much of it as has room in the XCom."""
    shown = preview.shown(max_xcom_bytes(operator.max_xcom_bytes))
    tell_preview(operator.log, shown)
    return shown


def tell_estimate(log: Logger, found: Mapping[str, Any]) -> None:
    """Log an estimate, for a person."""
    log.info("::group::%s", _headline(found))
    for line in _tokens(found):
        log.info("%s", line)
    log.info("::endgroup::")
    for kind in found["rejections"]:
        log.warning("%s", worded_kind(kind))
    for record in found["first_rejected"]:
        log.warning("Record %r at %d: %s: %s", *(record[name] for name in ("key", "position", "code", "message")))


def tell_preview(log: Logger, shown: Sequence[Mapping[str, Any]]) -> None:
    """Log each record's request and answer, below one fold."""
    log.info("::group::Preview of %s: what was sent and what came back", counted(len(shown), "record"))
    for view in shown:
        log.info("Record %r is %s", view["key"], view["status"])
        for name in ("request", "answer", "error", "usage"):
            if view[name] is not None:
                log.info("%s: %s", name, json.dumps(view[name], indent=2, ensure_ascii=False))
    log.info("::endgroup::")


def _headline(found: Mapping[str, Any]) -> str:
    return (
        f"{found['endpoint']}: nothing is sent; {found['pending']:,} of {found['input']:,} records would be, "
        f"in {counted(found['requests'], 'request')}, and {found['rejected']:,} be rejected"
    )


def _tokens(found: Mapping[str, Any]) -> Iterator[str]:
    counted = "counted by the model's vocabulary" if found["are_counted"] else "estimated, on the high side"
    yield f"Tokens of the texts: {_known(found['input_tokens'])} ({counted})"
    yield f"Tokens at most, answers included: {_known(found['most_tokens'])}"
    yield f"Cost of the texts: {_dollars(found['cost_input'])}"
    yield f"Cost at most, answers included: {_dollars(found['most_cost'])}"


def _known(number: int | None) -> str:
    return "not known: the body does not bound the answer, or holds files" if number is None else f"{number:,}"


def _dollars(cost: float | None) -> str:
    return "not known" if cost is None else worded_dollars(cost)
