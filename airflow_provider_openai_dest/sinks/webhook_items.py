"""Webhook items: what is forwarded for each outcome, and the requests that carry it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.delivery.signing import WEBHOOK_ID
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.renderer import Rendered
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.sinks.results import described
from airflow_provider_openai_dest.sources.record import Record, Source

MAX_ITEM_BYTES = 256 * 1024
"""A larger item goes without record and answer, and names the results where they are."""

WEBHOOK = EndpointTemplate(name="webhook", path="", answer="ignored")

_ID = re.compile(r"msg_[0-9a-f]{32}")

EVENT_TYPE = "openai_dest.record"
BATCH_TYPE = "openai_dest.records"


def webhook_id(*words: str) -> str:
    """Give the id of a message: the same for the same words, at every try; it has no dot, as the standard asks."""
    return f"msg_{hashlib.sha256(chr(0).join(words).encode(errors='backslashreplace')).hexdigest()[:32]}"


def as_item(outcome: Outcome, *, endpoint: str, origin: Mapping[str, Any], results: str | None) -> dict[str, Any]:
    """Make what is forwarded for one outcome: key, record, answer, status, and where it came from."""
    row = outcome.as_row()
    item = {
        "key": row["key"],
        "position": row["position"],
        "status": row["status"],
        "record": outcome.record.data,
        "answer": row["answer"],
        "error": row["error"],
        "request_id": row["request_id"],
        "endpoint": endpoint,
        "origin": dict(origin),
    }
    try:
        size = len(encode_json(item))
    except RecordError:
        return item | {"record": None, "record_repr": described(outcome.record.data)}
    return item if size <= MAX_ITEM_BYTES else item | {"record": None, "answer": None, "results": results}


class WebhookRenderer:
    """Turns records, which are items, into webhook requests.

    :param url: the webhook's URL.
    :param batch_size: items a request; with 1 the ``data`` is the item, otherwise a list of items.
    :param now: the wall clock, for the event's own timestamp.
    """

    def __init__(
        self,
        url: str,
        *,
        batch_size: int = 1,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self._batch_size = batch_size
        self._now = now

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Give a request for each full batch."""
        batch: list[Record] = []
        for record in records:
            try:
                if record.fault:
                    raise record.fault
                encode_json(_with_id(record))
            except RecordError as error:
                yield RefusedRecord(record=record, error=error)
                continue
            batch.append(record)
            if len(batch) == self._batch_size:
                yield self._request(batch)
                batch = []
        if batch:
            yield self._request(batch)

    def split(
        self,
        request: RenderedRequest,
        error: RecordError | None = None,  # noqa: ARG002 - part of the protocol
    ) -> Sequence[RenderedRequest]:
        """Cut a refused batch in two, so that one item does not hold back the others."""
        middle = len(request.records) // 2
        if not middle:
            return ()
        return [self._request(request.records[:middle]), self._request(request.records[middle:])]

    def _request(self, records: Sequence[Record]) -> RenderedRequest:
        single = self._batch_size == 1
        items = [_with_id(record) for record in records]
        payload = {
            "type": EVENT_TYPE if single else BATCH_TYPE,
            "timestamp": self._now().isoformat(timespec="seconds"),
            "data": items[0] if single else items,
        }
        message_id = _message_id(records[0].key) if single else webhook_id(*(record.key for record in records))
        return RenderedRequest(
            records=tuple(records),
            method="POST",
            url=self._url,
            content=encode_json(payload),
            content_type="application/json",
            headers=((WEBHOOK_ID, message_id),),
        )


def _with_id(record: Record) -> dict[str, Any]:
    item = dict(record.data) if isinstance(record.data, Mapping) else {"record": record.data}
    return {"id": None} | item | {"id": record.key}


def _message_id(key: str) -> str:
    """Give the key of an item, which is its message's id; a key of another kind might not be fit for a header."""
    return key if _ID.fullmatch(key) else webhook_id(key)


class ItemsSource:
    """The records of another source, each made an item.

    :param make: makes the item's record of a record; one that it refuses, or that is faulted, stays and is rejected.
    """

    def __init__(self, source: Source, make: Callable[[Record], Record]) -> None:
        self._source = source
        self._make = make

    def __iter__(self) -> Iterator[Record]:
        for record in self._source:
            try:
                yield record if record.fault else self._make(record)
            except RecordError as fault:
                yield replace(record, fault=fault)

    def fingerprint(self) -> str:
        """Give the source's own."""
        return self._source.fingerprint()


class OutcomeRows:
    """Rows of result files, the newest first, without those that do not hold any more.

    A record that was rejected and then tried again has several rows: the one that was delivered holds. A row that a
    crash has cut is passed over, as it is by the tries themselves: its record was sent again.
    """

    def __init__(self, rows: Source) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Record]:
        held = SettledRecords()
        for row in self._rows:
            try:
                holds = row.fault is None and held.add(from_row(row))
            except RecordError:
                holds = True  # it is no outcome, which its item will say
            if holds:
                yield row

    def fingerprint(self) -> str:
        """Give the rows' own."""
        return self._rows.fingerprint()


def from_row(record: Record) -> Outcome:
    """Read the outcome that a row of a result file is; raises RecordError when it is none."""
    return Outcome.from_row(record.data)


def from_record(record: Record) -> Outcome:
    """Treat any record as delivered, for a webhook that takes records and no answers."""
    return Outcome(record=record, status=Status.DELIVERED)
