"""File sending: how an upload goes, made of the operator's arguments and what earlier tries and runs have sent."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_openai_dest.checkpoint.file_ledger import FileLedger
from airflow_provider_openai_dest.checkpoint.upload_log import UploadLog
from airflow_provider_openai_dest.operators.places import open_results, results_root
from airflow_provider_openai_dest.rendering.file_checks import check_file, check_form
from airflow_provider_openai_dest.rendering.lines import DEFAULT_FILE_LIMIT
from airflow_provider_openai_dest.uploads.file_sending import CheckedRenderer, FileSending
from airflow_provider_openai_dest.uploads.upload_in_parts import UploadOptions

if TYPE_CHECKING:
    from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
    from airflow_provider_openai_dest.connection.settings import ConnectionSettings
    from airflow_provider_openai_dest.operators.upload_file import OpenAIUploadFileOperator
    from airflow_provider_openai_dest.rendering.renderer import Renderer


def file_sending(operator: OpenAIUploadFileOperator, log: DeliveryLog, settings: ConnectionSettings) -> FileSending:
    """Give what is done with each file of one try."""
    return FileSending(
        in_parts=UploadOptions(
            memory=UploadLog(log.rows("uploads"), log.uploads()),
            part_size=operator.part_size,
            parts_at_once=operator.parts_at_once,
            checks_md5=operator.check_md5,
            is_killed=operator.is_killed,
            now=time.time,
        ),
        whole_bytes=_WHOLE_BYTES[operator.uploads],
        ledger=_ledger_of(operator, settings) if operator.reuse else None,
    )


def checked(operator: OpenAIUploadFileOperator, renderer: Renderer) -> Renderer:
    """Let each file be looked at; the lines of one that is made of records were looked at one by one."""
    if not operator.check:
        return renderer
    check = check_file if operator.sends_files else check_form
    return CheckedRenderer(renderer, partial(check, in_parts=operator.uploads is not False))


def _ledger_of(operator: OpenAIUploadFileOperator, settings: ConnectionSettings) -> FileLedger:
    folder = operator.reuse_folder or operator.results or results_root()
    account = "|".join((settings.base_url, settings.organization or "", settings.project or "", operator.conn_id))
    return FileLedger(open_results(folder, operator.storage_conn_id), account)


_WHOLE_BYTES = {None: DEFAULT_FILE_LIMIT.max_bytes, True: 0, False: 1 << 62}
"""Size up to which a file goes by one request, by ``uploads``."""
