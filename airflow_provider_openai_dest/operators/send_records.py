"""OpenAISendRecordsOperator: a data set to any endpoint. The named operators are thin forms of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.operators.arguments import (
    as_data,
    as_literal,
    check_all,
    has_jinja,
    refuse,
    unknown_faults,
)
from airflow_provider_openai_dest.operators.delivery_arguments import (
    OnMismatch,
    OnUnknown,
    ResultsFormat,
    ResultsOrder,
    Resume,
    body_fields,
    delivery_checks,
    new_body_check,
)
from airflow_provider_openai_dest.operators.failures import told_to_airflow
from airflow_provider_openai_dest.operators.retry_policy import set_default_policy
from airflow_provider_openai_dest.rendering.body import BodyTemplate, Missing, default_body
from airflow_provider_openai_dest.rendering.body_fault import Validate

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.answers.answer import ReadOutcomes
    from airflow_provider_openai_dest.answers.extraction import Extraction
    from airflow_provider_openai_dest.answers.text_format import TextFormat
    from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits
    from airflow_provider_openai_dest.delivery.tolerance import Tolerance
    from airflow_provider_openai_dest.operators.assembly import Delivery
    from airflow_provider_openai_dest.rendering.long_inputs import LongInputs
    from airflow_provider_openai_dest.rendering.renderer import Renderer
    from airflow_provider_openai_dest.rendering.request_form import RequestForm
    from airflow_provider_openai_dest.sources.record import Source
    from airflow_provider_openai_dest.validation.body_check import BodyCheck


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
        A quarantine file of an earlier run, or ``quarantine_of("dag", "task")``, sends just its records again;
        ``OpenAIListSource(path="/files")`` reads a list of the API.
    :param source_format: format of the files where their extension does not tell it: ``jsonl``, ``json``, ``csv`` or
        ``tsv``.
    :param storage_conn_id: Airflow connection of the object storage that ``source``, ``results`` and files are in.
    :param key: field that identifies a record, such as ``sku`` or ``a.b[0]``; the default is its position.
    :param body: body of one request: a JSON value, or JSON text, with ``{message.field}`` in its texts. The default
        is the fields alone when they make a whole body, else the whole record, ``{message.json}``.
    :param fields: body fields set on top of ``body``.
    :param missing: what a missing field does: ``reject`` the record, send ``null``, or ``omit`` the field.
    :param validate: what is done with a body that the API would certainly refuse: ``strict`` rejects the record unsent
        (and fails the task at its start when all records share the fault), ``warn`` logs the first of each kind and
        sends it, ``off`` looks at the required fields alone. Default: ``strict``, and ``warn`` for servers that are
        not OpenAI's.
    :param text_format: form of the answer's text, for chat completions and responses: a pydantic model, a dataclass, a
        TypedDict, a JSON Schema, or the dotted path of one. The API is told to keep to it, and each answer holds the
        object under ``output_parsed``; a text that does not fit rejects the record and is kept.
    :param extract: fields of the answer that are kept in the place of all of it, each with its path, such as
        ``{"text": "output[0].content[0].text"}``. What an answer lacks is null; one that has none is rejected.
    :param results: folder, as a path or URI, for the outcomes; default ``[openai_dest] results_path`` with folders
        for Dag, run and task below it.
    :param results_format: ``jsonl``, ``jsonl.gz`` or ``parquet`` (which needs the extra of that name): once nothing is
        pending, the results are written as files of this form with each record once; ``jsonl`` leaves the rows.
    :param results_order: ``completion``, or ``input``: such files are in the order of the data set.
    :param keep_records: write each record beside its answer in the results.
    :param quarantine_records: write rejected records' data into the quarantine, which is needed to send them again, and
        items that a webhook refused into the file of those.
    :param quarantine_body: write what was sent of a rejected record beside it, without secrets.
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
    :param deduplicate: send equal requests once and give each of their records the answer; default: where the endpoint
        gives equal answers, as embeddings and moderations do.
    :param max_wait: a longer wait than these seconds, asked by the server or the rate limit, frees the worker: what is
        done is kept and the task is rescheduled, no try is used; None waits in the worker, however long.
    :param ambiguous_retries: further tries of a request whose answer was lost; each may be billed again.
    :param on_unknown: what a record gets whose answer was lost for good: ``resend`` at the next try, or ``quarantine``.
    :param resume: ``auto``: a retry continues, and so does a clear of an unfinished delivery; a clear of a finished one
        sends anew. ``always`` or ``never`` force it, at every try: ``never`` pays again at a retry as well.
    :param on_mismatch: what a change of connection, address, account, endpoint, model, template or source under a
        half-done delivery does: ``fail`` the task, or ``restart``: send everything anew, as the next delivery.
    :param skip_on_empty: skip the task when there are no records; otherwise it succeeds with zero counts.
    :param max_xcom_bytes: outcomes stand in the returned manifest while their JSON is smaller than this; default
        ``[openai_dest] max_xcom_bytes``, 49152.
    :param max_cost: US dollars that may be spent, over all tries: nothing more is sent then, the rest is pending, and
        the task fails without a retry. Needs the extra ``cost``, and a model whose price is known.
    :param max_tokens_total: tokens, sent and received, that may be used over all tries; in the same way.
    :param max_requests: requests that each try may send, repeated ones included; in the same way.
    :param preview: send just the first so many records, and show what is sent and answered; the rows go to the folder
        ``preview`` below the results, nothing is forwarded, and the real delivery sends these records again.
    :param estimate_only: send nothing: read and render all, and return what would be sent and cost, and what rejected.
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
        validate: Validate | None = None,
        text_format: Any = None,
        extract: Mapping[str, str] | None = None,
        results: str | None = None,
        results_format: ResultsFormat = "jsonl",
        results_order: ResultsOrder = "completion",
        keep_records: bool = True,
        quarantine_records: bool = True,
        quarantine_body: bool = False,
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
        deduplicate: bool | None = None,
        max_wait: float | None = 120,
        ambiguous_retries: int = 1,
        on_unknown: OnUnknown = "resend",
        resume: Resume = "auto",
        on_mismatch: OnMismatch = "fail",
        skip_on_empty: bool = False,
        max_xcom_bytes: int | None = None,
        max_cost: float | None = None,
        max_tokens_total: int | None = None,
        max_requests: int | None = None,
        preview: int | None = None,
        estimate_only: bool = False,
        files_root: str | None = None,
        **kwargs: Any,
    ) -> None:
        unknown = unknown_faults(type(self), kwargs, partial(body_fields, endpoint))
        super().__init__(**{name: value for name, value in kwargs.items() if name not in unknown})
        set_default_policy(self)
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
        self.validate = validate
        self.text_format = text_format
        self.extract = extract
        self.results = results
        self.results_format, self.results_order = results_format, results_order
        self.keep_records = keep_records
        self.quarantine_records = quarantine_records
        self.quarantine_body = quarantine_body
        self.max_error_rate, self.max_errors = max_error_rate, max_errors
        self.webhook_conn_id = webhook_conn_id
        self.webhook_batch_size = webhook_batch_size
        self.webhook_required = webhook_required
        self.concurrency = concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.images_per_minute = images_per_minute
        self.requests_per_day = requests_per_day
        self.deduplicate = deduplicate
        self.max_wait = max_wait
        self.ambiguous_retries = ambiguous_retries
        self.on_unknown = on_unknown
        self.resume, self.on_mismatch = resume, on_mismatch
        self.skip_on_empty = skip_on_empty
        self.max_xcom_bytes = max_xcom_bytes
        self.max_cost, self.max_tokens_total, self.max_requests = max_cost, max_tokens_total, max_requests
        self.preview, self.estimate_only = preview, estimate_only
        self.files_root = files_root
        self._sends_once = records is None and source is None
        self._records_are_text = isinstance(records, str) and has_jinja(records)
        self.delivery: Delivery | None = None
        self.checked_by: BodyCheck | None = None
        self._is_killed = False
        check_all([partial(refuse, *unknown.values()), *self.argument_checks()])

    def execute(self, context: Context) -> dict[str, Any]:
        """Deliver the records and return the manifest."""
        from airflow_provider_openai_dest.operators.delivering import deliver

        with told_to_airflow(self.log):
            return deliver(self, context)

    def dry_run(self) -> None:
        """Show the template fields, and what would be sent and cost; nothing is sent."""
        from airflow_provider_openai_dest.operators.before_sending import dry_run

        super().dry_run()
        dry_run(self)

    def on_kill(self) -> None:
        """Send nothing more; what was answered is kept, the rest stays pending."""
        self._is_killed = True
        if self.delivery is not None:
            self.delivery.stop()

    def is_killed(self) -> bool:
        """Tell whether somebody has ended the task."""
        return self._is_killed

    def endpoint_template(self) -> EndpointTemplate:
        """Give the template of the endpoint; raises ConfigurationError with the nearest names."""
        return find_endpoint(self.endpoint)

    def body_template(self) -> BodyTemplate:
        """Read the template of the body; raises InvalidTemplateError with the place."""
        wanted = self.wanted_format()
        fields = wanted.added_to(self.fields, self.body, self.missing) if wanted else self.fields
        return BodyTemplate(self._body_or_default(), fields=fields, missing=self.missing)

    def wanted_format(self) -> TextFormat | None:
        """Read the form of the answers' texts; None where any will do. Raises ConfigurationError."""
        if self.text_format is None:
            return None
        from airflow_provider_openai_dest.answers.text_format import TextFormat

        return TextFormat(self.text_format, self.endpoint_template())

    def read_answers(self) -> ReadOutcomes:
        """Give what makes outcomes of an answer: as it is, or with its text parsed."""
        from airflow_provider_openai_dest.answers.answer import read_outcomes

        wanted = self.wanted_format()
        return wanted.reading(read_outcomes) if wanted else read_outcomes

    def body_check(self, settings: ConnectionSettings) -> BodyCheck | None:
        """Look at what all bodies share, and make what looks at the rest; raises ConfigurationError with all faults."""
        self.checked_by = new_body_check(self, settings)
        return self.checked_by

    def has_records(self) -> bool:
        """Tell whether there are records; without any one request is sent, which can use nothing of a record."""
        return self.records is not None or self.source is not None

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
        from airflow_provider_openai_dest.rendering.duplicates import new_originals
        from airflow_provider_openai_dest.rendering.renderer import new_renderer

        originals = new_originals(form.endpoint, self.deduplicate)
        return new_renderer(form, self.body_template(), originals, self.long_inputs())

    def long_inputs(self) -> LongInputs | None:
        """Give what becomes of packed inputs that are too long; None rejects them."""
        return None

    def has_plain_vectors(self) -> bool:
        """Tell whether files of JSON Lines show the numbers of a vector, and not its bytes."""
        return False

    def with_state(
        self,
        renderer: Renderer,
        form: RequestForm,  # noqa: ARG002 - for operators that send more than one request for a record
        log: DeliveryLog,  # noqa: ARG002
        settings: ConnectionSettings,  # noqa: ARG002
    ) -> Renderer:
        """Give the renderer what it needs of the state of earlier tries."""
        return renderer

    def request_form(self, settings: ConnectionSettings) -> RequestForm:
        """Make the parts of the requests that are the same for all records."""
        from airflow_provider_openai_dest.operators.inputs import file_references
        from airflow_provider_openai_dest.rendering.request_form import RequestForm

        return RequestForm(
            self.spoken_endpoint(settings),
            base_url=settings.base_url,
            files=file_references(self.files_root, self.storage_conn_id),
            check=self.body_check(settings),
            has_rules=self.validate in (None, "strict"),
        )

    def spoken_endpoint(self, settings: ConnectionSettings) -> EndpointTemplate:
        """Give the endpoint as the connection's server has it; raises ConfigurationError when it has not."""
        from airflow_provider_openai_dest.operators.inputs import dialect_of

        dialect = dialect_of(settings)
        body = self.body if isinstance(self.body, Mapping) else {}
        return dialect.spoken(self.endpoint_template(), {*self.fields, *body})

    def template_parts(self) -> list[Any]:
        """Give what shapes the requests: if it changes under a half-done delivery, the delivery is refused."""
        parts = [self._body_or_default(), self.fields, self.missing]
        wanted = self.wanted_format()
        return [*parts, wanted.schema] if wanted else parts

    def extraction(self) -> Extraction | None:
        """Read which fields of an answer are kept; None keeps all of it. Raises ConfigurationError."""
        if self.extract is None:
            return None
        from airflow_provider_openai_dest.answers.extraction import Extraction

        return Extraction(self.extract)

    def model(self) -> str | None:
        """Give the model as it is written, which may be a placeholder; None when it stands in the records."""
        named = self.fields.get("model") or (self.body.get("model") if isinstance(self.body, Mapping) else None)
        return named if isinstance(named, str) else None

    def one_model(self) -> str | None:
        """Give the model when it is the same for all records; else None."""
        named = self.model()
        return named if named and "{" not in named else None

    def budget_limits(self) -> BudgetLimits:
        """Give what may be spent; raises ConfigurationError for what is no limit."""
        from airflow_provider_openai_dest.delivery.budget_limits import BudgetLimits

        return BudgetLimits(
            max_cost=self.max_cost, max_tokens_total=self.max_tokens_total, max_requests=self.max_requests
        )

    def longest_wait(self) -> float | None:
        """Give the seconds that a worker is held by a wait; None where the task would not come back in time."""
        from airflow_provider_openai_dest.operators.airflow_versions import reschedule_is_honoured

        return self.max_wait if reschedule_is_honoured() else None

    def _body_or_default(self) -> Any:
        return default_body(self.endpoint_template(), self.fields) if self.body is None else self.body

    def argument_checks(self) -> Iterable[Callable[[], object]]:
        """Give what looks at the arguments before the task runs; the faults of all are told at once."""
        return delivery_checks(self)

    def tolerance(self) -> Tolerance:
        """Give how many records may be rejected; raises ConfigurationError for what is no tolerance."""
        from airflow_provider_openai_dest.delivery.tolerance import Tolerance

        return Tolerance(max_error_rate=self.max_error_rate, max_errors=self.max_errors)
