"""Send records to an endpoint by its name, and to an endpoint declared in the Dag file."""

from __future__ import annotations

from airflow.sdk import dag

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator

ASK = EndpointTemplate(
    name="ask",
    path="/responses",
    required=("model", "input"),
    failed_when={"status": ("failed", "incomplete", "cancelled")},
)


@dag(schedule=None, tags=["openai_dest"])
def send_records():
    # [START send_records]
    OpenAISendRecordsOperator(
        task_id="moderate",
        endpoint="create_moderation",
        records=[{"id": 1, "comment": "What a lovely kettle."}, {"id": 2, "comment": "Too loud."}],
        key="id",
        body={"model": "omni-moderation-latest", "input": "{message.comment}"},
    )
    # [END send_records]

    # [START own_endpoint]
    OpenAISendRecordsOperator(
        task_id="ask",
        endpoint=ASK,
        records=[{"question": "What is a kettle?"}],
        body={"model": "gpt-6-luna", "input": "{message.question}"},
    )
    # [END own_endpoint]


send_records()
