"""Any operation of the API by hand: a question for each record, a request that is sent once, a list as the source."""

from __future__ import annotations

from airflow.sdk import dag

from airflow_provider_openai_dest.operators.list_source import OpenAIListSource
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

    # [START list_source]
    OpenAIManualRequestOperator(
        task_id="look_up_models",
        source=OpenAIListSource(path="/models"),
        method="GET",
        url="/models/{message.id}",
        extract={"owner": "owned_by", "since": "created"},
    )
    # [END list_source]

    # [START manual_request_stream]
    OpenAIManualRequestOperator(
        task_id="chat",
        records=[{"id": 7, "question": "What is a kettle?"}],
        key="id",
        url="/chat/completions",
        headers={"X-Question": "{message.id}"},
        body={
            "model": "gpt-6-luna",
            "messages": [{"role": "user", "content": "{message.question}"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        extract={"text": "choices[0].message.content"},
    )
    # [END manual_request_stream]


manual_request()
