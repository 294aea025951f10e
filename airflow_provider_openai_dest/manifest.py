"""Manifest: what one run did. It goes to XCom and beside the results, and is small whatever the answers are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.usage import add_usage
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.prices import DECIMALS

KINDS_OF_REJECTION = 10
"""How many kinds of rejection a manifest names."""

MOST_KINDS = 100
"""How many are told apart while they are counted: the codes come from servers."""

LONGEST_TEXT = 500
"""Characters of a code, key or message in a kind of rejection, as JSON writes them: six for one that is not ASCII."""

LARGEST_USAGE = 8_000
"""Characters of the usage's JSON: its names come from servers. Of a larger one only the outermost numbers are kept."""

LARGEST_REST = 32 * 1024
"""Bytes of a manifest's JSON at most, beside ``outcomes``, ``webhook`` and the names of folders and tasks."""

OTHER = "other"
"""The code under which the kinds beyond these are counted."""


@dataclass(kw_only=True)
class Manifest:
    """The counts and places of one delivery.

    ``origin`` is the task instance and ``delivery`` its number: a cleared task that sends anew begins the next one.
    ``retries`` are requests that were sent before, ``waits`` those that the rate limit refused, and ``waited_seconds``
    is how long nothing could be sent. ``deduplicated`` records got what came of an equal request, without one of their
    own. ``cost`` is in US dollars, over all tries as ``usage`` is; None as soon as a price is not known, and never
    0 for it. ``unknown`` records may have been sent by a try that died, ``duplicates`` were delivered twice.
    ``delivered + rejected + pending == input`` always holds. ``whole_input`` is false when the source was not read to
    its end: ``input`` counts what was read then. ``outcomes`` are the rows themselves, in input order,
    only while all of them together stay below ``max_xcom_bytes``; otherwise read ``results``, which are the ``rows`` as
    they were written, or a set made of them in which each record stands once.
    """

    endpoint: str
    input: int = 0
    whole_input: bool = True
    delivered: int = 0
    rejected: int = 0
    pending: int = 0
    requests: int = 0
    retries: int = 0
    deduplicated: int = 0
    waits: int = 0
    waited_seconds: float = 0.0
    maybe_billed: int = 0
    unknown: int = 0
    duplicates: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    cost: float | None = None
    rejections: list[dict[str, Any]] = field(default_factory=list)
    origin: dict[str, Any] | None = None
    delivery: int = 1
    results: str | None = None
    rows: str | None = None
    quarantine: str | None = None
    webhook: dict[str, Any] | None = None
    seconds: float = 0.0
    outcomes: list[dict[str, Any]] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def is_settled(self) -> bool:
        """Whether every record of the source is delivered or rejected."""
        return self.whole_input and not self.pending

    @property
    def why_pending(self) -> str:
        """Why the first kind of record is pending, as the end of a clause; empty when nobody failed to deliver it."""
        for kind in self.rejections:
            if kind["status"] == Status.PENDING:
                return f" (first: record {kind['first_key']!r}, {kind['code']}: {kind['first_message']})"
        return ""

    def add_unread(self, input: int) -> None:  # noqa: A002 - the manifest's own word
        """Count the records that nobody read, of a source that is known to have ``input``, as pending."""
        self.pending += input - self.input
        self.input, self.whole_input = input, True


