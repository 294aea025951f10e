"""Webhook sink: forwards outcomes while the others are still being sent, in a thread of its own.

It never waits for OpenAI and OpenAI never waits for it, but for the bound of its queue. Forwarding is a delivery
like any other, with its own retries, its own rows of what arrived and its own quarantine of what did not.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.sinks.webhook_items import WEBHOOK
from airflow_provider_openai_dest.sources.record import Record, Source

log = logging.getLogger(__name__)

QUEUE_LIMIT = 1000
"""Items that may wait for the receiver before the outcomes wait too."""


class WebhookSink:
    """Feeds outcomes to a delivery that runs in a thread.

    :param deliver: sends a source of items to the webhook and gives the manifest, such as ``Destination.run``.
    :param as_record: makes the item of an outcome; its key is the message's id.
    """

    def __init__(self, deliver: Callable[[Source], Manifest], as_record: Callable[[Outcome], Record]) -> None:
        self._deliver = deliver
        self._as_record = as_record
        self._items = QueueSource()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._error: Exception | None = None
        self.manifest: Manifest | None = None

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Hand the outcomes on, from any thread; waits while the queue is full. After the closing it does nothing."""
        with self._lock:
            if self._is_closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="openai-dest-webhook", daemon=True)
                self._thread.start()
        for outcome in outcomes:
            self._items.put(self._as_record(outcome))

    def flush(self) -> None:
        """Nothing to do: what arrived is marked by the delivery itself, the rest is forwarded by the next try."""

    def close(self) -> None:
        """Wait until everything was forwarded or given up; raises SinkError when the forwarding itself broke."""
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
        if self._thread is None or not is_first:
            return
        self._items.end()
        self._thread.join()
        if self._error is not None:
            raise SinkError(f"forwarding to the webhook broke: {self._error}") from self._error

    def _run(self) -> None:
        try:
            self.manifest = self._deliver(self._items)
        except Exception as error:
            log.exception("Forwarding to the webhook broke; the next try forwards what is left")
            self._error = error
            self.manifest = Manifest(endpoint=WEBHOOK.name)
        self._items.discard()
        self.manifest.add_unread(self._items.count)


class QueueSource:
    """A source that is filled from another thread while it is read; ``count`` says how much was put in."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Record | None] = queue.Queue(QUEUE_LIMIT)
        self._lock = threading.Lock()
        self.count = 0

    def put(self, record: Record) -> None:
        """Add a record; waits while the queue is full."""
        with self._lock:
            self.count += 1  # first, so that no more is ever read than counted
        self._queue.put(record)

    def end(self) -> None:
        """Say that no more comes."""
        self._queue.put(None)

    def discard(self) -> None:
        """Read the rest and drop it, so that nobody waits for a reader that is gone."""
        for _ in self:
            pass

    def __iter__(self) -> Iterator[Record]:
        while (record := self._queue.get()) is not None:
            yield record
        self._queue.put(None)  # for whoever reads beside or after this one

    def fingerprint(self) -> str:
        """Say that it is what comes."""
        return "queue"
