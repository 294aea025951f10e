"""Inputs: the data set and the files of a task, opened through Airflow's object storage."""

from __future__ import annotations

from typing import Any

from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.object_storage import find_files, open_file
from airflow_provider_openai_dest.rendering.dialect import Dialect
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.sources.files import FilesSource
from airflow_provider_openai_dest.sources.quarantine import QuarantineSource, is_quarantine
from airflow_provider_openai_dest.sources.readable_file import without_user_info
from airflow_provider_openai_dest.sources.record import Source
from airflow_provider_openai_dest.sources.values import ValuesSource


def open_source(
    records: Any,
    source: Any,
    *,
    key: str | None,
    source_format: str | None = None,
    storage_conn_id: str | None = None,
    must_be_json: bool = False,
) -> Source:
    """Open the records, or the files or the Source object that ``source`` is.

    :param must_be_json: the records are a Jinja text: a list comes out of it as Python writes it, and None as "None".
    """
    if source is None:
        if must_be_json and isinstance(records, str):
            if records.strip() in ("", "None"):
                return ValuesSource(None, key=key)
            _refuse_python_text(records)
        return ValuesSource(records, key=key)
    if not isinstance(source, str):
        return _checked_source(source)
    files, name = find_files(source, storage_conn_id), without_user_info(source)
    if is_quarantine(files):
        return QuarantineSource(files, name)
    return FilesSource(files, key=key, file_format=source_format, name=name)


def dialect_of(settings: ConnectionSettings) -> Dialect:
    """Tell how the server of a connection wants its requests."""
    return Dialect(
        base_url=settings.base_url,
        server=settings.server,
        can=settings.can,
        deployment=settings.deployment,
        api_version=settings.api_version,
        is_admin=settings.auth == "admin_key",
    )


def file_references(files_root: str | None, storage_conn_id: str | None) -> FileReferences | None:
    """Give the opener of files that records name; None when the Dag author named no folder for them."""
    if files_root is None:
        return None
    return FileReferences((files_root,), lambda uri: open_file(uri, storage_conn_id))


def _refuse_python_text(text: str) -> None:
    import msgspec

    if text.lstrip()[:1] not in ("[", "{"):
        return
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"records looks like a list or object but is not JSON ({error}): give records=upstream.output, "
            "or write {{ ... | tojson }}"
        ) from None


def _checked_source(source: Any) -> Source:
    if isinstance(source, (list, tuple, set, dict)) or not (
        hasattr(source, "__iter__") and hasattr(source, "fingerprint")
    ):
        raise ConfigurationError(
            f"source is of type {type(source).__name__}: give the path or URI of files, with globs for several, or an "
            "object with __iter__ and fingerprint (a Source)"
        )
    checked: Source = source
    return checked
