"""Look at the first answers before the whole data set is paid for, and let no mistake cost more than you say."""

from __future__ import annotations

from airflow.sdk import dag

from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator

PRODUCTS = [{"sku": "A-1", "title": "Kettle"}, {"sku": "A-2", "title": "Toaster"}, {"sku": "A-3", "title": "Iron"}]
BODY = {"model": "gpt-6-luna", "input": "Describe: {message.title}", "max_output_tokens": 200}


@dag(schedule=None, tags=["openai_dest"])
def before_sending():
    # [START before_sending]
    look = OpenAISendRecordsOperator(
        task_id="look", endpoint="create_response", records=PRODUCTS, key="sku", body=BODY, preview=1
    )
    send = OpenAISendRecordsOperator(
        task_id="send", endpoint="create_response", records=PRODUCTS, key="sku", body=BODY, max_tokens_total=10_000
    )
    look >> send
    # [END before_sending]


before_sending()
