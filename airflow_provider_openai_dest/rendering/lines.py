"""Lines: records collected into JSON Lines files, one a run, one a record or one a group."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.encoding import encode_json
from airflow_provider_openai_dest.rendering.multipart import FilePart
from airflow_provider_openai_dest.rendering.placeholders import Text, parse_text
from airflow_provider_openai_dest.rendering.renderer import Rendered, RequestForm
from airflow_provider_openai_dest.rendering.request import RefusedRecord, RenderedRequest
from airflow_provider_openai_dest.sources.record import Record

MAX_FILE_BYTES = {"batch": 200_000_000}
"""Largest file by purpose (https://platform.openai.com/docs/api-reference/files/create); the rest have the default."""
DEFAULT_MAX_FILE_BYTES = 512_000_000
OPEN_FILES = 256
"""Files kept open at once when records are grouped; beyond it the oldest is sent."""


class LinesRenderer:
    """Writes each record as a line of a spooled file and sends the file when it is whole.

    :param form: the request's fixed parts, of an endpoint with a ``lines_field``.
    :param line: template of one line; the default is the whole record.
    :param fields: the other body fields, the same for all files.
    :param file_per: ``run``, ``record``, or a text with a placeholder: records that fill it alike share a file.
    :param filename: name of the file, with ``{message.field}`` filled from its first record.
    """

    def __init__(
        self,
        form: RequestForm,
        *,
        line: BodyTemplate,
        fields: dict[str, Any],
        file_per: str = "run",
        filename: str | None = None,
    ) -> None:
        if form.endpoint.lines_field is None:
            raise ConfigurationError(f"{form.endpoint.name} takes no JSON Lines file of records")
        self._form = form
        self._line = line
        self._fields = fields
        self._file_per = parse_text(file_per, "file_per")
        if file_per not in ("run", "record") and self._file_per.plain is not None:
            raise ConfigurationError(
                f"file_per={file_per!r} must be 'run', 'record', or a text with a placeholder such as '{{message.day}}'"
            )
        self._filename = parse_text(filename, "filename") if filename else None
        self._max_bytes = MAX_FILE_BYTES.get(str(fields.get("purpose")), DEFAULT_MAX_FILE_BYTES)

    def render(self, records: Iterable[Record]) -> Iterator[Rendered]:
        """Spool the records; a file is given when it is full, its group is closed, or the source has ended."""
        spools: dict[str, _Spool] = {}
        for record in records:
            try:
                if record.fault:
                    raise record.fault
                group = self._group(record)
                line = encode_json(self._line.render(record.data)) + b"\n"
                if len(line) > self._max_bytes:
                    raise RecordError("line_too_long", f"a line of {len(line)} bytes is more than a file may hold")
                spool = spools.get(group)
                if spool is not None and spool.size + len(line) > self._max_bytes:
                    yield self._request(spools.pop(group))
                    spool = None
                if spool is None:
                    spool = spools[group] = _Spool(self._name(record, group))
                spool.add(record, line)
            except RecordError as error:
                yield RefusedRecord(record=record, error=error)
                continue
            if self._file_per.plain == "record" or len(spools) > OPEN_FILES:
                yield self._request(spools.pop(next(iter(spools))))
        for spool in spools.values():
            yield self._request(spool)

    def split(self, request: RenderedRequest) -> Sequence[RenderedRequest]:  # noqa: ARG002 - part of the protocol
        """Never: half a file is another file."""
        return ()

    def _group(self, record: Record) -> str:
        match self._file_per.plain:
            case "run":
                return ""
            case "record":
                return record.key
            case _:
                return _filled(self._file_per, record, "file_per")

    def _name(self, record: Record, group: str) -> str:
        if self._filename is not None:
            return _filled(self._filename, record, "filename")
        return f"{group or 'records'}.jsonl"

    def _request(self, spool: _Spool) -> RenderedRequest:
        part = spool.as_part(str(self._form.endpoint.lines_field))
        return self._form.request(tuple(spool.records), self._fields, files=[part])


class _Spool:
    """A file being written; it is deleted when nobody refers to it any more."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.size = 0
        self.records: list[Record] = []
        self._file = tempfile.NamedTemporaryFile(prefix="openai-dest-", suffix=".jsonl")  # noqa: SIM115 - lives as long as the request

    def add(self, record: Record, line: bytes) -> None:
        self._file.write(line)
        self.size += len(line)
        self.records.append(record)

    def as_part(self, name: str) -> FilePart:
        self._file.flush()
        file = self._file
        return FilePart(
            name=name, filename=self.filename, size=self.size, open=lambda: Path(file.name).open("rb")
        )


def _filled(text: Text, record: Record, place: str) -> str:
    try:
        return text.fill(record.data)
    except LookupError as step:
        raise RecordError("missing_field", f"the record has no {step.args[0]!r}, which {place} needs") from None
