"""Embed the output of an upstream task: the shortest use of OpenAIEmbeddingOperator."""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_provider_openai_dest.operators.embedding import OpenAIEmbeddingOperator


@dag(schedule=None, tags=["openai_dest"])
def embed_records():
    @task
    def products():
        return [
            {"sku": "A-1", "title": "Kettle", "text": "Boils a litre of water in two minutes."},
            {"sku": "A-2", "title": "Toaster", "text": "Two slots, six levels."},
        ]

    # [START embedding]
    OpenAIEmbeddingOperator(
        task_id="embed_products",
        records=products(),
        key="sku",
        model="text-embedding-3-small",
        input="{message.title}: {message.text}",
    )
    # [END embedding]


embed_records()
