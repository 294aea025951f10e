"""Upload records as a JSON Lines file, and files as they are."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_openai_dest.operators.upload_file import OpenAIUploadFileOperator


@dag(schedule=None, tags=["openai_dest"])
def upload_file():
    # [START upload_records]
    OpenAIUploadFileOperator(
        task_id="upload_records",
        records=[{"city": "Oslo", "day": "mon"}, {"city": "Rome", "day": "mon"}, {"city": "Lima", "day": "tue"}],
        purpose="user_data",
        file_per="{message.day}",
        filename="cities-{message.day}.jsonl",
        expires_after={"anchor": "created_at", "seconds": 86_400},
    )
    # [END upload_records]

    # [START upload_files]
    OpenAIUploadFileOperator(
        task_id="upload_files",
        files=f"{Path(__file__).parent}/*.py",
        purpose="user_data",
    )
    # [END upload_files]


upload_file()
