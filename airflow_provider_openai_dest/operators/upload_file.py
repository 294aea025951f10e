"""OpenAIUploadFileOperator: records as a file, or files as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, nearest
from airflow_provider_openai_dest.operators.arguments import is_final, refuse_fixed
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.rendering.body import WHOLE_RECORD, BodyTemplate
from airflow_provider_openai_dest.rendering.lines import LinesRenderer, read_file_per
from airflow_provider_openai_dest.rendering.placeholders import parse_text

if TYPE_CHECKING:
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.rendering.renderer import Renderer, RequestForm
    from airflow_provider_openai_dest.sources.record import Source

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")


class OpenAIUploadFileOperator(OpenAISendRecordsOperator):
    """Upload records as JSON Lines files, or files that exist as they are.

    With ``records`` or ``source`` each record becomes a line; with ``files`` each file is uploaded, and the manifest
    counts files. Uploads are streamed from disk. All parameters of OpenAISendRecordsOperator apply but ``body``.

    :param purpose: ``assistants``, ``batch``, ``evals``, ``fine-tune``, ``user_data`` or ``vision``.
    :param files: path or URI of files to upload as they are, with globs; or a list of them.
    :param file: path or URI of a file that each record names, such as ``{message.uri}``, below ``files_root``.
    :param line: template of one line; the default is the whole record.
    :param file_per: ``run``: one file with all records; ``record``: one for each; or a text such as ``{message.day}``:
        records that fill it alike share a file. A file that would become too large is continued in another.
    :param filename: name of the file, such as ``products-{message.day}.jsonl``.
    :param expires_after: such as ``{"anchor": "created_at", "seconds": 3600}``; 3,600 to 2,592,000 seconds.
    """

    template_fields: Sequence[str] = (
        *OpenAISendRecordsOperator.template_fields,
        "files",
        "line",
        "file_per",
        "filename",
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
        expires_after: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_fixed(type(self), kwargs, "endpoint", "fields", "deduplicate")
        if is_final(purpose) and purpose not in PURPOSES:
            raise ConfigurationError(f"unknown purpose {purpose!r}: {nearest(purpose, PURPOSES)}")
        if file is not None and kwargs.get("files_root") is None:
            raise ConfigurationError("file= needs files_root=: the folder that files named by records are in")
        if files is not None and (file is not None or kwargs.get("records") or kwargs.get("source")):
            raise ConfigurationError("files= are uploaded as they are: give no records, source or file with them")
        if kwargs.get("body") is not None:
            raise ConfigurationError("an upload has no body: give line= for the lines, or files= for files")
        named = "{message.uri}" if files is not None else file
        fields = {"purpose": purpose, "file": named, "expires_after": expires_after}
        self.files = files
        self.line = line
        self.file_per = file_per
        self.filename = filename
        self._files_found: dict[str, Any] | None = None
        super().__init__(endpoint="upload_file", fields=fields, **kwargs)
        if is_final(line):
            self._line_template()
        if is_final(file_per):
            read_file_per(file_per)
        if filename is not None and is_final(filename):
            parse_text(filename, "filename")

    def read_source(self) -> Source:
        """Open the records; with ``files`` there is one for each file."""
        if self.files is None:
            return super().read_source()
        from airflow_provider_openai_dest.sources.values import ValuesSource

        return ValuesSource([{"uri": uri} for uri in self._found()], key="uri")

    def renderer(self, form: RequestForm) -> Renderer:
        """Make what collects records into files, or sends files that exist."""
        if "file" in self.fields:
            return super().renderer(form)
        return LinesRenderer(
            form, line=self._line_template(), fields=self.fields, file_per=self.file_per, filename=self.filename
        )

    def request_form(self, settings: ConnectionSettings) -> RequestForm:
        """Make the fixed parts; files that the Dag author named himself need no folder."""
        if self.files is None:
            return super().request_form(settings)
        from airflow_provider_openai_dest.rendering.file_references import FileReferences
        from airflow_provider_openai_dest.rendering.renderer import RequestForm

        found = self._found()
        return RequestForm(
            self.spoken_endpoint(settings),
            base_url=settings.base_url,
            files=FileReferences(tuple(found), found.__getitem__),
            check=self.body_check(settings),
        )

    def template_parts(self) -> list[Any]:
        """Give what shapes the files."""
        return [self.fields, self.line, self.file_per, self.filename, self.missing]

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
