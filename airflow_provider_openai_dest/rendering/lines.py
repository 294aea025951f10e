"""Lines: records collected into files, as a rule of JSON Lines: one a run, one a record or one a group."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_formats import FORMATS, FileFormat, RecordsFormat
from airflow_provider_openai_dest.rendering.line_rules import LineRules
from airflow_provider_openai_dest.rendering.multipart import FilePart
from airflow_provider_openai_dest.rendering.placeholders import Text, parse_text
from airflow_provider_openai_dest.rendering.renderer import Rendered
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.field_path import missing_field
from airflow_provider_openai_dest.sources.record import Record

OPEN_FILES = 256
"""Files kept open at once when records are grouped; beyond it the oldest is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimit:
    """How large a file may be."""

    max_bytes: int
    max_lines: int | None = None


FILE_LIMITS = {"batch": FileLimit(max_bytes=200_000_000, max_lines=50_000)}
"""By purpose (https://platform.openai.com/docs/api-reference/files/create); the rest have the default."""
DEFAULT_FILE_LIMIT = FileLimit(max_bytes=512_000_000)


def read_file_per(file_per: str) -> Text:
    """Read ``file_per``; raises ConfigurationError when it is neither a word that it may be nor has a placeholder."""
    text = parse_text(file_per, "file_per")
    if file_per not in ("run", "record") and text.plain is not None:
        raise ConfigurationError(
            f"file_per={file_per!r} must be 'run', 'record', or a text with a placeholder such as '{{message.day}}'"
        )
    return text


