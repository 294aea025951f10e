"""Destination: the whole flow of a record, on one page.

    Source -> Renderer -> Dispatcher -> Outcome -> Sinks

The source is read and rendered in one thread, requests are sent from the event loop of another, outcomes are written
in a third; each waits for the next one when it is ahead. The thread that calls waits for them, so that a signal
handler that raises in it, as Airflow's timeout of a task does, breaks into no event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from airflow_provider_openai_dest.answers.answer import ReadOutcomes, read_outcomes
from airflow_provider_openai_dest.checkpoint.fates import Fates
from airflow_provider_openai_dest.checkpoint.marks import Marks
from airflow_provider_openai_dest.checkpoint.resending import MOST_SECONDS, Resending
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.billing import Billing
from airflow_provider_openai_dest.delivery.conversation import Turn
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.event_loop import LoopThread
from airflow_provider_openai_dest.delivery.intake import UNKNOWN_FATE, Census, Intake, read_ahead
from airflow_provider_openai_dest.delivery.measuring import Measuring
from airflow_provider_openai_dest.delivery.meter import Meter, NoMeter
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.progress import Counts, Progress, log_first_of_kind, reporting, total_of
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.delivery.settlement import APPEND, Flush, Settlement
from airflow_provider_openai_dest.delivery.sharing import Sharing, size_of
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import (
    OpenAIDestError,
    SinkError,
    TransientError,
)
from airflow_provider_openai_dest.manifest import Manifest, Tally
from airflow_provider_openai_dest.rendering.duplicates import Duplicate
from airflow_provider_openai_dest.rendering.renderer import Rendered, Renderer
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.run_end import failure_of
from airflow_provider_openai_dest.sinks.sink import Sink
from airflow_provider_openai_dest.sources.record import Source
from airflow_provider_openai_dest.wire.answer_bytes import LARGE_BYTES

log = logging.getLogger(__name__)

Item = TypeVar("Item")

INTAKE_CHUNK = 64
MAX_XCOM_BYTES = 48 * 1024
FULL_SECONDS = 0.05


class Destination:
    """Sends every record of a source to one endpoint and brings every outcome to the sinks. It runs once.

    :param endpoint: what is called.
    :param renderer: makes the requests.
    :param dispatcher: sends them.
    :param sinks: where settled outcomes go, one after the other; each has flushed them before the next one sees them.
    :param keep: turns the bytes of an answer into files, before the sinks see it.
    :param earlier: what earlier tries settled: these records are counted and not sent.
    :param fates: knows what may have been billed without an outcome, in this try and in those before it.
    :param quarantine_unknown: reject the records of which earlier tries left that, where they would be sent again.
    :param flush: when outcomes are written.
    :param max_inline_bytes: size up to which the manifest holds the outcomes themselves.
    :param intake_chunk: records read ahead at once.
    :param on_interrupt: called when the run is interrupted or breaks, to stop what runs beside it.
    :param meter: takes what is measured.
    :param billing: puts a cost on what was answered; None leaves it out.
    :param watch: called five times a second by the thread that called :meth:`run`, with a monotonic time.
    :param read: gives the outcomes of a concluded request.
    :param count_seconds: how long the rest of the source is read, only to be counted, after the sending was stopped.
    :param grace_seconds: how long answers are waited for after the run was interrupted.
    """

    def __init__(
        self,
        *,
        endpoint: EndpointTemplate,
        renderer: Renderer,
        dispatcher: Dispatcher,
        sinks: Sequence[Sink] = (),
        keep: Callable[[Outcome], Outcome] = lambda outcome: outcome,
        earlier: Iterable[Outcome | Marks] = (),
        fates: Fates | None = None,
        quarantine_unknown: bool = False,
        flush: Flush = APPEND,
        max_inline_bytes: int = MAX_XCOM_BYTES,
        intake_chunk: int = INTAKE_CHUNK,
        on_interrupt: Callable[[], None] = lambda: None,
        meter: Meter | None = None,
        billing: Billing | None = None,
        watch: Callable[[float], None] = lambda _now: None,
        read: ReadOutcomes = read_outcomes,
        count_seconds: float = 2.0,
        grace_seconds: float = 20.0,
    ) -> None:
        self._endpoint = endpoint
        self._renderer = renderer
        self._dispatcher = dispatcher
        self._sinks = sinks
        self._keep = keep
        self._earlier = earlier
        self._fates = fates or Fates()
        self._quarantine_unknown = quarantine_unknown
        self._unknown = 0
        self._flush = flush
        self._most_at_risk = max(flush.records, dispatcher.concurrency)
        self._resending = Resending(self._fates.claimed, dispatcher.concurrency + self._most_at_risk)
        self._intake_chunk = intake_chunk
        self._on_interrupt = on_interrupt
        self._measuring = Measuring(meter or NoMeter(), dispatcher.traffic)
        self._billing = billing
        self._watch = watch
        self._read = read
        self._count_seconds = count_seconds
        self._thread = LoopThread(grace_seconds)
        self._tally = Tally(max_inline_bytes)
        self._settled = SettledRecords()
        self._sharing = Sharing()
        self._rendered = 0
        self._is_all_rendered = self._is_all_settled = False
        self._failure: Exception | None = None
        self._settlement: Settlement | None = None

    def run(self, source: Source) -> Manifest:
        """Send the source, bring every outcome to the sinks, and give what came of it.

        It gives a manifest however the run ended: ask :meth:`raise_failure` then. Raised here is only what keeps it
        from beginning, such as a state that can't be read, and a fault of this package.
        """
        started = time.monotonic()
        try:
            self._take_earlier()
            census = self._thread.run(self._run(source), watch=self._watch, on_interrupt=self._interrupt)
        finally:
            self._close_sinks()
            self._end_claims()
        traffic = self._dispatcher.traffic
        manifest = self._tally.manifest(
            self._endpoint.name,
            input=census.input,
            whole_input=census.is_whole,
            requests=traffic.requests,
            retries=traffic.again,
            deduplicated=self._sharing.settled,
            waits=traffic.limited,
            waited_seconds=round(traffic.waited_seconds, 3),
            unknown=self._unknown,
            duplicates=self._settled.duplicates,
            seconds=round(time.monotonic() - started, 3),
        )
        if manifest.delivered + manifest.rejected + manifest.pending != manifest.input:
            raise OpenAIDestError(f"the counts do not add up, a fault of this package: {manifest.as_dict()}")
        return manifest

    def stop(self) -> None:
        """Send nothing more, from any thread or signal handler.

        What is on the wire still ends, everything answered is kept, the rest is pending.
        """
        self._thread.call(self._stop)

    def _stop(self) -> None:
        self._dispatcher.stop()
        if self._settlement is not None:
            self._settlement.hurry()

    def raise_failure(self, manifest: Manifest) -> None:
        """Raise what the end of the run asks for: nothing, when every record is settled.

        SinkError when outcomes could not be written, and else the errors of :func:`~.run_end.failure_of`.
        """
        failure = self._failure or failure_of(manifest, self._dispatcher)
        if failure is not None:
            raise failure

    def _take_earlier(self) -> None:
        for settled in self._earlier:
            if isinstance(settled, Outcome):
                self._settled.add(settled)
                self._tally.remember(settled)
            else:
                for hashed, end in settled.newest_first():
                    self._settled.add_end(hashed, end)
                self._tally.absorb(settled.summary)
        begun = self._fates.begun(self._settled)
        if self._billing:
            for usage, cost in [(self._tally.usage, self._tally.spent), *begun]:
                self._billing.spent_before(usage, cost)
            self._billing.spent_untold(self._fates.claimed.spent)

    def _interrupt(self) -> None:
        self.stop()
        self._on_interrupt()

    async def _run(self, source: Source) -> Census:
        intake = Intake(
            source,
            self._settled,
            lambda: self._dispatcher.is_stopped,
            self._fates.claimed,
            quarantine_unknown=self._quarantine_unknown,
        )
        async with (
            Settlement(self._write, self._dispatcher.stop, self._flush, most_at_risk=self._most_at_risk) as settlement,
            reporting(
                Progress(total_of(source), time.monotonic()),
                lambda: self._counts(intake),
                time.monotonic,
                measure=self._measure,
            ),
            aclosing(self._requests(intake, settlement)) as requests,
        ):
            self._settlement = settlement
            settle = partial(self._settle, settlement)
            await self._dispatcher.run(requests, settle, read_on_seconds=self._count_seconds)
        self._is_all_settled = settlement.error is None
        self._failure = self._failure or settlement.error
        census = intake.close()
        self._unknown = intake.unknown
        left = 0 if self._is_all_rendered else census.given - self._rendered
        self._tally.count(Status.PENDING, settlement.unwritten + left + self._sharing.waiting)
        for status, number in census.others.items():
            self._tally.count(status, number)
        self._measure()
        return census

    async def _settle(
        self, settlement: Settlement, request: RenderedRequest, conclusion: Conclusion
    ) -> Iterable[RenderedRequest]:
        """Bring the end of a request to the sinks, or give what is sent in its place or after it."""
        if isinstance(request, Turn):
            following = await request.conversation.concluded(request, conclusion)
            if not isinstance(following, Conclusion):
                return following
            request, conclusion = request.conversation.request, following
        if conclusion.may_pass_halved and (halves := self._renderer.split(request, conclusion.error)):
            self._remember_billed(request, conclusion)
            return halves
        held = _bytes_of(conclusion)
        if request.pack and request.pack.is_averaged:
            outcomes = await asyncio.to_thread(self._read, self._endpoint, request, conclusion)
        else:
            outcomes = self._read(self._endpoint, request, conclusion)
        if self._billing:
            outcomes = self._billing.billed(request, conclusion, outcomes)
        if request.following and (first := outcomes[0]).status is Status.DELIVERED:
            self._remember_billed(request, conclusion)
            return [await asyncio.to_thread(request.following, first.answer["data"], first.usage, first.cost)]
        size = size_of(self._endpoint, request, conclusion)
        del conclusion  # the bytes of the answer are not needed any more
        outcomes += self._sharing.ended(request.claim, outcomes, size)
        await settlement.put_answered(self._fates.marked(outcomes), held=held, until_written=held > LARGE_BYTES)
        return ()

    def _remember_billed(self, request: RenderedRequest, conclusion: Conclusion) -> None:
        """Keep for the outcomes to come that an answer to their records was lost."""
        if conclusion.maybe_billed:
            self._fates.halved(request.records)

    async def _requests(self, intake: Intake, settlement: Settlement) -> AsyncGenerator[RenderedRequest]:
        """Read and render in another thread; records that do not fit are settled at once."""
        rendered = self._claimed(self._until_failure(self._renderer.render(self._until_failure(iter(intake)))))
        async with aclosing(read_ahead(rendered, chunk=self._intake_chunk, weigh=_weight)) as items:
            async for item in items:
                if isinstance(item, RenderedRequest) and self._resending.must_wait(item):
                    await self._until_durable(settlement)
                self._rendered += _weight(item)
                if isinstance(item, RenderedRequest):
                    yield item
                elif isinstance(item, Duplicate):
                    await settlement.put(self._sharing.join(item))
                    while self._sharing.is_full and not self._dispatcher.is_stopped:  # noqa: ASYNC110 - a stop ends it
                        await asyncio.sleep(FULL_SECONDS)
                else:
                    is_unknown = item.error is UNKNOWN_FATE
                    refused = [
                        Outcome(record=item.record, status=Status.REJECTED, error=item.error, maybe_billed=is_unknown)
                    ]
                    await settlement.put([*refused, *self._sharing.ended(item.claim, refused)])
        self._is_all_rendered = self._failure is None

    async def _until_durable(self, settlement: Settlement) -> None:
        """Wait until all that was given to the dispatcher is durable, but not for ever."""
        log.info(
            "The first %d requests may have been sent by a try that died: they are settled before any other goes",
            self._resending.requests,
        )
        ends = time.monotonic() + MOST_SECONDS
        while settlement.ended < self._rendered and not self._dispatcher.is_stopped and time.monotonic() < ends:
            if settlement.taken >= self._rendered:
                settlement.write_now()
            await asyncio.sleep(FULL_SECONDS)

    def _claimed(self, items: Iterator[Rendered]) -> Iterator[Rendered]:
        """Give the items, claimed. When that fails nothing more is sent, and the rest is only read to be counted."""
        try:
            yield from self._fates.claiming(items)
        except SinkError as error:
            self._failure = error
            self.stop()
            for _ in items:
                pass

    def _until_failure(self, items: Iterator[Item]) -> Iterator[Item]:
        """End at an error, so that what was read before it is still sent and kept."""
        try:
            yield from items
        except OpenAIDestError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - any source may be given; what it raises is raised in the end
            self._failure = TransientError(f"reading the records failed: {type(error).__name__}: {error}")
            self._failure.__cause__ = error

    def _counts(self, intake: Intake) -> Counts:
        now = self._tally.delivered + self._tally.rejected
        return Counts(
            done=intake.census().settled + now,
            settled_now=now,
            traffic=self._dispatcher.traffic,
            use=self._dispatcher.use(),
        )

    def _measure(self) -> None:
        tally = self._tally
        records = {"delivered": tally.delivered, "rejected": tally.rejected, "pending": tally.pending}
        self._measuring.tell(records, tally.maybe_billed, self._dispatcher.use())

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        """Take a batch to all sinks; nothing of it counts as settled before all of them have flushed."""
        settled = [self._keep(outcome) for outcome in outcomes if outcome.status is not Status.PENDING]
        for sink in self._sinks:
            sink.write(settled)
            sink.flush()
        pending = [outcome for outcome in outcomes if outcome.status is Status.PENDING]
        self._fates.left(pending)
        for outcome in (*settled, *pending):
            if self._tally.add(outcome):
                log_first_of_kind(outcome)

    def _end_claims(self) -> None:
        """Say which answers were lost; where more may have been, since the run broke, the claims stay open."""
        if self._is_all_settled:
            try:
                self._fates.end()
            except SinkError as error:
                self._failure = self._failure or error

    def _close_sinks(self) -> None:
        for sink in self._sinks:
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001 - the others are closed, too; it is raised in the end
                self._failure = self._failure or error


def _bytes_of(conclusion: Conclusion) -> int:
    return 0 if conclusion.response is None else len(conclusion.response.content)


def _weight(item: Rendered) -> int:
    return len(item.records) if isinstance(item, RenderedRequest) else 1
