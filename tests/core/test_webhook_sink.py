"""Forwarding outcomes while the others are still being sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

import pytest

from airflow_provider_openai_dest.exceptions import SinkError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.sinks.webhook import QUEUE_LIMIT, WebhookSink
from airflow_provider_openai_dest.sources.record import Source
from tests.core.delivery_parts import outcome

LONGEST = 10.0


def sink_to(deliver: Callable[[Source], Manifest]) -> WebhookSink:
    """Give a sink whose items are the records themselves."""
    return WebhookSink(deliver, lambda one: one.record)


def counted(source: Source, limit: int | None = None) -> Manifest:
    """Deliver all of a source, or so many of it."""
    number = sum(1 for _ in islice(iter(source), limit))
    return Manifest(endpoint="webhook", input=number, delivered=number, whole_input=limit is None)


def within(seconds: float, act: Callable[[], None]) -> bool:
    """Tell whether this ends in so many seconds."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def test_items_are_forwarded_as_they_come() -> None:
    """The first one arrives while more are written."""
    arrived = threading.Event()

    def deliver(source: Source) -> Manifest:
        for number, _ in enumerate(source):
            if not number:
                arrived.set()
        return Manifest(endpoint="webhook", input=2, delivered=2)

    sink = sink_to(deliver)
    sink.write([outcome("a")])
    assert arrived.wait(LONGEST)
    sink.write([outcome("b")])
    sink.close()
    assert sink.manifest is not None
    assert (2, 2, 0) == (sink.manifest.input, sink.manifest.delivered, sink.manifest.pending)


def test_nothing_is_started_for_nothing() -> None:
    """A run without outcomes calls no webhook."""
    sink = sink_to(counted)
    sink.close()
    assert sink.manifest is None


def test_the_receiver_holds_up_the_sending_only_when_the_queue_is_full() -> None:
    """So many items wait; then the outcomes wait, too, and memory is bounded."""
    free = threading.Event()

    def deliver(source: Source) -> Manifest:
        free.wait(LONGEST)
        return counted(source)

    sink = sink_to(deliver)
    assert within(LONGEST, lambda: sink.write([outcome()] * QUEUE_LIMIT))
    assert not within(0.05, lambda: sink.write([outcome()] * 10))
    free.set()


def test_what_a_stopped_forwarding_did_not_read_is_pending() -> None:
    """The sending goes on and is not held up, however much more comes."""
    sink = sink_to(lambda source: counted(source, 3))
    assert within(LONGEST, lambda: sink.write([outcome()] * QUEUE_LIMIT * 3))
    assert within(LONGEST, sink.close)
    assert sink.manifest is not None
    total = QUEUE_LIMIT * 3
    assert (total, 3, total - 3, True) == (
        sink.manifest.input,
        sink.manifest.delivered,
        sink.manifest.pending,
        sink.manifest.whole_input,
    )


def test_a_forwarding_that_breaks_is_told_at_the_end() -> None:
    """The sending is not held up; nothing of the items is known, so all are pending."""

    def deliver(source: Source) -> Manifest:
        next(iter(source))
        raise ZeroDivisionError

    sink = sink_to(deliver)
    assert within(LONGEST, lambda: sink.write([outcome()] * QUEUE_LIMIT * 2))
    with pytest.raises(SinkError, match="forwarding to the webhook broke"):
        sink.close()
    assert sink.manifest is not None
    assert (QUEUE_LIMIT * 2, QUEUE_LIMIT * 2) == (sink.manifest.input, sink.manifest.pending)


def test_items_may_come_from_several_threads() -> None:
    """One forwarding takes them all: those of this try, and those that an earlier one had no time to forward."""
    started = []

    def deliver(source: Source) -> Manifest:
        started.append(1)
        return counted(source)

    sink = sink_to(deliver)
    writers = [threading.Thread(target=lambda: [sink.write([outcome()]) for _ in range(200)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(LONGEST)
    sink.close()
    assert sink.manifest is not None
    assert ([1], 800, 800) == (started, sink.manifest.input, sink.manifest.delivered)


def test_what_comes_after_the_closing_is_for_the_next_try() -> None:
    """A reader that was left behind starts no second forwarding."""
    started = []

    def deliver(source: Source) -> Manifest:
        started.append(1)
        return counted(source)

    sink = sink_to(deliver)
    sink.write([outcome()])
    sink.close()
    sink.write([outcome()])
    assert sink.manifest is not None
    assert ([1], 1) == (started, sink.manifest.input)


def test_an_end_is_seen_by_all_readers() -> None:
    """Also by one that a stopped forwarding has left behind."""
    readers: list[threading.Thread] = []

    def deliver(source: Source) -> Manifest:
        readers.append(threading.Thread(target=lambda: counted(source), daemon=True))
        readers[0].start()
        return Manifest(endpoint="webhook", whole_input=False)

    sink = sink_to(deliver)
    sink.write([outcome()] * 5)
    assert within(LONGEST, sink.close)
    readers[0].join(LONGEST)
    assert not readers[0].is_alive()
    assert sink.manifest is not None
    assert (5, 5) == (sink.manifest.input, sink.manifest.pending)
