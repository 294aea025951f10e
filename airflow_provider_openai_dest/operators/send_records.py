"""OpenAISendRecordsOperator: a data set to any endpoint. The named operators are thin forms of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow.sdk import BaseOperator

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.arguments import (
    as_data,
    as_literal,
    check_numbers,
    check_seconds,
    check_words,
    has_jinja,
    is_final,
    refuse_double_braces,
    refuse_unknown,
)
from airflow_provider_openai_dest.operators.end_of_run import log_end
from airflow_provider_openai_dest.operators.failures import told_to_airflow
from airflow_provider_openai_dest.operators.retry_policy import set_default_policy
from airflow_provider_openai_dest.rendering.body import WHOLE_RECORD, BodyTemplate, Missing
from airflow_provider_openai_dest.sources.keys import parse_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.delivery.tolerance import Tolerance
    from airflow_provider_openai_dest.operators.assembly import Delivery
    from airflow_provider_openai_dest.rendering.renderer import Renderer, RequestForm
    from airflow_provider_openai_dest.sources.record import Source

OnUnknown = Literal["resend", "quarantine"]
Resume = Literal["auto", "always", "never"]
FORMATS = ("csv", "json", "jsonl", "ndjson", "tsv")


class OpenAISendRecordsOperator(BaseOperator):
    """Send every record of a data set to an OpenAI endpoint and return the manifest of what came of it.

    Without ``records`` and ``source`` the request is sent once. One bad record never stops the others: it is
    rejected and quarantined, and the task fails at the end when more were rejected than allowed. A retry sends only
    what is not settled.

    :param endpoint: name of an endpoint, or an EndpointTemplate of your own.
    :param conn_id: Airflow connection of the type ``openai_dest``, or of the official provider's ``openai``.
    :param records: the records: the output of an upstream task, a list, one object, or a text (JSON is read as such).
        Records written here are data: Jinja does not touch them.
    :param source: path or URI of files (JSON, JSON Lines, CSV, TSV, each also gzipped), with globs; or a Source object.
        A quarantine file of an earlier run sends just its records again.
    :param source_format: format of the files where their extension does not tell it: ``jsonl``, ``json``, ``csv`` or
        ``tsv``.
    :param storage_conn_id: Airflow connection of the object storage that ``source``, ``results`` and files are in.
    :param key: field that identifies a record, such as ``sku`` or ``a.b[0]``; the default is its position.
    :param body: body of one request: a JSON value, or JSON text, with ``{message.field}`` in its texts. The default
        is the fields alone when they make a whole body, else the whole record, ``{message.json}``.
    :param fields: body fields set on top of ``body``.
    :param missing: what a missing field does: ``reject`` the record, send ``null``, or ``omit`` the field.
    :param results: folder, as a path or URI, for the outcomes; default ``[openai_dest] results_path`` with folders
        for Dag, run and task below it.
    :param keep_records: write each record beside its answer in the results.
    :param quarantine_records: write rejected records' data into the quarantine, which is needed to send them again.
    :param max_error_rate: share of the records that may be rejected, 0.0 to 1.0; the default allows none.
    :param max_errors: number of records that may be rejected.
    :param webhook_conn_id: Airflow connection of the type ``openai_dest_webhook``: each outcome is forwarded there.
    :param webhook_batch_size: outcomes in one webhook request.
    :param webhook_required: fail the task when the webhook did not get everything.
    :param concurrency: requests on the wire at once, at most; default the connection's, else 128.
    :param requests_per_minute: limit of the account; default the connection's, else learnt from the answers.
    :param tokens_per_minute: limit of the account; default the connection's, else learnt from the answers.
    :param images_per_minute: limit of the account; default the connection's, else learnt from the answers.
    :param requests_per_day: limit of the account; default the connection's, else learnt from the answers.
    :param max_wait: a longer wait than these seconds, asked by the server or the rate limit, frees the worker: what is
        done is kept and the task is rescheduled, no try is used; None waits in the worker, however long.
    :param ambiguous_retries: further tries of a request whose answer was lost; each may be billed again.
    :param on_unknown: what a record gets whose answer was lost for good: ``resend`` at the next try, or ``quarantine``.
    :param resume: ``auto``: a retry continues, and so does a clear of an unfinished delivery; a clear of a finished one
        sends anew. ``always`` or ``never`` force it, at every try: ``never`` pays again at a retry as well.
    :param skip_on_empty: skip the task when there are no records; otherwise it succeeds with zero counts.
    :param max_xcom_bytes: outcomes stand in the returned manifest while their JSON is smaller than this; default
        ``[openai_dest] max_xcom_bytes``, 49152.
    :param files_root: folder, as a path or URI, that files named by records must be in.
    """

    template_fields: Sequence[str] = (
        *("conn_id", "records", "source", "storage_conn_id", "key", "body", "fields", "results"),
        *("webhook_conn_id", "files_root"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"body": "json", "fields": "json"}
    ui_color = "#d2f4ea"

    def __init__(
        self,
        *,
        endpoint: str | EndpointTemplate,
        conn_id: str = "openai_dest_default",
        records: Any = None,
        source: Any = None,
        source_format: str | None = None,
        storage_conn_id: str | None = None,
        key: str | None = None,
        body: Any = None,
        fields: dict[str, Any] | None = None,
        missing: Missing = "reject",
        results: str | None = None,
        keep_records: bool = True,
        quarantine_records: bool = True,
        max_error_rate: float | None = None,
        max_errors: int | None = None,
        webhook_conn_id: str | None = None,
        webhook_batch_size: int = 1,
        webhook_required: bool = True,
        concurrency: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        images_per_minute: int | None = None,
        requests_per_day: int | None = None,
        max_wait: float | None = 120,
        ambiguous_retries: int = 1,
        on_unknown: OnUnknown = "resend",
        resume: Resume = "auto",
        skip_on_empty: bool = False,
        max_xcom_bytes: int | None = None,
        files_root: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown(type(self), kwargs)
        super().__init__(**kwargs)
        set_default_policy(self)
        if records is not None and source is not None:
            raise ConfigurationError("give records or source, not both")
        self.endpoint = endpoint
        self.conn_id = conn_id
        self.records = as_literal(records)
        self.source = source
        self.source_format = source_format
        self.storage_conn_id = storage_conn_id
        self.key = key
        self.body = body
        self.fields = {name: value for name, value in (fields or {}).items() if value is not None}
        self.missing = missing
        self.results = results
        self.keep_records = keep_records
        self.quarantine_records = quarantine_records
        self.max_error_rate = max_error_rate
        self.max_errors = max_errors
        self.webhook_conn_id = webhook_conn_id
        self.webhook_batch_size = webhook_batch_size
        self.webhook_required = webhook_required
        self.concurrency = concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.images_per_minute = images_per_minute
        self.requests_per_day = requests_per_day
        self.max_wait = max_wait
        self.ambiguous_retries = ambiguous_retries
        self.on_unknown = on_unknown
        self.resume = resume
        self.skip_on_empty = skip_on_empty
        self.max_xcom_bytes = max_xcom_bytes
        self.files_root = files_root
        self._sends_once = records is None and source is None
        self._records_are_text = isinstance(records, str) and has_jinja(records)
        self._delivery: Delivery | None = None
        self._is_killed = False
        self._check_arguments()

    def execute(self, context: Context) -> dict[str, Any]:
        """Deliver the records and return the manifest."""
        with told_to_airflow(self.log):
            return self._deliver(context)

    def on_kill(self) -> None:
        """Send nothing more; what was answered is kept, the rest stays pending."""
        self._is_killed = True
        if self._delivery is not None:
            self._delivery.stop()

    def endpoint_template(self) -> EndpointTemplate:
        """Give the template of the endpoint; raises ConfigurationError with the nearest names."""
        return find_endpoint(self.endpoint)

    def body_template(self) -> BodyTemplate:
        """Read the template of the body; raises InvalidTemplateError with the place."""
        return BodyTemplate(self._body_or_default(), fields=self.fields, missing=self.missing)

    def read_source(self) -> Source:
        """Open what the records are read from."""
        from airflow_provider_openai_dest.operators.inputs import open_source

        return open_source(
            [{}] if self._sends_once else as_data(self.records),
            self.source,
            key=self.key,
            source_format=self.source_format,
            storage_conn_id=self.storage_conn_id,
            must_be_json=self._records_are_text,
        )

    def renderer(self, form: RequestForm) -> Renderer:
        """Make what turns records into requests: packed where the endpoint takes several records."""
        from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, SingleRenderer

        body = self.body_template()
        return PackedRenderer(form, body) if form.endpoint.packing else SingleRenderer(form, body)

    def request_form(self, settings: ConnectionSettings) -> RequestForm:
        """Make the parts of the requests that are the same for all records."""
        from airflow_provider_openai_dest.operators.inputs import file_references
        from airflow_provider_openai_dest.rendering.renderer import RequestForm

        return RequestForm(
            self.endpoint_template(),
            base_url=settings.base_url,
            files=file_references(self.files_root, self.storage_conn_id),
        )

    def template_parts(self) -> list[Any]:
        """Give what shapes the requests: if it changes under a half-done delivery, the delivery is refused."""
        return [self._body_or_default(), self.fields, self.missing]

    def _deliver(self, context: Context) -> dict[str, Any]:
        from airflow_provider_openai_dest.operators.airflow_versions import AirflowSkipException

        source = self.read_source()
        delivery = self._delivery = self._new_delivery(context)
        if self._is_killed:
            raise TransientError("the task was killed before anything was sent")
        manifest = delivery.run(source)
        row = manifest.as_dict()
        log_end(self.log, row)
        try:
            delivery.raise_failure(manifest, webhook_required=self.webhook_required)
            self._tolerance().check(manifest)
        except Exception:
            context["ti"].xcom_push(key="return_value", value=row)
            raise
        if self.skip_on_empty and not manifest.input:
            raise AirflowSkipException("there are no records")
        return row

    def _new_delivery(self, context: Context) -> Delivery:
        from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
        from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
        from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
        from airflow_provider_openai_dest.hooks.webhook import OpenAIDestWebhookHook
        from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
        from airflow_provider_openai_dest.operators.metrics import meter_of
        from airflow_provider_openai_dest.operators.places import (
            generation_of,
            max_xcom_bytes,
            new_ownership,
            results_folder,
            scope_of,
            was_rescheduled,
        )

        settings = OpenAIDestHook(self.conn_id).settings
        webhook = OpenAIDestWebhookHook(self.webhook_conn_id).settings if self.webhook_conn_id else None
        endpoint = self.endpoint_template()
        renderer = self.renderer(self.request_form(settings))
        policy = RetryPolicy(
            ambiguous_retries=self.ambiguous_retries, quarantine_unknown=self.on_unknown == "quarantine"
        )
        scope = scope_of(context)
        log = DeliveryLog(
            results_folder(self.results, scope, self.storage_conn_id),
            scope,
            try_number=context["ti"].try_number,
            generation=generation_of(context),
            fingerprint=self._fingerprint(settings, endpoint),
            # A try that has waited goes on with itself, also where each try sends everything anew.
            resume="auto" if self.resume == "never" and was_rescheduled(context) else self.resume,
        )
        self.log.info(
            "Sending to %s as %s with connection %s; results go to %s%s",
            settings.base_url,
            endpoint.name,
            self.conn_id,
            log.folder,
            ", after what earlier tries have settled" if log.is_resumed else "",
        )
        if context["ti"].try_number > 1 and not log.is_resumed and log.number == 1:
            self.log.warning(
                "Try %d finds no state of earlier tries in %s and sends everything: "
                "results= in a storage that all workers share would keep it",
                context["ti"].try_number,
                log.folder,
            )
        ownership = new_ownership(log, context)
        return Delivery(
            endpoint=endpoint,
            renderer=renderer,
            dispatcher=new_dispatcher(
                settings,
                Speed(
                    concurrency=self.concurrency,
                    requests_per_minute=self.requests_per_minute,
                    tokens_per_minute=self.tokens_per_minute,
                    images_per_minute=self.images_per_minute,
                    requests_per_day=self.requests_per_day,
                    max_wait=self.longest_wait(),
                ),
                policy,
                ownership.is_kept,
            ),
            log=log,
            storage=Storage(
                keep_records=self.keep_records,
                quarantine_records=self.quarantine_records,
                max_xcom_bytes=max_xcom_bytes(self.max_xcom_bytes),
            ),
            webhook=webhook,
            webhook_batch_size=self.webhook_batch_size,
            ownership=ownership,
            quarantine_unknown=self.on_unknown == "quarantine",
            meter=meter_of(context, endpoint=endpoint.name, model=self.one_model()),
        )

    def longest_wait(self) -> float | None:
        """Give the seconds that a worker is held by a wait; None where the task would not come back in time."""
        from airflow_provider_openai_dest.operators.airflow_versions import reschedule_is_honoured

        return self.max_wait if reschedule_is_honoured() else None

    def one_model(self) -> str | None:
        """Give the model when it is the same for all records; else None."""
        named = self.fields.get("model") or (self.body.get("model") if isinstance(self.body, Mapping) else None)
        return named if isinstance(named, str) and "{" not in named else None

    def _body_or_default(self) -> Any:
        if self.body is not None:
            return self.body
        endpoint = self.endpoint_template()
        if endpoint.content == "none" or (self.fields and set(endpoint.required) <= set(self.fields)):
            return {}
        return WHOLE_RECORD

    def _check_arguments(self) -> None:
        """Raise ConfigurationError for what can be told before the task runs."""
        check_words(
            {
                "missing": (self.missing, get_args(Missing)),
                "on_unknown": (self.on_unknown, get_args(OnUnknown)),
                "resume": (self.resume, get_args(Resume)),
                "source_format": (self.source_format, FORMATS),
            }
        )
        check_numbers(
            {
                "max_errors": (self.max_errors, 0, None),
                "webhook_batch_size": (self.webhook_batch_size, 1, None),
                "concurrency": (self.concurrency, 1, 512),
                "requests_per_minute": (self.requests_per_minute, 1, None),
                "tokens_per_minute": (self.tokens_per_minute, 1, None),
                "images_per_minute": (self.images_per_minute, 1, None),
                "requests_per_day": (self.requests_per_day, 1, None),
                "ambiguous_retries": (self.ambiguous_retries, 0, None),
                "max_xcom_bytes": (self.max_xcom_bytes, 0, None),
            }
        )
        check_seconds({"max_wait": (self.max_wait, 1)})
        self._tolerance()
        refuse_double_braces(self.body, "body")
        refuse_double_braces(self.fields, "fields")
        if self.key is not None and is_final(self.key):
            parse_key(self.key)
        self.endpoint_template()
        if is_final(self.body, self.fields):
            self.body_template()

    def _tolerance(self) -> Tolerance:
        from airflow_provider_openai_dest.delivery.tolerance import Tolerance

        return Tolerance(max_error_rate=self.max_error_rate, max_errors=self.max_errors)

    def _fingerprint(self, settings: ConnectionSettings, endpoint: EndpointTemplate) -> dict[str, str]:
        template = json.dumps(self.template_parts(), sort_keys=True, default=repr)
        return {
            "connection": self.conn_id,
            "origin": settings.base_url,
            "organization": settings.organization or "",
            "project": settings.project or "",
            "endpoint": f"{endpoint.method} {endpoint.path}",
            "template": hashlib.sha256(template.encode()).hexdigest()[:16],
        }
