"""A worker that uploads one file in parts, as a process that a test can kill."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.checkpoint.upload_log import UploadLog
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.endpoints.files import UPLOAD_FILE
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.uploads.file_sending import FileRenderer, FileSending
from airflow_provider_openai_dest.uploads.upload_in_parts import UploadOptions

PART_SIZE = 1000


def upload(file: str, state: str, base_url: str, try_number: int) -> Manifest:
    """Deliver the file, as an operator does."""
    settings = ConnectionSettings(api_key="sk-test-upload-worker", base_url=base_url)
    log = DeliveryLog(Path(state), Scope(dag_id="d", run_id="r", task_id="t"), try_number=try_number)
    form = RequestForm(UPLOAD_FILE, base_url=base_url, files=FileReferences((file,), Path))
    options = UploadOptions(
        memory=UploadLog(log.rows("uploads"), log.uploads()),
        part_size=PART_SIZE,
        parts_at_once=2,
        is_killed=lambda: False,
        now=time.time,
    )
    whole = SingleRenderer(form, BodyTemplate({"purpose": "user_data", "file": "{message.uri}"}))
    delivery = Delivery(
        endpoint=UPLOAD_FILE,
        renderer=FileRenderer(whole, form, FileSending(in_parts=options, whole_bytes=0)),
        dispatcher=new_dispatcher(settings, Speed(), RetryPolicy()),
        log=log,
        storage=Storage(max_xcom_bytes=48 * 1024),
    )
    return delivery.run(ValuesSource([{"uri": file}], key="uri"))


if __name__ == "__main__":
    upload(*sys.argv[1:4], try_number=int(sys.argv[4]))
