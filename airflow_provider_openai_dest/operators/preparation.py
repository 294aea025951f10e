"""Preparation: the delivery of one try, made of an operator's arguments, its connections and its context."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.answers.preview import PREVIEW_FOLDER, Preview
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.fingerprint import fingerprint
from airflow_provider_openai_dest.checkpoint.replay import Replay
from airflow_provider_openai_dest.checkpoint.tidy_results import TidyForm
from airflow_provider_openai_dest.connection.model_dates import check_model, has_dates
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.webhook_settings import WebhookSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.budget import new_budget
from airflow_provider_openai_dest.delivery.verdict import table_of
from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
from airflow_provider_openai_dest.hooks.webhook import OpenAIDestWebhookHook
from airflow_provider_openai_dest.operators.airflow_versions import airflow_home, read_option
from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
from airflow_provider_openai_dest.operators.metrics import meter_of
from airflow_provider_openai_dest.operators.places import (
    folder_of,
    generation_of,
    max_xcom_bytes,
    new_ownership,
    results_folder,
    scope_of,
    was_rescheduled,
)
from airflow_provider_openai_dest.operators.refusal_hints import refusal_hints
from airflow_provider_openai_dest.sinks.parquet import require_pyarrow
from airflow_provider_openai_dest.sources.quarantine import QuarantineSource
from airflow_provider_openai_dest.sources.record import Source

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator


def prepare(
    operator: OpenAISendRecordsOperator, source: Source, context: Context, preview: Preview | None = None
) -> Delivery:
    """Make what one try of a task delivers with; raises CheckpointMismatchError when it is not what went before.

    A preview is a delivery of its own, in a folder of its own, so that the real one never sees it.
    """
    hook = OpenAIDestHook(operator.conn_id)
    settings = hook.settings
    webhook = _webhook_of(operator)
    _check_model(operator, settings)
    endpoint = operator.endpoint_template()
    form = operator.request_form(settings)
    renderer = operator.renderer(form)
    model = operator.one_model()
    prices, budget = new_budget(operator.budget_limits(), base_url=settings.base_url, model=model)
    claimed = fingerprint_of(operator, settings, source)
    log = _open_log(operator, context, claimed)
    _log_start(operator, log, settings.base_url, context["ti"].try_number)
    ownership = new_ownership(log, context)
    return Delivery(
        endpoint=endpoint,
        renderer=operator.with_state(renderer, form, log, settings),
        dispatcher=new_dispatcher(
            settings,
            _speed_of(operator),
            _policy_of(operator, settings),
            ownership.is_kept,
            budget=budget,
            tokens=hook.tokens,
        ),
        log=log,
        storage=Storage(
            keep_records=operator.keep_records,
            quarantine_records=operator.quarantine_records,
            quarantine_body=operator.quarantine_body,
            max_xcom_bytes=max_xcom_bytes(operator.max_xcom_bytes),
            extract=operator.extraction(),
            tidy=_tidy_form_of(operator),
        ),
        webhook=webhook,
        webhook_batch_size=operator.webhook_batch_size,
        ownership=ownership,
        quarantine_unknown=operator.on_unknown == "quarantine",
        replay=_replay_of(source, claimed["endpoint"], log, keep_records=operator.keep_records),
        secrets=settings.secrets,
        billing=Billing(prices, budget) if prices or budget else None,
        preview=preview,
        read=operator.read_answers(),
        meter=meter_of(context, endpoint=endpoint.name, model=model),
    )


def fingerprint_of(operator: OpenAISendRecordsOperator, settings: ConnectionSettings, source: Source) -> dict[str, str]:
    """Give what must not change under a half-done delivery, by the names that an error tells."""
    endpoint = operator.endpoint_template()
    return fingerprint(
        connection=operator.conn_id,
        origin=settings.address,
        organization=settings.organization,
        project=settings.project,
        endpoint=f"{endpoint.method} {endpoint.path}",
        model=operator.model(),
        template=operator.template_parts(),
        source=str(source.fingerprint()),
    )


def _check_model(operator: OpenAISendRecordsOperator, settings: ConnectionSettings) -> None:
    """Refuse a model that has ended, and log what ends soon; the model of a record is the API's to refuse."""
    model = operator.one_model()
    if (
        model is None
        or not has_dates(settings)
        or read_option("check_models").strip().lower() in ("false", "f", "0", "no", "off")
    ):
        return
    finding = check_model(model, settings, Path(airflow_home()) / "openai_dest" / ".models", now=time.time())
    if finding is not None:
        say = operator.log.warning if finding.kind == "warning" else operator.log.info
        say("%s", finding.text)


