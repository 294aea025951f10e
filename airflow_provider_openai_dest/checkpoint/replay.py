"""Replay: another task sends what a delivery rejected, and what it brings back settles the record there as well.

A row of the replay's answer goes into the rows of the delivery that the record came from. So a later retry or clear of
that task reads there that the record is delivered, and its results are complete.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords, outcome_digest
from airflow_provider_openai_dest.exceptions import RecordError, TransientError
from airflow_provider_openai_dest.sinks.folder import Folder, RowLog, list_names, read_rows
from airflow_provider_openai_dest.sinks.results import with_record
from airflow_provider_openai_dest.sources.quarantine import Original, QuarantineSource, delivery_of
from airflow_provider_openai_dest.sources.readable_file import ReadableFile
from airflow_provider_openai_dest.sources.record import Record

_TRY = re.compile(r".+-d\d+-g(\d+)-t(\d+)-.+\.jsonl")


class PastDelivery:
    """A delivery in a results folder, read by somebody else than its own task; it claims nothing.

    :param name: scope and number, such as ``0123456789-d1``.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.folder = folder
        self.name = name

    def endpoint(self) -> str | None:
        """Read to what operation it was delivered; None when no such delivery has begun in this folder."""
        claims = list_names(self.folder, f"delivery-{self.name}-g")
        if not claims:
            return None
        try:
            with (self.folder / claims[-1]).open("rb") as stream:
                return msgspec.json.decode(stream.read(), type=_Claim).fingerprint.get("endpoint")
        except Exception as error:  # clients of object storage raise what they like
            raise TransientError(f"can't read the state in {self.folder / claims[-1]}: {error}") from error

    def quarantine(self) -> list[str]:
        """List the files of its quarantine, the newest first."""
        return [name for _, _, name in self._rows("quarantine")]

    def delivered(self, among: Collection[str]) -> set[str]:
        """Tell which of these keys are delivered now."""
        held, found = SettledRecords(), set()
        for _, _, name in self._rows("outcomes"):
            for outcome in _outcomes(self.folder, name):
                if outcome.record.key in among and held.add(outcome) and outcome.status is Status.DELIVERED:
                    found.add(outcome.record.key)
        return found

    def new_rows(self) -> RowLog:
        """Open a log for more rows of its newest try."""
        generation, number, _ = next(iter(self._rows("outcomes") or self._rows("quarantine")), (0, 1, ""))
        beginning = f"outcomes-{self.name}-g{generation:02d}-t{number:02d}-"
        earlier = len(list_names(self.folder, beginning))
        return RowLog(self.folder, f"{beginning}{earlier:06d}{secrets.token_hex(3)}")

    def _rows(self, kind: str) -> list[tuple[int, int, str]]:
        names = list_names(self.folder, f"{kind}-{self.name}-g")
        found = [(int(match[1]), int(match[2]), name) for name in names if (match := _TRY.fullmatch(name))]
        return sorted(found, reverse=True)


class _Claim(msgspec.Struct):
    fingerprint: dict[str, str]


def _outcomes(folder: Folder, name: str) -> Iterator[Outcome]:
    for row in read_rows(folder, [name]):
        try:
            yield Outcome.from_row(row)
        except RecordError:
            continue


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a record of the replay came from; ``digest`` is that of the data which is sent now."""

    past: PastDelivery
    original: Original
    digest: str


class Replay:
    """A sink that settles what is delivered in the deliveries which rejected it before.

    Only a delivery to the same operation is settled: another one's answer is no answer to it.

    :param source: the quarantine that is sent again.
    :param folder_of: gives the folder that a file of it is in.
    :param endpoint: method and path that it is sent to.
    :param by: the task instance that replays, for the rows.
    :param keep_records: False leaves the record's own data out of the rows.
    """

    def __init__(
        self,
        source: QuarantineSource,
        folder_of: Callable[[ReadableFile], Folder],
        *,
        endpoint: str,
        by: Mapping[str, Any],
        keep_records: bool = True,
    ) -> None:
        self._by = dict(by)
        self._keep_records = keep_records
        self._places = dict(_places(source, folder_of, endpoint))
        self._logs: dict[PastDelivery, RowLog] = {}
        self._settled: dict[PastDelivery, set[str]] = {}

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes of this try or an earlier one; those that stand in the old delivery are passed over."""
        for outcome in outcomes:
            place = self._places.get(outcome.record.key)
            if place and outcome.status is Status.DELIVERED and place.digest == outcome_digest(outcome):
                self._settle(place, outcome)

    def flush(self) -> None:
        """Write them."""
        for log in self._logs.values():
            log.flush()

    def close(self) -> None:
        """Close the files."""
        for log in self._logs.values():
            log.close()

    def _settle(self, place: _Place, outcome: Outcome) -> None:
        past, original = place.past, place.original
        if past not in self._settled:
            keys = {other.original.key for other in self._places.values() if other.past is past}
            self._settled[past] = past.delivered(keys)
            self._logs[past] = past.new_rows()
        if original.key in self._settled[past]:
            return
        self._settled[past].add(original.key)
        row = with_record(outcome.as_row(), outcome, keep=self._keep_records)
        digest = {"record_digest": original.record_digest} if original.record_digest else {}
        self._logs[past].append(
            [row | {"key": original.key, "position": original.position, "replayed_by": self._by} | digest]
        )


def _places(
    source: QuarantineSource, folder_of: Callable[[ReadableFile], Folder], endpoint: str
) -> Iterator[tuple[str, _Place]]:
    known: dict[tuple[str, str], PastDelivery | None] = {}
    for record, original in source.entries():
        name = delivery_of(original.file.name)
        if name is None or not original.key:
            continue
        folder = folder_of(original.file)
        if (str(folder), name) not in known:
            past = PastDelivery(folder, name)
            known[str(folder), name] = past if past.endpoint() == endpoint else None
        if (found := known[str(folder), name]) is not None:
            yield record.key, _Place(past=found, original=original, digest=_digest(record))


def _digest(record: Record) -> str:
    return outcome_digest(Outcome(record=record, status=Status.REJECTED))