class Tally:
    """Adds up outcomes.

    ``spent`` are the dollars that are known, and ``is_priced`` whether these are all; None when nothing was used.

    :param max_inline_bytes: the outcomes are kept for the manifest until their JSON, as Airflow writes it, is larger.
    """

    def __init__(self, max_inline_bytes: int) -> None:
        self.delivered = 0
        self.rejected = 0
        self.pending = 0
        self.maybe_billed = 0
        self.usage: dict[str, Any] = {}
        self.spent = 0.0
        self.is_priced: bool | None = None
        self._kinds: dict[tuple[str, str, int | None], dict[str, Any]] = {}
        self._inline: dict[str, dict[str, Any]] | None = {}
        self._inline_bytes = 0
        self._max_inline_bytes = max_inline_bytes

    def add(self, outcome: Outcome) -> bool:
        """Count one outcome; True when its error is the first of its kind."""
        self.count(outcome.status)
        return self.remember(outcome)

    def count(self, status: Status, number: int = 1) -> None:
        """Count records by status alone."""
        match status:
            case Status.DELIVERED:
                self.delivered += number
            case Status.REJECTED:
                self.rejected += number
            case Status.PENDING:
                self.pending += number

    def remember(self, outcome: Outcome) -> bool:
        """Take an outcome's usage, error and row, without counting it; True when its error is the first of its kind."""
        self.maybe_billed += outcome.maybe_billed
        if outcome.usage:
            add_usage(self.usage, outcome.usage)
            self._add_cost(outcome.cost, is_known=outcome.cost is not None)
        if outcome.status is not Status.PENDING:
            self._keep_inline(outcome)
        return outcome.error is not None and self._add_kind(outcome, outcome.error)

    def summary(self) -> dict[str, Any]:
        """Give usage and kinds of error, for :meth:`absorb`."""
        return {
            "usage": self.usage,
            "cost": self.spent,
            "is_priced": self.is_priced,
            "maybe_billed": self.maybe_billed,
            "kinds": list(self._kinds.values()),
        }

    def absorb(self, summary: Mapping[str, Any]) -> None:
        """Add what another tally had remembered; the outcomes themselves are not kept inline any more."""
        self._inline = None
        self.maybe_billed += summary["maybe_billed"]
        add_usage(self.usage, summary["usage"])
        if summary["usage"]:
            self._add_cost(summary.get("cost", 0.0), is_known=bool(summary.get("is_priced")))
        for kind in summary["kinds"]:
            name = (kind["status"], kind["code"], kind["http_status"])
            known = self._kinds.get(name)
            if known is not None:
                known["count"] += kind["count"]
            elif len(self._kinds) < MOST_KINDS:
                self._kinds[name] = dict(kind)

    def manifest(self, endpoint: str, **fields: Any) -> Manifest:
        """Make the manifest of what was counted."""
        return Manifest(
            endpoint=endpoint,
            delivered=self.delivered,
            rejected=self.rejected,
            pending=self.pending,
            maybe_billed=self.maybe_billed,
            usage=_bounded(self.usage),
            cost=round(self.spent, DECIMALS) if self.is_priced else None,
            rejections=most_frequent(self._kinds.values()),
            outcomes=None if self._inline is None else sorted(self._inline.values(), key=_position),
            **fields,
        )

    def _add_cost(self, cost: float | None, *, is_known: bool) -> None:
        self.spent += cost or 0.0
        self.is_priced = is_known and self.is_priced is not False

    def _add_kind(self, outcome: Outcome, error: RecordError) -> bool:
        status, code, http_status = outcome.status.value, _cut(error.code), error.status
        if (status, code, http_status) not in self._kinds and len(self._kinds) >= MOST_KINDS:
            code, http_status = OTHER, None
        kind = self._kinds.setdefault(
            (status, code, http_status),
            new_kind(status, code, http_status, outcome.record.key, error.message),
        )
        kind["count"] += 1
        return _count(kind) == 1

    def _keep_inline(self, outcome: Outcome) -> None:
        if self._inline is None:
            return
        row = outcome.as_row()
        self._inline_bytes += len(json.dumps(row)) + len(", ")
        self._inline[outcome.record.key] = row
        if self._inline_bytes > self._max_inline_bytes:
            self._inline = None


def new_kind(status: str, code: str, http_status: int | None, key: str, message: str) -> dict[str, Any]:
    """Make a kind of rejection that was not counted yet, with the key and the message of its first record."""
    return {
        "status": status,
        "code": code,
        "http_status": http_status,
        "count": 0,
        "first_key": _cut(key),
        "first_message": _cut(message),
    }


def most_frequent(kinds: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the kinds that a manifest names."""
    return sorted(kinds, key=_count, reverse=True)[:KINDS_OF_REJECTION]


def _cut(text: str) -> str:
    """Cut a text to what its JSON may have."""
    text = text[:LONGEST_TEXT]
    while len(json.dumps(text)) - len('""') > LONGEST_TEXT:
        text = text[: len(text) * 3 // 4]
    return text


def _bounded(usage: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(usage)) <= LARGEST_USAGE:
        return usage
    bounded: dict[str, Any] = {}
    for name, amount in usage.items():
        if not isinstance(amount, dict) and len(json.dumps({**bounded, name: amount})) <= LARGEST_USAGE:
            bounded[name] = amount
    return bounded


def _count(kind: Mapping[str, Any]) -> int:
    return int(kind["count"])


def _position(row: Mapping[str, Any]) -> int:
    return int(row["position"])
