"""OpenAIWebhookOperator: outcomes of an upstream task, or any records, to a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.arguments import (
    as_data,
    as_literal,
    check_numbers,
    has_jinja,
    refuse_unknown,
)
from airflow_provider_openai_dest.operators.end_of_run import log_end
from airflow_provider_openai_dest.operators.failures import told_to_airflow
from airflow_provider_openai_dest.operators.retry_policy import set_default_policy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.checkpoint.scope import Scope
    from airflow_provider_openai_dest.destination import Destination
    from airflow_provider_openai_dest.sources.record import Source


class OpenAIWebhookOperator(BaseOperator):
    """Forward outcomes to a webhook, signed as Standard Webhooks 1.0, at least once, each with a stable id.

    OpenAI is never called. A retry forwards only what did not arrive.

    :param webhook_conn_id: Airflow connection of the type ``openai_dest_webhook``.
    :param manifest: what an operator of this package returned: each of its outcomes is forwarded.
    :param records: any records instead: a list, one object, or a text.
    :param source: path or URI of files with records instead; a file of undelivered items sends just these again.
    :param storage_conn_id: Airflow connection of the object storage that the files are in.
    :param key: field that identifies a record of ``records`` or ``source``; the default is its position.
    :param batch_size: items in one request.
    :param concurrency: requests on the wire at once.
    :param results: folder for what arrived and what did not; default as for the other operators.
    :param webhook_required: fail the task when an item did not arrive.
    """

    template_fields: Sequence[str] = (
        "webhook_conn_id",
        "manifest",
        "records",
        "source",
        "storage_conn_id",
        "key",
        "results",
    )
    ui_color = "#e4dcfa"

    def __init__(
        self,
        *,
        webhook_conn_id: str = "openai_dest_webhook_default",
        manifest: Any = None,
        records: Any = None,
        source: Any = None,
        storage_conn_id: str | None = None,
        key: str | None = None,
        batch_size: int = 1,
        concurrency: int = 8,
        results: str | None = None,
        webhook_required: bool = True,
        **kwargs: Any,
    ) -> None:
        refuse_unknown(type(self), kwargs)
        super().__init__(**kwargs)
        set_default_policy(self)
        if sum(value is not None for value in (manifest, records, source)) != 1:
            raise ConfigurationError("give one of manifest, records and source")
        check_numbers({"batch_size": (batch_size, 1, None), "concurrency": (concurrency, 1, 512)})
        self.webhook_conn_id = webhook_conn_id
        self.manifest = manifest
        self.records = as_literal(records)
        self.source = source
        self.storage_conn_id = storage_conn_id
        self.key = key
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.results = results
        self.webhook_required = webhook_required
        self._forwards_manifest = manifest is not None
        self._records_are_text = isinstance(records, str) and has_jinja(records)
        self._destination: Destination | None = None
        self._is_killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Forward the items and return the manifest of what arrived."""
        with told_to_airflow(self.log):
            return self._forward(context)

    def on_kill(self) -> None:
        """Send nothing more; the rest is forwarded by the next try."""
        self._is_killed = True
        if self._destination is not None:
            self._destination.stop()

    def _forward(self, context: Context) -> dict[str, Any]:
        from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
        from airflow_provider_openai_dest.hooks.webhook import OpenAIDestWebhookHook
        from airflow_provider_openai_dest.operators.forwarding import (
            FORWARDED,
            UNDELIVERED,
            raise_if_undelivered,
            webhook_destination,
        )
        from airflow_provider_openai_dest.operators.list_source import OpenAIListSource
        from airflow_provider_openai_dest.operators.places import generation_of, results_folder, scope_of

        if isinstance(self.source, OpenAIListSource):
            render = partial(self.render_template, context=context)
            self.source = self.source.opened(
                render, conn_id="openai_dest_default", key=self.key, is_stopped=lambda: self._is_killed
            )
        scope = scope_of(context)
        log = DeliveryLog(
            results_folder(self.results, scope, self.storage_conn_id),
            scope,
            try_number=context["ti"].try_number,
            generation=generation_of(context),
            fingerprint={"connection": self.webhook_conn_id},
        )
        destination = self._destination = webhook_destination(
            OpenAIDestWebhookHook(self.webhook_conn_id).settings,
            log,
            batch_size=self.batch_size,
            concurrency=self.concurrency,
            earlier=log.delivered(FORWARDED),
            intake_chunk=64,
        )
        if self._is_killed:
            raise TransientError("the task was killed before anything was forwarded")
        manifest = destination.run(self._items(scope, log.number))
        manifest.origin, manifest.delivery = scope.as_row(), log.number
        manifest.results = log.pattern(FORWARDED)
        manifest.quarantine = log.pattern(UNDELIVERED, of="try") if manifest.rejected else None
        self._check_count(manifest.input)
        row = manifest.as_dict()
        log.end(row)
        log_end(self.log, row)
        if self.webhook_required:
            try:
                raise_if_undelivered(destination, manifest)
            except Exception:
                context["ti"].xcom_push(key="return_value", value=row)
                raise
        return row

    def _check_count(self, found: int) -> None:
        expected = self.manifest["delivered"] + self.manifest["rejected"] if self._forwards_manifest else found
        if found < expected:
            raise TransientError(f"{found} of {expected} outcomes were found in {self.manifest['results']}")

    def _items(self, scope: Scope, delivery: int) -> Source:
        from airflow_provider_openai_dest.operators.forwarding import item_maker
        from airflow_provider_openai_dest.operators.inputs import open_source
        from airflow_provider_openai_dest.sinks.webhook_items import ItemsSource, from_record
        from airflow_provider_openai_dest.sources.quarantine import QuarantineSource

        if self._forwards_manifest:
            return self._items_of_manifest(_checked_manifest(self.manifest))
        source = open_source(
            as_data(self.records),
            self.source,
            key=self.key,
            storage_conn_id=self.storage_conn_id,
            must_be_json=self._records_are_text,
        )
        if isinstance(source, QuarantineSource):  # items that did not arrive, with their ids
            return source
        make = item_maker("records", scope.as_row(), delivery, self.source if isinstance(self.source, str) else None)
        return ItemsSource(source, lambda record: make(from_record(record)))

    def _items_of_manifest(self, manifest: dict[str, Any]) -> Source:
        """Make an item of each outcome that holds: of a record that was tried again, the last one."""
        from airflow_provider_openai_dest.operators.forwarding import item_maker
        from airflow_provider_openai_dest.operators.object_storage import find_files
        from airflow_provider_openai_dest.sinks.webhook_items import ItemsSource, OutcomeRows, from_row
        from airflow_provider_openai_dest.sources.files import FilesSource

        pattern = manifest.get("rows") or manifest["results"]
        files = find_files(pattern, self.storage_conn_id) if pattern else []
        if pattern and not files:
            raise ConfigurationError(
                f"manifest= names results that this worker does not see: {pattern}; "
                "give the upstream task results= in a storage that all workers share"
            )
        rows = FilesSource(list(reversed(files)), file_format="jsonl")
        make = item_maker(manifest["endpoint"], manifest["origin"], manifest["delivery"], manifest["results"])
        return ItemsSource(OutcomeRows(rows), lambda record: make(from_row(record)))


def _checked_manifest(manifest: Any) -> dict[str, Any]:
    needed = ("endpoint", "origin", "delivery", "results", "delivered")
    if isinstance(manifest, (list, tuple)):
        raise ConfigurationError(
            "manifest= is a list, the output of a mapped task: forward each with "
            "OpenAIWebhookOperator.partial(...).expand(manifest=upstream.output)"
        )
    if not isinstance(manifest, dict) or any(name not in manifest for name in needed):
        raise ConfigurationError("manifest= is not what an operator of this package returned: give it upstream.output")
    return manifest
