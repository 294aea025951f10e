"""Delivering: one try of a task, from its source to the manifest that it returns or fails with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowSkipException
from airflow_provider_openai_dest.operators.before_sending import log_estimate, log_preview, previewing
from airflow_provider_openai_dest.operators.end_of_run import log_end
from airflow_provider_openai_dest.operators.list_source import OpenAIListSource
from airflow_provider_openai_dest.operators.preparation import prepare
from airflow_provider_openai_dest.operators.quarantine_of import QuarantineOf

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.manifest import Manifest
    from airflow_provider_openai_dest.operators.assembly import Delivery
    from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator


def deliver(operator: OpenAISendRecordsOperator, context: Context) -> dict[str, Any]:
    """Deliver the records, and return the manifest; raises what the run ends with, its manifest in the XCom."""
    _open_source(operator, context)
    if operator.estimate_only:
        return log_estimate(operator)
    source, preview = previewing(operator, operator.read_source())
    delivery = operator.delivery = prepare(operator, source, context, preview)
    if operator.is_killed():
        raise TransientError("the task was killed before anything was sent")
    manifest = delivery.run(source)
    row = manifest.as_dict()
    log_end(operator.log, row)
    if operator.checked_by is not None:
        operator.checked_by.tell_sent()
    if preview:
        row["preview"] = log_preview(operator, preview)
    try:
        _raise_failure(operator, delivery, manifest)
    except Exception:
        context["ti"].xcom_push(key="return_value", value=row)
        raise
    if operator.skip_on_empty and not manifest.input:
        raise AirflowSkipException("there are no records")
    return row


def _open_source(operator: OpenAISendRecordsOperator, context: Context) -> None:
    """Open a source that is found in a run only."""
    render, source = partial(operator.render_template, context=context), operator.source
    if isinstance(source, QuarantineOf):
        operator.source = source.found(render, operator.storage_conn_id)
    elif isinstance(source, OpenAIListSource):
        operator.source = source.opened(
            render,
            conn_id=operator.conn_id,
            key=operator.key,
            is_stopped=operator.is_killed,
            max_wait=operator.longest_wait(),
        )


def _raise_failure(operator: OpenAISendRecordsOperator, delivery: Delivery, manifest: Manifest) -> None:
    delivery.raise_failure(manifest, webhook_required=operator.webhook_required)
    operator.tolerance().check(manifest)