def _open_log(operator: OpenAISendRecordsOperator, context: Context, claimed: dict[str, str]) -> DeliveryLog:
    scope = scope_of(context)
    folder = results_folder(operator.results, scope, operator.storage_conn_id)
    # A try that has waited goes on with itself, also where each try sends everything anew.
    wanted = "never" if operator.preview else operator.resume
    resume = "auto" if wanted == "never" and was_rescheduled(context) else wanted
    return DeliveryLog(
        folder / PREVIEW_FOLDER if operator.preview else folder,
        scope,
        try_number=context["ti"].try_number,
        generation=generation_of(context),
        fingerprint=claimed,
        resume=resume,
        on_mismatch=operator.on_mismatch,
    )


def _log_start(operator: OpenAISendRecordsOperator, log: DeliveryLog, base_url: str, try_number: int) -> None:
    operator.log.info(
        "Sending to %s as %s with connection %s; results go to %s%s",
        base_url,
        operator.endpoint_template().name,
        operator.conn_id,
        log.folder,
        ", after what earlier tries have settled" if log.is_resumed else "",
    )
    if try_number > 1 and not log.is_resumed and log.number == 1 and not operator.preview:
        operator.log.warning(
            "Try %d finds no state of earlier tries in %s and sends everything: "
            "results= in a storage that all workers share would keep it",
            try_number,
            log.folder,
        )


def _replay_of(source: Source, endpoint: str, log: DeliveryLog, *, keep_records: bool) -> Replay | None:
    if not isinstance(source, QuarantineSource):
        return None
    return Replay(source, folder_of, endpoint=endpoint, by=log.scope.as_row(), keep_records=keep_records)


def _tidy_form_of(operator: OpenAISendRecordsOperator) -> TidyForm:
    if operator.results_format == "parquet":
        require_pyarrow()
    vector_field = operator.endpoint_template().vector_field
    if vector_field and (extraction := operator.extraction()):
        vector_field = extraction.name_of(vector_field)
    return TidyForm(
        format=operator.results_format,
        order=operator.results_order,
        vector_field=vector_field,
        has_plain_vectors=operator.has_plain_vectors(),
    )


def _policy_of(operator: OpenAISendRecordsOperator, settings: ConnectionSettings) -> RetryPolicy:
    return RetryPolicy(
        table=table_of(operator.endpoint_template().path, *refusal_hints(settings, operator.conn_id)),
        ambiguous_retries=operator.ambiguous_retries,
        quarantine_unknown=operator.on_unknown == "quarantine",
    )


def _webhook_of(operator: OpenAISendRecordsOperator) -> WebhookSettings | None:
    if operator.preview or not operator.webhook_conn_id:
        return None
    return OpenAIDestWebhookHook(operator.webhook_conn_id).settings


def _speed_of(operator: OpenAISendRecordsOperator) -> Speed:
    return Speed(
        concurrency=operator.concurrency,
        requests_per_minute=operator.requests_per_minute,
        tokens_per_minute=operator.tokens_per_minute,
        images_per_minute=operator.images_per_minute,
        requests_per_day=operator.requests_per_day,
        max_wait=operator.longest_wait(),
    )
