"""Forward answers to a webhook: from the task that has them, and from a task of its own."""

from __future__ import annotations

from airflow.sdk import dag

from airflow_provider_openai_dest.operators.embedding import OpenAIEmbeddingOperator
from airflow_provider_openai_dest.operators.webhook import OpenAIWebhookOperator

CITIES = [{"city": "Oslo"}, {"city": "Rome"}, {"city": "Lima"}]


@dag(schedule=None, tags=["openai_dest"])
def forward_to_webhook():
    # [START forward_as_they_come]
    OpenAIEmbeddingOperator(
        task_id="embed_and_forward",
        records=CITIES,
        key="city",
        model="text-embedding-3-small",
        input="{message.city}",
        webhook_conn_id="openai_dest_webhook_default",
    )
    # [END forward_as_they_come]

    # [START forward_afterwards]
    embedded = OpenAIEmbeddingOperator(
        task_id="embed",
        records=CITIES,
        key="city",
        model="text-embedding-3-small",
        input="{message.city}",
    )
    OpenAIWebhookOperator(
        task_id="forward",
        webhook_conn_id="openai_dest_webhook_default",
        manifest=embedded.output,
        batch_size=2,
    )
    # [END forward_afterwards]


forward_to_webhook()
