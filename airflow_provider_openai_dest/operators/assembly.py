"""Assembly: what a task needs to deliver, made of its arguments, its connections and its context."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.answers.answer import ReadOutcomes, read_outcomes
from airflow_provider_openai_dest.answers.extraction import Extraction
from airflow_provider_openai_dest.answers.preview import Preview
from airflow_provider_openai_dest.answers.sent_body import with_bodies
from airflow_provider_openai_dest.checkpoint.claims import CLAIM_RECORDS, FEWER_RECORDS, Claims
from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.fates import Fates
from airflow_provider_openai_dest.checkpoint.ownership import Ownership
from airflow_provider_openai_dest.checkpoint.portion_log import PortionLog
from airflow_provider_openai_dest.checkpoint.replay import Replay
from airflow_provider_openai_dest.checkpoint.tidy_results import TidyForm, TidyResults
from airflow_provider_openai_dest.connection.client import account_headers, request_headers, ssl_context
from airflow_provider_openai_dest.connection.proxy import proxy_url
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.connection.webhook_settings import WebhookSettings
from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.budget import NOTHING, Budget
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.garbage import rare_collections
from airflow_provider_openai_dest.delivery.meter import Meter
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.settlement import APPEND, PUT
from airflow_provider_openai_dest.destination import INTAKE_CHUNK, Destination
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import SinkError, TransientError
from airflow_provider_openai_dest.limits.rate_limit import Limits
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators.forwarding import (
    FORWARDED,
    UNDELIVERED,
    item_maker,
    raise_if_undelivered,
    webhook_destination,
)
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, Renderer
from airflow_provider_openai_dest.sinks.binary_files import BinaryFiles
from airflow_provider_openai_dest.sinks.results import QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sinks.sink import Sink
from airflow_provider_openai_dest.sinks.webhook import WebhookSink
from airflow_provider_openai_dest.sources.record import Record, Source
from airflow_provider_openai_dest.wire.direct_wire import new_wire
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.token_wire import TokenWire
from airflow_provider_openai_dest.wire.wire import Wire

DEFAULT_CONCURRENCY = 128
"""Requests on the wire at most; how many there are, the window decides."""

RESULTS = "outcomes"
QUARANTINE = "quarantine"


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What the operator says of speed; None leaves it to the connection, and then to what the answers say.

    ``max_wait`` is the longest wait in seconds that holds the worker; None waits as long as it takes.
    """

    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    images_per_minute: int | None = None
    requests_per_day: int | None = None
    max_wait: float | None = None


@dataclass(frozen=True, kw_only=True)
class Storage:
    """What is kept of records and answers, and how much of the outcomes goes to XCom."""

    keep_records: bool = True
    quarantine_records: bool = True
    quarantine_body: bool = False
    max_xcom_bytes: int
    extract: Extraction | None = None
    tidy: TidyForm = field(default_factory=TidyForm)


def new_dispatcher(
    settings: ConnectionSettings,
    speed: Speed,
    policy: RetryPolicy,
    may_send: Callable[[], bool] = lambda: True,
    *,
    budget: Budget | None = None,
    tokens: TokenSource | None = None,
) -> Dispatcher:
    """Make the dispatcher of a connection; ``tokens`` gives the token where the connection's expires."""
    return Dispatcher(
        _new_wire(settings, tokens, may_send),
        ApiAddress(request_headers(settings), account_headers(settings)),
        policy=policy,
        limits=Limits(
            requests_per_minute=speed.requests_per_minute or settings.requests_per_minute,
            tokens_per_minute=speed.tokens_per_minute or settings.tokens_per_minute,
            images_per_minute=speed.images_per_minute or settings.images_per_minute,
            requests_per_day=speed.requests_per_day or settings.requests_per_day,
        ),
        concurrency=speed.concurrency or settings.concurrency or DEFAULT_CONCURRENCY,
        clock=SystemClock(),
        random=random.random,
        max_wait=speed.max_wait,
        may_send=may_send,
        budget=budget,
    )


def _new_wire(settings: ConnectionSettings, tokens: TokenSource | None, may_send: Callable[[], bool]) -> Wire:
    reading = Reading(secrets=settings.secrets, collects_streams=True)
    wire = new_wire(settings.timeout, ssl_context(settings), reading, proxy_url(settings))
    if tokens is None:
        return wire
    tokens.tell(reading.secrets.add)
    return TokenWire(wire, tokens, settings.credential, may_send)


