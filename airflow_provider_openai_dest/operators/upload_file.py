"""OpenAIUploadFileOperator: records as a file, or files as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_openai_dest.exceptions import nearest
from airflow_provider_openai_dest.operators.airflow_versions import default_deferrable
from airflow_provider_openai_dest.operators.arguments import (
    check_numbers,
    check_seconds,
    check_words,
    is_final,
    refuse,
    refuse_fixed,
)
from airflow_provider_openai_dest.operators.failures import told_to_airflow
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.rendering.body import WHOLE_RECORD, BodyTemplate
from airflow_provider_openai_dest.rendering.file_checks import EXTENSIONS, PART_BYTES, UPLOAD_BYTES, expiry_faults
from airflow_provider_openai_dest.rendering.file_formats import FileFormat
from airflow_provider_openai_dest.rendering.line_rules import RULES
from airflow_provider_openai_dest.rendering.lines import DEFAULT_FILE_LIMIT, FileLimit, LinesRenderer, read_file_per
from airflow_provider_openai_dest.rendering.placeholders import parse_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.operators.file_waiting import Uploaded
    from airflow_provider_openai_dest.rendering.renderer import Renderer
    from airflow_provider_openai_dest.rendering.request_form import RequestForm
    from airflow_provider_openai_dest.sources.record import Source
    from airflow_provider_openai_dest.uploads.file_status import FileEnd

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")


class OpenAIUploadFileOperator(OpenAISendRecordsOperator):
    """Upload records as files of JSON Lines, JSON or CSV, or files that exist as they are.

    With ``records`` or ``source`` each record becomes a line; with ``files`` each file is uploaded, and the manifest
    counts files. Uploads are streamed from disk, above 512 MB in parts that a retry goes on with. All parameters of
    OpenAISendRecordsOperator apply but ``body``.

    :param purpose: ``assistants``, ``batch``, ``evals``, ``fine-tune``, ``user_data`` or ``vision``.
    :param files: path or URI of files to upload as they are, with globs; or a list of them.
    :param file: path or URI of a file that each record names, such as ``{message.uri}``, below ``files_root``.
    :param line: template of one line; the default is the whole record.
    :param file_per: ``run``: one file with all records; ``record``: one for each; or a text such as ``{message.day}``:
        records that fill it alike share a file. A file that would become too large is continued in another.
    :param filename: name of the file, such as ``products-{message.day}.jsonl``.
    :param file_format: how records stand in the file: ``jsonl``, ``json`` (one array), or ``csv`` with the columns of
        the first record.
    :param expires_after: such as ``{"anchor": "created_at", "seconds": 3600}``; 3,600 to 2,592,000 seconds.
    :param check: look at each file, and at each line for ``batch`` and ``fine-tune``, before it is sent: what the
        API would refuse is rejected with all its faults.
    :param uploads: send each file by the Uploads API, in parts at once; default: files above 512 MB. True also lets a
        file made of records become as large as 8 GB.
    :param part_size: bytes of a part, 64 MiB at most.
    :param parts_at_once: parts of one file on the wire at once.
    :param check_md5: let the API compare the md5 of what it got in parts; this reads the file a second time. Without it
        a retry sends all parts anew.
    :param reuse: do not send a file again whose bytes, name and purpose an earlier run has uploaded, and the API still
        has.
    :param reuse_folder: folder, as a path or URI, of the ledger of uploaded files that runs share; default ``results``,
        else ``[openai_dest] results_path``.
    :param wait: succeed only when the files are processed; one that can't be makes its records rejected.
    :param wait_timeout: seconds to wait for that.
    :param deferrable: wait in the triggerer, without a worker; default ``[operators] default_deferrable``.
    :param poll_interval: seconds between the questions whether files are processed.
    """

    template_fields: Sequence[str] = (
        *OpenAISendRecordsOperator.template_fields,
        "files",
        "line",
        "file_per",
        "filename",
        "reuse_folder",
    )

    def __init__(
        self,
        *,
        purpose: str,
        files: str | Sequence[str] | None = None,
        file: str | None = None,
        line: Any = None,
        file_per: str = "run",
        filename: str | None = None,
        file_format: FileFormat = "jsonl",
        expires_after: dict[str, Any] | None = None,
        check: bool = True,
        uploads: bool | None = None,
        part_size: int = PART_BYTES,
        parts_at_once: int = 8,
        check_md5: bool = True,
        reuse: bool = False,
        reuse_folder: str | None = None,
        wait: bool = False,
        wait_timeout: float | None = 3600,
        deferrable: bool | None = None,
        poll_interval: float = 5,
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint", "fields", "deduplicate")
        self._own_faults = (
            *_source_faults(files, file, line, kwargs),
            *_form_faults(purpose, file_format, expires_after),
            *_waiting_faults(kwargs.get("extract") if wait else None),
        )
        named = "{message.uri}" if files is not None else file
        fields = {"purpose": purpose, "file": named, "expires_after": expires_after}
        self.files = files
        self.line = line
        self.file_per = file_per
        self.filename = filename
        self.file_format = file_format
        self.check = check
        self.uploads = uploads
        self.part_size = part_size
        self.parts_at_once = parts_at_once
        self.check_md5 = check_md5
        self.reuse = reuse
        self.reuse_folder = reuse_folder
        self.wait = wait
        self.wait_timeout = wait_timeout
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self._files_found: dict[str, Any] | None = None
        super().__init__(endpoint="upload_file", fields=fields, **kwargs)

    def argument_checks(self) -> Iterable[Callable[[], object]]:
        """Give what looks at the arguments, those of the files as well."""
        yield from super().argument_checks()
        yield partial(refuse, *self._own_faults)
        if is_final(self.line):
            yield self._line_template
        if is_final(self.file_per):
            yield partial(read_file_per, self.file_per)
        if self.filename is not None and is_final(self.filename):
            yield partial(parse_text, self.filename, "filename")
        yield partial(check_words, {"file_format": (self.file_format, get_args(FileFormat))})
        sizes = {"part_size": (self.part_size, 1, PART_BYTES), "parts_at_once": (self.parts_at_once, 1, 512)}
        yield partial(check_numbers, sizes)
        seconds = {"wait_timeout": (self.wait_timeout, 0), "poll_interval": (self.poll_interval, 0)}
        yield partial(check_seconds, seconds)

    @property
    def sends_files(self) -> bool:
        """Whether files are sent as they are, and are not made of records."""
        return "file" in self.fields

    def execute(self, context: Context) -> dict[str, Any]:
        """Deliver the files, wait for them where that was asked for, and return the manifest."""
        row = super().execute(context)
        return self._wait(context, row) if self.wait else row

    def execute_complete(self, context: Context, event: Any) -> dict[str, Any]:
        """Take what the trigger has found of the files, and return the manifest."""
        from airflow_provider_openai_dest.operators.file_waiting import ends_of

        with told_to_airflow(self.log):
            ends = ends_of(event)
            return self._processed(context, event["carried"]["manifest"], event["carried"]["uploaded"], ends)

    def has_records(self) -> bool:
        """Tell whether there are records; each of the ``files`` is one."""
        return self.files is not None or super().has_records()

    def read_source(self) -> Source:
        """Open the records; with ``files`` there is one for each file."""
        if self.files is None:
            return super().read_source()
        from airflow_provider_openai_dest.sources.values import ValuesSource

        return ValuesSource([{"uri": uri} for uri in self._found()], key="uri")

    def renderer(self, form: RequestForm) -> Renderer:
        """Make what collects records into files, or sends files that exist; they are checked."""
        from airflow_provider_openai_dest.operators.file_sending import checked

        return checked(self, super().renderer(form) if self.sends_files else self._lines_renderer(form))

    def _lines_renderer(self, form: RequestForm) -> LinesRenderer:
        return LinesRenderer(
            form,
            line=self._line_template(),
            fields=self.fields,
            file_per=self.file_per,
            filename=self.filename,
            default_limit=FileLimit(max_bytes=UPLOAD_BYTES) if self.uploads else DEFAULT_FILE_LIMIT,
            file_format=self.file_format,
            rules=RULES if self.check else None,
        )

    def with_state(
        self, renderer: Renderer, form: RequestForm, log: DeliveryLog, settings: ConnectionSettings
    ) -> Renderer:
        """Let files go in parts after those that are there, and be reused."""
        from airflow_provider_openai_dest.operators.file_sending import file_sending
        from airflow_provider_openai_dest.uploads.file_sending import FileRenderer

        return FileRenderer(renderer, form, file_sending(self, log, settings))

    def request_form(self, settings: ConnectionSettings) -> RequestForm:
        """Make the fixed parts; files that the Dag author named himself need no folder."""
        if self.files is None:
            return super().request_form(settings)
        from airflow_provider_openai_dest.rendering.file_references import FileReferences
        from airflow_provider_openai_dest.rendering.request_form import RequestForm

        found = self._found()
        return RequestForm(
            self.spoken_endpoint(settings),
            base_url=settings.base_url,
            files=FileReferences(tuple(found), found.__getitem__),
            check=self.body_check(settings),
        )

    def template_parts(self) -> list[Any]:
        """Give what shapes the files."""
        return [self.fields, self.line, self.file_per, self.filename, self.file_format, self.missing]

    def _wait(self, context: Context, row: dict[str, Any]) -> dict[str, Any]:
        from airflow_provider_openai_dest.operators.file_waiting import new_trigger, uploaded_files, wait_for

        if self.delivery is None or not (uploaded := uploaded_files(self.delivery.delivered())):
            return row
        self.log.info("Waiting until %d files are processed", len(uploaded))
        asked = (self.conn_id, uploaded, self.poll_interval, self.wait_timeout)
        if self.deferrable:
            trigger = new_trigger(*asked, carried={"manifest": row, "uploaded": uploaded})
            self.defer(trigger=trigger, method_name="execute_complete")
        with told_to_airflow(self.log):
            return self._processed(context, row, uploaded, wait_for(*asked))

    def _processed(
        self, context: Context, row: dict[str, Any], uploaded: Uploaded, ends: Mapping[str, FileEnd]
    ) -> dict[str, Any]:
        from airflow_provider_openai_dest.operators.file_waiting import with_ends

        manifest = with_ends(row, uploaded, ends)
        row |= manifest.as_dict()
        try:
            self.tolerance().check(manifest)
        except Exception:
            context["ti"].xcom_push(key="return_value", value=row)
            raise
        return row

    def _line_template(self) -> BodyTemplate:
        return BodyTemplate(WHOLE_RECORD if self.line is None else self.line, missing=self.missing, name="line")

    def _found(self) -> dict[str, Any]:
        """Find the files, once a try."""
        from airflow_provider_openai_dest.operators.object_storage import find_files

        if self._files_found is None:
            patterns = [self.files] if isinstance(self.files, str) else self.files or []
            found = (file for pattern in patterns for file in find_files(pattern, self.storage_conn_id))
            self._files_found = {str(file): file for file in found}
        return self._files_found


def _source_faults(files: Any, file: str | None, line: Any, given: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with where the bytes come from."""
    if file is not None and given.get("files_root") is None:
        yield "file= needs files_root=: the folder that files named by records are in"
    if files is not None and (file is not None or given.get("records") or given.get("source")):
        yield "files= are uploaded as they are: give no records, source or file with them"
    if files is file is line is None and given.get("records") is None and given.get("source") is None:
        yield "nothing to upload: give files=, or records= or source= to make a file of"
    if given.get("body") is not None:
        yield "an upload has no body: give line= for the lines, or files= for files"


def _form_faults(purpose: Any, file_format: str, expires_after: Any) -> Iterator[str]:
    """Say what the API would refuse of every file, as far as Jinja leaves nothing open."""
    if is_final(purpose):
        if purpose not in PURPOSES:
            yield f"unknown purpose {purpose!r}: {nearest(purpose, PURPOSES)}"
        elif file_format != "jsonl" and purpose in EXTENSIONS:
            yield f"purpose={purpose!r} takes JSON Lines only: leave file_format= at 'jsonl'"
    if expires_after is not None and is_final(expires_after):
        yield from expiry_faults(expires_after)


def _waiting_faults(extract: Any) -> Iterator[str]:
    """Say what of the answers would hide the ids of the files that are waited for."""
    if extract and extract.get("id") != "id":
        yield "wait=True looks for the files' ids in the answers: add 'id': 'id' to extract="
