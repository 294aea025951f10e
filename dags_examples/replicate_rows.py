"""A scheduled replication flow: each hour the rows of that hour are embedded and the answers go to a webhook."""

from __future__ import annotations

import pendulum
from airflow.sdk import dag, get_current_context, task

from airflow_provider_openai_dest.operators.embedding import OpenAIEmbeddingOperator

# Stands for a table with a column of the time of its last change.
ORDERS = [
    {"id": 1, "changed": "2026-11-22T08:15:00Z", "note": "Please ring twice."},
    {"id": 2, "changed": "2026-11-22T09:05:00Z", "note": "Leave it with the neighbour."},
    {"id": 3, "changed": "2026-11-22T09:55:00Z", "note": "Gift wrap."},
]


# [START replicate_rows]
@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 11, 22, 8, tz="UTC"),
    catchup=False,
    tags=["openai_dest"],
)
def replicate_rows():
    @task
    def changed_rows():
        start, end = data_interval()
        return [row for row in ORDERS if start <= pendulum.parse(row["changed"]) < end]

    OpenAIEmbeddingOperator(
        task_id="embed_orders",
        records=changed_rows(),
        key="id",
        model="text-embedding-3-small",
        input="{message.note}",
        webhook_conn_id="openai_dest_webhook_default",
        retries=3,
    )


def data_interval():
    """Give the hour of this run; a run started by hand, which may have none, takes the hour before it."""
    dag_run = get_current_context()["dag_run"]
    end = pendulum.instance(dag_run.data_interval_end or dag_run.run_after)
    start = dag_run.data_interval_start
    return (pendulum.instance(start) if start and start < end else end.subtract(hours=1)), end


# [END replicate_rows]


replicate_rows()