class Delivery:
    """One try of a task: the destination with its sinks, its state, and the webhook beside it.

    :param log: state and rows of this delivery.
    :param webhook: where the outcomes are forwarded; None forwards nothing.
    :param meter: takes what is measured.
    :param ownership: whether this try may still send.
    :param replay: settles what is delivered where it was rejected before, when the source is a quarantine.
    :param secrets: what may not stand in the quarantine.
    :param billing: puts a cost on what was answered.
    :param preview: looks at what is sent and answered.
    :param quarantine_unknown: reject records that a try which died may have sent, where they would be sent again.
    :param read: gives the outcomes of an answer.
    """

    def __init__(
        self,
        *,
        endpoint: EndpointTemplate,
        renderer: Renderer,
        dispatcher: Dispatcher,
        log: DeliveryLog,
        storage: Storage,
        webhook: WebhookSettings | None = None,
        webhook_batch_size: int = 1,
        meter: Meter | None = None,
        ownership: Ownership | None = None,
        replay: Replay | None = None,
        secrets: Sequence[str] = (),
        billing: Billing | None = None,
        preview: Preview | None = None,
        quarantine_unknown: bool = False,
        read: ReadOutcomes = read_outcomes,
    ) -> None:
        self._log = log
        self._ownership = ownership or Ownership()
        self._replay = replay
        self._tidy = TidyResults(log, RESULTS, storage.tidy) if storage.tidy.is_wanted else None
        self._failure: Exception | None = None
        self._as_item = item_maker(endpoint.name, log.scope.as_row(), log.number, log.pattern(RESULTS))
        self._webhook = (
            webhook_destination(webhook, log, batch_size=webhook_batch_size, keep_items=storage.quarantine_records)
            if webhook
            else None
        )
        portions = PortionLog(log)
        if isinstance(renderer, PackedRenderer):
            renderer.keep_in(portions)
        self._forwarding = WebhookSink(self._webhook.run, self._as_item) if self._webhook else None
        self._destination = Destination(
            endpoint=endpoint,
            renderer=renderer,
            dispatcher=dispatcher,
            sinks=self._sinks(storage),
            keep=_keeping(BinaryFiles(log.folder, endpoint), storage.extract),
            read=preview.read if preview else with_bodies(secrets, read) if storage.quarantine_body else read,
            billing=billing,
            earlier=self._earlier() if self._forwarding or self._replay else log.settled(),
            fates=Fates(
                Claims(
                    log.rows("claims"),
                    FEWER_RECORDS if quarantine_unknown else CLAIM_RECORDS,
                    untold=billing.untold if billing else lambda: NOTHING,
                ),
                log.claimed(),
                portions if isinstance(renderer, PackedRenderer) else None,
            ),
            quarantine_unknown=quarantine_unknown,
            intake_chunk=FEWER_RECORDS if quarantine_unknown else INTAKE_CHUNK,
            flush=APPEND if isinstance(log.folder, Path) else PUT,
            max_inline_bytes=storage.max_xcom_bytes,
            on_interrupt=self.stop,
            meter=meter,
            watch=self._watch,
        )
        self._keeps_records = storage.keep_records
        self._to_forward: dict[str, Outcome] = {}

    def run(self, source: Source) -> Manifest:
        """Send the source, forward the outcomes, and put the manifest beside the results."""
        with rare_collections():
            manifest = self._destination.run(self._watched(source))
        manifest.origin = self._log.scope.as_row()
        manifest.delivery = self._log.number
        if manifest.delivered or manifest.rejected:
            manifest.results = manifest.rows = self._log.pattern(RESULTS)
        if manifest.rejected:
            manifest.quarantine = self._log.pattern(QUARANTINE, of="generation")
        if self._forwarding and self._forwarding.manifest:
            manifest.webhook = self._forwarded(self._forwarding.manifest)
        if self._ownership.is_kept():  # else the manifest beside the results is the later try's to write
            self._put_tidy(manifest)
            self._end(manifest)
        return manifest

    def _end(self, manifest: Manifest) -> None:
        """Put the manifest beside the results; where that fails, it is still returned, and the failure raised later."""
        try:
            self._log.end(manifest.as_dict(), is_complete=self._failure is None)
        except SinkError as error:
            self._failure = self._failure or error

    def raise_failure(self, manifest: Manifest, *, webhook_required: bool) -> None:
        """Raise what the end of the run asks for; a webhook that did not get everything comes last."""
        if self._ownership.lost:
            raise TransientError(f"{self._ownership.lost}: nothing more was sent, what was answered is kept")
        self._destination.raise_failure(manifest)
        if self._failure:
            raise self._failure
        if self._webhook and self._forwarding and webhook_required:
            raise_if_undelivered(self._webhook, self._forwarding.manifest)

    def delivered(self) -> Iterator[Outcome]:
        """Read what this delivery has delivered, by this try and by those before it."""
        return self._log.delivered(RESULTS)

    def stop(self) -> None:
        """Send nothing more, to OpenAI and to the webhook."""
        self._destination.stop()
        if self._webhook:
            self._webhook.stop()

    def _watch(self, now: float) -> None:
        self._ownership.renew(now)
        if not self._ownership.is_kept():
            self.stop()

    def _watched(self, source: Source) -> Source:
        if self._forwarding:
            source = Watched(source, self._forward_earlier)
        return Watched(source, self._tidy.keys.see) if self._tidy else source

    def _put_tidy(self, manifest: Manifest) -> None:
        """Bring the rows into the form that was asked for, once nothing is left; a failure is told at the end."""
        if self._tidy is None or not manifest.is_settled or not manifest.results:
            return
        try:
            manifest.results = self._tidy.put(manifest.as_dict())
        except Exception as error:  # noqa: BLE001 - everything is sent and kept: the next try puts the files alone
            self._failure = error

    def _sinks(self, storage: Storage) -> list[Sink]:
        # The results come last of the two: a record that stands in them is settled, and must be in the quarantine then.
        rows, marks = self._log.marked_rows(RESULTS)
        sinks: list[Sink] = [
            QuarantineSink(self._log.rows(QUARANTINE), keep_records=storage.quarantine_records),
            ResultsSink(rows, keep_records=storage.keep_records, marks=marks),
        ]
        if self._replay:
            sinks.append(self._replay)
        return [*sinks, self._forwarding] if self._forwarding else sinks

    def _earlier(self) -> Iterator[Outcome]:
        """Give what earlier tries settled, and forward or settle elsewhere what they had no time for.

        Rows without the record wait until the record is read from the source again.
        """
        forwarded = self._log.keys(FORWARDED) if self._forwarding else set()
        for outcome in self._log.outcomes():
            if self._replay:
                self._replay.write([outcome])
            if self._forwarding and self._as_item(outcome).key not in forwarded:
                if self._keeps_records:
                    self._forwarding.write([outcome])
                else:
                    self._to_forward[outcome.record.key] = outcome
            yield outcome

    def _forward_earlier(self, record: Record) -> None:
        outcome = self._to_forward.pop(record.key, None)
        if outcome is not None and self._forwarding:
            self._forwarding.write([replace(outcome, record=record)])

    def _forwarded(self, manifest: Manifest) -> dict[str, Any]:
        counts = {name: getattr(manifest, name) for name in ("input", "delivered", "rejected", "pending", "requests")}
        undelivered = self._log.pattern(UNDELIVERED, of="try") if manifest.rejected else None
        return {**counts, "rejections": manifest.rejections, "undelivered": undelivered}


def _keeping(files: BinaryFiles, extraction: Extraction | None) -> Callable[[Outcome], Outcome]:
    if extraction is None:
        return files.keep
    return lambda outcome: extraction.keep(files.keep(outcome))


class Watched:
    """A source that shows each record to somebody before it gives it.

    :param see: called with each record.
    """

    def __init__(self, source: Source, see: Callable[[Record], None]) -> None:
        self._source = source
        self._see = see

    def __iter__(self) -> Iterator[Record]:
        for record in self._source:
            self._see(record)
            yield record

    def fingerprint(self) -> str:
        """Give the source's own."""
        return self._source.fingerprint()

    def total(self) -> int | None:
        """Give the source's own, where it has one."""
        total = getattr(self._source, "total", None)
        return total() if total else None
