"""Upload files, wait until they are processed, read them back, and delete them."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator
from airflow_provider_openai_dest.operators.upload_file import OpenAIUploadFileOperator
from airflow_provider_openai_dest.sensors.file import OpenAIFileSensor

UPLOADED = "{{ ti.xcom_pull('upload')['outcomes'] | tojson }}"


@dag(schedule=None, tags=["openai_dest"])
def files():
    # [START upload_in_parts]
    upload = OpenAIUploadFileOperator(
        task_id="upload",
        files=f"{Path(__file__).parent}/*_file.py",
        purpose="user_data",
        uploads=True,
        part_size=1000,
    )
    # [END upload_in_parts]

    # [START wait]
    wait = OpenAIFileSensor(task_id="wait", file_id="{{ ti.xcom_pull('upload')['outcomes'][0]['answer']['id'] }}")
    # [END wait]

    # [START read_and_delete]
    read = OpenAISendRecordsOperator(
        task_id="read",
        endpoint="retrieve_file_content",
        records=UPLOADED,
        body={"file_id": "{message.answer.id}"},
    )
    delete = OpenAISendRecordsOperator(
        task_id="delete",
        endpoint="delete_file",
        records=UPLOADED,
        body={"file_id": "{message.answer.id}"},
    )
    # [END read_and_delete]

    upload >> wait >> read >> delete


files()
