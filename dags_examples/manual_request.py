"""Any operation of the API by hand: a question for each record, and a request that is sent once."""

from __future__ import annotations

from airflow.sdk import dag

from airflow_provider_openai_dest.operators.manual_request import OpenAIManualRequestOperator


@dag(schedule=None, tags=["openai_dest"])
def manual_request():
    # [START manual_request]
    OpenAIManualRequestOperator(
        task_id="summarize",
        records=[{"id": 7, "review": "Boils fast, but it is loud."}],
        key="id",
        method="POST",
        url="/responses",
        body={"model": "gpt-6-luna", "input": "Summarize in five words: {message.review}"},
    )
    # [END manual_request]

    # [START manual_request_once]
    OpenAIManualRequestOperator(task_id="list_files", method="GET", url="/files?limit=10")
    # [END manual_request_once]


manual_request()
