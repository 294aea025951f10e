"""Destination: the whole flow of a record, on one page.

    Source -> Renderer -> Dispatcher -> Outcome -> Sinks

The source is read and rendered in one thread, requests are sent from one event loop, outcomes are written in another
thread; each waits for the next one when it is ahead.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing

from airflow_provider_openai_dest.delivery.answer import read_outcomes
from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.intake import read_ahead
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settlement import Settlement
from airflow_provider_openai_dest.delivery.verdict import Verdict
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import AbortError, OpenAIDestError, SinkError, TransientError
from airflow_provider_openai_dest.manifest import Manifest, Tally
from airflow_provider_openai_dest.rendering.renderer import Rendered, Renderer
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.sinks.sink import Sink
from airflow_provider_openai_dest.sources.record import Record, Source

log = logging.getLogger(__name__)

INTAKE_CHUNK = 64
MAX_XCOM_BYTES = 48 * 1024


class Destination:
    """Sends every record of a source to one endpoint and brings every outcome to the sinks.

    :param endpoint: what is called.
    :param renderer: makes the requests.
    :param dispatcher: sends them.
    :param sinks: where settled outcomes go, in this order.
    :param keep: turns the bytes of an answer into files, before the sinks see it.
    :param earlier: outcomes that earlier tries settled: their records are counted and not sent.
    :param max_inline_bytes: size up to which the manifest holds the outcomes themselves.
    :param intake_chunk: requests read ahead at once.
    """

    def __init__(
        self,
        *,
        endpoint: EndpointTemplate,
        renderer: Renderer,
        dispatcher: Dispatcher,
        sinks: Sequence[Sink] = (),
        keep: Callable[[Outcome], Outcome] = lambda outcome: outcome,
        earlier: Iterable[Outcome] = (),
        max_inline_bytes: int = MAX_XCOM_BYTES,
        intake_chunk: int = INTAKE_CHUNK,
    ) -> None:
        self._endpoint = endpoint
        self._renderer = renderer
        self._dispatcher = dispatcher
        self._sinks = sinks
        self._keep = keep
        self._intake_chunk = intake_chunk
        self._read = 0
        self._tally = Tally(max_inline_bytes)
        self._settled: dict[str, Status] = {}
        self._unread: Counter[Status] = Counter()  # counted by the reading thread alone
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        for outcome in earlier:
            self._settled[outcome.record.key] = outcome.status
            self._tally.remember(outcome)

    def run(self, source: Source) -> Manifest:
        """Send the source, bring every outcome to the sinks, and give what came of it.

        It gives a manifest however the run ended: ask :meth:`raise_failure` then. Only a fault of the
        configuration, or of this package, is raised here.
        """
        started = time.monotonic()
        asyncio.run(self._run(source))
        self._close_sinks()
        for status, number in self._unread.items():
            self._tally.count(status, number)
        manifest = self._tally.manifest(
            self._endpoint.name,
            input=self._unread.total() + self._read,
            requests=self._dispatcher.requests_sent,
            waits=self._dispatcher.waits,
            seconds=round(time.monotonic() - started, 3),
        )
        if manifest.delivered + manifest.rejected + manifest.pending != manifest.input:
            raise OpenAIDestError(f"the counts do not add up, a fault of this package: {manifest.as_dict()}")
        return manifest

    def stop(self) -> None:
        """Send nothing more, from any thread or signal handler.

        What is on the wire still ends, everything answered is kept, the rest is pending.
        """
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._dispatcher.stop)
        else:
            self._dispatcher.stop()

    def raise_failure(self, manifest: Manifest) -> None:
        """Raise what the end of the run asks for: nothing, when every record is settled.

        SinkError when outcomes could not be written, AbortError when key, quota or project is refused, TransientError
        when records are left for the next try.
        """
        if self._failure is not None:
            raise self._failure
        if self._dispatcher.abort is not None:
            raise AbortError(
                f"stopped: {self._dispatcher.abort}; {manifest.delivered} records are delivered and kept, "
                f"{manifest.pending} are pending: mend the cause and clear the task to send these",
                manifest.as_dict(),
            )
        if manifest.pending:
            raise TransientError(
                f"{manifest.pending} of {manifest.input} records are pending; the next try sends just these"
            )

    async def _run(self, source: Source) -> None:
        self._loop = asyncio.get_running_loop()
        async with Settlement(self._write, self._dispatcher.stop) as settlement:

            async def settle(request: RenderedRequest, conclusion: Conclusion) -> Iterable[RenderedRequest]:
                halves = self._renderer.split(request) if conclusion.verdict is Verdict.REJECTED else ()
                if halves and not conclusion.exhausted:
                    return halves
                await settlement.put(read_outcomes(self._endpoint, request, conclusion))
                return ()

            async with aclosing(self._requests(source, settlement)) as requests:
                await self._dispatcher.run(requests, settle)
                async for unsent in requests:
                    self._dispatcher.unsent.append(unsent)
        self._tally.count(Status.PENDING, sum(len(request.records) for request in self._dispatcher.unsent))
        self._tally.count(Status.PENDING, len(settlement.unwritten))
        self._failure = self._failure or settlement.error

    async def _requests(self, source: Source, settlement: Settlement) -> AsyncGenerator[RenderedRequest]:
        """Read and render in another thread; records that do not fit are settled at once."""
        rendered = self._until_failure(self._renderer.render(self._unsettled(source)))
        async with aclosing(read_ahead(rendered, chunk=self._intake_chunk)) as items:
            async for item in items:
                if isinstance(item, RefusedRecord):
                    await settlement.put([Outcome(record=item.record, status=Status.REJECTED, error=item.error)])
                else:
                    yield item

    def _unsettled(self, source: Source) -> Iterator[Record]:
        """Count every record of the source and give those that must be sent, until the sending is stopped."""
        for record in source:
            status = self._settled.get(record.key)
            if status is not None:
                self._unread[status] += 1
            elif self._dispatcher.is_stopped:
                self._unread[Status.PENDING] += 1
            else:
                self._read += 1
                yield record

    def _until_failure(self, rendered: Iterator[Rendered]) -> Iterator[Rendered]:
        """End at an error of the source, so that what was read before it is still sent and kept."""
        try:
            yield from rendered
        except OpenAIDestError as error:
            self._failure = error
        except Exception as error:
            self._failure = TransientError(f"reading the source failed: {type(error).__name__}: {error}")
            self._failure.__cause__ = error

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        """Take a batch to all sinks; nothing of it counts as settled before all of them have flushed."""
        settled = [self._keep(outcome) for outcome in outcomes if outcome.status is not Status.PENDING]
        for sink in self._sinks:
            sink.write(settled)
        for sink in self._sinks:
            sink.flush()
        for outcome in settled:
            self._tally.add(outcome)
        for outcome in outcomes:
            if outcome.status is Status.PENDING:
                self._tally.add(outcome)

    def _close_sinks(self) -> None:
        for sink in self._sinks:
            try:
                sink.close()
            except SinkError as error:
                self._failure = self._failure or error