class LinesRenderer:
    """Writes each record as a line of a spooled file and sends the file when it is whole.

    :param form: the request's fixed parts, of an endpoint with a ``lines_field``.
    :param line: template of one line; the default is the whole record.
    :param fields: the other body fields, with ``{message.field}`` filled from a file's first record.
    :param file_per: ``run``, ``record``, or a text with a placeholder: records that fill it alike share a file.
    :param filename: name of the file, with ``{message.field}`` filled from its first record.
    :param limits: how large a file may be, by purpose.
    :param default_limit: how large the files of other purposes may be.
    :param file_format: how the records stand in the file.
    :param rules: what each line must hold, by purpose; a record whose line does not is refused.
    """

    def __init__(
        self,
        form: RequestForm,
        *,
        line: BodyTemplate,
        fields: Mapping[str, Any],
        file_per: str = "run",
        filename: str | None = None,
        limits: Mapping[str, FileLimit] = FILE_LIMITS,
        default_limit: FileLimit = DEFAULT_FILE_LIMIT,
        file_format: FileFormat = "jsonl",
        rules: Mapping[str, Callable[[], LineRules]] | None = None,
    ) -> None:
        if form.endpoint.lines_field is None:
            raise ConfigurationError(f"{form.endpoint.name} takes no JSON Lines file of records")
        self._form = form
        self._line = line
        self._fields = BodyTemplate({}, fields=fields)
        self._file_per = read_file_per(file_per)
        self._filename = parse_text(filename, "filename") if filename else None
        self._limits = limits
        self._default_limit = default_limit
        self._file_format: FileFormat = file_format
        self._rules = rules or {}

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Spool the records; a file is given when it is full, its group is closed, or the source has ended."""
        spools: dict[str, _Spool] = {}
        for record in records:
            try:
                full = self._add(record, spools)
            except RecordError as error:
                yield RefusedRecord(record=record, error=error)
                continue
            if full is not None:
                yield self._finished(full)
            if self._file_per.plain == "record" or len(spools) > OPEN_FILES:
                oldest = spools.pop(next(iter(spools)))
                yield self._finished(oldest)
        for spool in spools.values():
            yield self._finished(spool)

    def split(
        self,
        request: RenderedRequest,  # noqa: ARG002 - part of the protocol
        error: RecordError | None = None,  # noqa: ARG002
    ) -> Sequence[RenderedRequest]:
        """Never: half a file is another file."""
        return ()

    def _add(self, record: Record, spools: dict[str, _Spool]) -> _Spool | None:
        """Write a record into the file of its group; gives the file that had no room for it, if there was one."""
        if record.fault:
            raise record.fault
        group, value = self._group(record), self._line.render(record.data)
        spool, full = spools.get(group), None
        line = spool.line(value) if spool is not None else None
        if spool is None or line is None:
            spool = self._new_spool(record, group)
            line = spool.line(value)
            if line is None:
                raise RecordError("line_too_long", "the record alone is more than a file may hold")
            full, spools[group] = spools.pop(group, None), spool
        spool.add(record, line)
        return full

    def _group(self, record: Record) -> str:
        match self._file_per.plain:
            case "run":
                return ""
            case "record":
                return record.key
            case _:
                return _filled(self._file_per, record, "file_per")

    def _new_spool(self, record: Record, group: str) -> _Spool:
        fields = self._fields.render(record.data)
        purpose = str(fields.get("purpose"))
        default = f"{group or 'records'}.{self._file_format}"
        named = _filled(self._filename, record, "filename") if self._filename else default
        limit, rules = self._limits.get(purpose, self._default_limit), self._rules.get(purpose)
        spool = _Spool(named, fields, limit, FORMATS[self._file_format](), rules() if rules else None)
        self._request(spool, record)  # so that a name which can't be sent is the fault of this record alone
        return spool

    def _finished(self, spool: _Spool) -> RenderedRequest:
        spool.finish()
        return self._request(spool, *spool.records)

    def _request(self, spool: _Spool, *records: Record) -> RenderedRequest:
        part = spool.as_part(str(self._form.endpoint.lines_field))
        return self._form.request(records, spool.fields, files=[part])


class _Spool:
    """A file being written; it is deleted when nobody refers to it any more."""

    def __init__(
        self,
        filename: str,
        fields: dict[str, Any],
        limit: FileLimit,
        file_format: RecordsFormat,
        rules: LineRules | None,
    ) -> None:
        self.filename = filename
        self.fields = fields
        self.records: list[Record] = []
        self._limit = limit
        self._format = file_format
        self._rules = rules
        self._size = 0
        descriptor, path = tempfile.mkstemp(prefix="openai-dest-", suffix=".jsonl")
        self._path = Path(path)
        self._file = os.fdopen(descriptor, "wb")
        weakref.finalize(self, _discard, self._file, self._path)

    def line(self, value: Any) -> bytes | None:
        """Give the bytes of the next record, None when it must go in another file; raises RecordError for no line."""
        max_lines, is_first = self._limit.max_lines, not self.records
        if max_lines is not None and len(self.records) >= max_lines:
            return None
        if self._rules is not None:
            if not (is_first or self._rules.has_room(value)):
                return None
            if faults := self._rules.faults(value):
                raise RecordError("invalid_line", "; ".join(faults), param="line")
        line = self._format.add(value, is_first=is_first)
        return line if self._size + len(line) + len(self._format.end) <= self._limit.max_bytes else None

    def finish(self) -> None:
        """Write the end of the file."""
        self._file.write(self._format.end)
        self._size += len(self._format.end)

    def add(self, record: Record, line: bytes) -> None:
        self._file.write(line)
        self._size += len(line)
        self.records.append(record)

    def as_part(self, name: str) -> FilePart:
        self._file.flush()
        return FilePart(name=name, filename=self.filename, size=self._size, open=self._open)

    def _open(self) -> BinaryIO:
        return self._path.open("rb")


def _discard(file: BinaryIO, path: Path) -> None:
    file.close()
    path.unlink(missing_ok=True)


def _filled(text: Text, record: Record, place: str) -> str:
    try:
        return text.fill(record.data)
    except LookupError as step:
        raise missing_field(step, place) from None
