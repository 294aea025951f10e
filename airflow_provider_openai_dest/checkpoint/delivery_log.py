"""Delivery log: which records are settled, read back from the rows that earlier tries wrote.

The outcomes are the log. Beside them each delivery has a small claim file, put before anything is sent, which says
what is delivered where, and whether it came to its end::

    outcomes-{scope}-d1-g00-t02-0000003fa9c1.jsonl  rows of delivery 1, by try 2 in generation 0 (the clear number)
    delivery-{scope}-d1-g0.json                     claim: delivery 1 began, or went on, in generation 0
    delivery-{scope}-d1-end.json                    the manifest, when nothing was left
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import msgspec

from airflow_provider_openai_dest.checkpoint.claims import Claimed, read_claims
from airflow_provider_openai_dest.checkpoint.marks import Marks, MarksLog, read_marks
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.checkpoint.upload_log import read_uploads
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.settled import SettledRecords
from airflow_provider_openai_dest.exceptions import CheckpointMismatchError, RecordError, TransientError
from airflow_provider_openai_dest.sinks.folder import Folder, RowLog, list_names, put_file, read_rows
from airflow_provider_openai_dest.uploads.upload_memory import KnownUpload

log = logging.getLogger(__name__)

Resume = Literal["auto", "always", "never"]
OnMismatch = Literal["fail", "restart"]
Span = Literal["delivery", "generation", "try"]

DIGESTS = frozenset({"template"})
"""Parts of a fingerprint whose values say nothing to a person."""

LONGEST_VALUE = 200

LAST_CLAIMS = 16
"""Files of claims that are read of a try: those of the last thousand records, by which a changed data set is seen."""

_MAGIC = re.compile(r"[*?\[]")

_CLAIM = re.compile(r"delivery-[0-9a-f]+-d(\d+)-g(\d+)\.json")
_END_OF_NAME = re.compile(r"(-\d{6})?\.jsonl$")
_ROWS = re.compile(r".+-d\d+-g(\d+)-t(\d+)-.+\.jsonl")


class _Claim(msgspec.Struct):
    scope: dict[str, Any]
    fingerprint: dict[str, str]


class DeliveryLog:
    """The state of one task instance's deliveries in a folder.

    :param folder: results folder; may be shared with other task instances.
    :param scope: whose delivery it is.
    :param try_number: number of this try, for file names.
    :param generation: how often the run was cleared; a retry has the same, a clear the next.
    :param fingerprint: what must not change under a half-done delivery: account, origin, endpoint, model, template,
        source, by the names that an error tells.
    :param resume: ``auto``: a retry continues, a clear of an unfinished delivery continues and tries the rejected
        again, a clear of a finished one sends anew; ``always`` continues; ``never`` sends anew.
    :param on_mismatch: ``fail`` raises CheckpointMismatchError when the fingerprint changed; ``restart`` sends
        everything anew, as the next delivery.
    """

    def __init__(
        self,
        folder: Folder,
        scope: Scope,
        *,
        try_number: int = 1,
        generation: int = 0,
        fingerprint: Mapping[str, str] | None = None,
        resume: Resume = "auto",
        on_mismatch: OnMismatch = "fail",
    ) -> None:
        self.folder = folder
        self.scope = scope
        self._try_number = try_number
        self._generation = generation
        self._names = list_names(folder, f"delivery-{scope.id}-")
        claims = sorted((int(m[1]), int(m[2])) for name in self._names if (m := _CLAIM.fullmatch(name)))
        last, began = claims[-1] if claims else (0, generation)
        ended = f"delivery-{scope.id}-d{last}-end.json" in self._names
        goes_on = resume == "always" or (resume == "auto" and ((last, generation) in claims or not ended))
        self.is_resumed = bool(claims) and goes_on
        self.number = last if self.is_resumed else last + 1
        if self.is_resumed:
            self._compare(dict(fingerprint or {}), began, on_mismatch)
        self._claim(dict(fingerprint or {}))

    def outcomes(self, kind: str = "outcomes") -> Iterator[Outcome]:
        """Read what earlier tries of this delivery settled: for each record the outcome that holds.

        A rejection holds within its generation: after a clear it is passed over, so that the record is tried again.
        """
        held = SettledRecords()
        for generation, name in self.row_files(kind):
            for outcome in self._read(name):
                is_void = outcome.status is Status.REJECTED and generation < self._generation
                if not is_void and held.add(outcome):
                    yield outcome

    def settled(self) -> Iterator[Outcome | Marks]:
        """Read what earlier tries of this delivery settled, the newest first, from marks as far as there are some.

        A rejection of an earlier generation is passed over, so that the record is tried again after a clear.
        """
        names = list_names(self.folder, "")  # once: in object storage there are tens of thousands
        has_marks = not any(name.startswith(self._prefix("unmarked")) for name in names)
        for generation, name in self._logs("outcomes", names):
            is_earlier = generation < self._generation
            files = _files_of(name, names)
            beside = f"{name.replace('outcomes-', 'marks-', 1)}-"
            marked = [file for file in names if file.startswith(beside)] if has_marks else []
            length = self._length_of(name, files) if marked else 0
            marks = [
                one for one in read_marks(self.folder, marked) if one.end <= length
            ]  # rows that are gone have none
            for outcome in self._rows_after(name, files, marks[-1].end if marks else 0):
                if not (is_earlier and outcome.status is Status.REJECTED):
                    yield outcome
            yield from (one.delivered_only() if is_earlier else one for one in reversed(marks))

    def claimed(self) -> Claimed:
        """Read which records earlier tries of this delivery may have sent; each claim goes further than those before.

        So in object storage, where each is a file, the last few of a try say it, and whether it ended.
        """
        names = list_names(self.folder, self._prefix("claims"))
        tries = [_files_of(name, names)[-LAST_CLAIMS:] for _, name in self._logs("claims", names)]
        return read_claims(read_rows(self.folder, files) for files in tries)

    def uploads(self) -> dict[str, KnownUpload]:
        """Read which files earlier tries of this delivery have sent in part."""
        return read_uploads(self.rows_of("uploads"))

    def rows_of(self, kind: str) -> Iterator[dict[str, Any]]:
        """Read the rows of one kind that earlier tries of this delivery wrote, in the order of time."""
        names = list_names(self.folder, self._prefix(kind))
        logs = [name for _, name in reversed(self._logs(kind, names))]
        return chain.from_iterable(read_rows(self.folder, _files_of(log, names)) for log in logs)

    def delivered(self, kind: str) -> Iterator[Outcome]:
        """Read what earlier tries of this delivery delivered, for a log whose rejections each try sends again."""
        return (outcome for outcome in self.outcomes(kind) if outcome.status is Status.DELIVERED)

    def keys(self, kind: str) -> set[str]:
        """Give the keys of what was delivered of one kind of log, such as ``forwarded``."""
        return {outcome.record.key for outcome in self.delivered(kind)}

    def rows(self, kind: str) -> RowLog:
        """Open a new log of rows of this delivery and try; no other try has one of its name.

        A try that freed its worker to wait has one more each time that it goes on: they are in the order of time.
        """
        beginning = f"{self._prefix(kind)}-{self._this_try}-"
        earlier = len(list_names(self.folder, beginning))
        return RowLog(self.folder, f"{beginning}{earlier:06d}{secrets.token_hex(3)}")

    def marked_rows(self, kind: str) -> tuple[RowLog, MarksLog]:
        """Open a new log of rows, and the marks beside it."""
        rows = self.rows(kind)
        return rows, MarksLog(self.folder, rows.name.replace(kind, "marks", 1))

    def distrust_marks(self) -> None:
        """Say that a row is gone of which a mark tells that it is there: from now on the rows themselves are read."""
        put_file(self.folder, f"{self._prefix('unmarked')}.json", b"{}")

    def pattern(self, kind: str, *, of: Span = "delivery") -> str:
        """Give the pattern of the files of one kind, for manifests and readers.

        :param of: the whole ``delivery``; this ``generation``, for what a clear tries again, such as rejected records;
            or this ``try``, for what each try does again, such as items that did not arrive.
        """
        spans = {"delivery": "", "generation": f"{self._this_generation}-", "try": f"{self._this_try}-"}
        return f"{self.pattern_of_folder()}/{self._prefix(kind)}-{spans[of]}*.jsonl"

    def pattern_of_folder(self) -> str:
        """Give the folder as a pattern: what would mean something there stands for itself."""
        return _MAGIC.sub(r"[\g<0>]", str(self.folder).rstrip("/"))

    def end(self, manifest: Mapping[str, Any], *, is_complete: bool = True) -> None:
        """Put the manifest, and the mark of an ended delivery when nothing was left, of the webhook's items neither.

        :param is_complete: False when something else is left to be done.
        """
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        put_file(self.folder, f"{self._prefix('manifest')}.json", content)
        if is_complete and not _leaves_something(manifest) and not _leaves_something(manifest.get("webhook") or {}):
            put_file(self.folder, f"{self._prefix('delivery')}-end.json", content)

    @property
    def generation(self) -> int:
        """How often the run was cleared."""
        return self._generation

    @property
    def _this_generation(self) -> str:
        return f"g{self._generation:02d}"  # two digits, so that names are in the order of time

    @property
    def _this_try(self) -> str:
        return f"{self._this_generation}-t{self._try_number:02d}"

    def row_files(self, kind: str) -> list[tuple[int, str]]:
        """List the files of rows, those of the newest try first, each with its generation."""
        return self._row_files(kind, list_names(self.folder, f"{self._prefix(kind)}-g"))

    def _row_files(self, kind: str, names: Sequence[str]) -> list[tuple[int, str]]:
        of_kind = f"{self._prefix(kind)}-g"
        matches = ((_ROWS.fullmatch(name), name) for name in names if name.startswith(of_kind))
        found = sorted((int(match[1]), int(match[2]), name) for match, name in matches if match)
        return [(generation, name) for generation, _, name in reversed(found)]

    def _logs(self, kind: str, names: Sequence[str]) -> list[tuple[int, str]]:
        """Find the logs of rows, the newest first, each with its generation; in object storage one has many files."""
        return list(dict.fromkeys((generation, _log_of(name)) for generation, name in self._row_files(kind, names)))

    def _length_of(self, name: str, files: Sequence[str]) -> int:
        """Give how long one log is: bytes of a local file, or segments up to the first that is missing."""
        if files == [f"{name}.jsonl"] and isinstance(self.folder, Path):
            path: Path = self.folder / files[0]
            return path.stat().st_size
        return next((place for place, file in enumerate(files) if _segment_of(file) != place), len(files))

    def _rows_after(self, name: str, files: Sequence[str], position: int) -> Iterator[Outcome]:
        """Read the outcomes of one log from a position on: bytes of a local file, or segments."""
        if files == [f"{name}.jsonl"]:
            return self._read(files[0], start=position)
        return chain.from_iterable(self._read(file) for file in files if _segment_of(file) >= position)

    def _read(self, name: str, start: int = 0) -> Iterator[Outcome]:
        strange = 0
        for row in read_rows(self.folder, [name], start):
            try:
                yield Outcome.from_row(row)
            except RecordError:
                strange += 1
        if strange:
            log.warning("%s has %d rows that are no outcomes: their records count as not settled", name, strange)

    def _prefix(self, kind: str) -> str:
        return f"{kind}-{self.scope.id}-d{self.number}"

    def _claim(self, fingerprint: dict[str, str]) -> None:
        name = f"{self._prefix('delivery')}-g{self._generation}.json"
        if name not in self._names:
            claim = _Claim(scope=self.scope.as_row(), fingerprint=fingerprint)
            put_file(self.folder, name, msgspec.json.encode(claim))

    def _compare(self, fingerprint: dict[str, str], claimed_generation: int, on_mismatch: OnMismatch) -> None:
        """Refuse what is not the delivery that was begun, or begin the next one in its place."""
        claimed = self._claimed(f"{self._prefix('delivery')}-g{claimed_generation}.json")
        changed = described_changes(claimed, fingerprint)
        if not changed:
            return
        what = f"{changed} changed under the half-done delivery {self.number} in {self.folder}"
        if on_mismatch == "fail":
            raise CheckpointMismatchError(
                f"{what}, and old and new answers would mix: change it back to go on with the rest, or send everything "
                'anew, and pay for it again, with on_mismatch="restart" (or resume="never", at every try)'
            )
        self.is_resumed = False
        self.number += 1
        log.warning("%s: everything is sent anew, as delivery %d; the rows of the old one stay", what, self.number)

    def _claimed(self, name: str) -> dict[str, str]:
        try:
            with (self.folder / name).open("rb") as stream:
                return msgspec.json.decode(stream.read(), type=_Claim).fingerprint
        except Exception as error:  # clients of object storage raise what they like
            raise TransientError(f"can't read the state in {self.folder / name}: {error}") from error


def generations(folder: Folder, scope: Scope) -> int:
    """Count the generations that have begun in a folder, for whoever has no clear number to go by."""
    found = (_CLAIM.fullmatch(name) for name in list_names(folder, f"delivery-{scope.id}-"))
    return max((int(match[2]) + 1 for match in found if match), default=0)


def described_changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Name what differs, with both values where they tell a person something; empty when nothing does."""
    changed = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    return " and ".join(_change(name, before.get(name), after.get(name)) for name in changed)


def _change(name: str, before: str | None, after: str | None) -> str:
    if before is None or after is None or name in DIGESTS:
        return name
    return f"{name} ({before[:LONGEST_VALUE]!r}, now {after[:LONGEST_VALUE]!r})"


def _files_of(log_of_rows: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith(log_of_rows) and _log_of(name) == log_of_rows]


def _segment_of(file: str) -> int:
    return int(file.removesuffix(".jsonl").rpartition("-")[2])


def _log_of(file: str) -> str:
    return _END_OF_NAME.sub("", file)


def _leaves_something(counts: Mapping[str, Any]) -> bool:
    return bool(counts.get("pending") or counts.get("rejected") or not counts.get("whole_input", True))
