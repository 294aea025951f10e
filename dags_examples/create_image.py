"""Make an image for each record, then edit it."""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_provider_openai_dest.operators.create_image import OpenAICreateImageOperator


@dag(schedule=None, tags=["openai_dest"])
def create_image():
    # [START create_image]
    drawn = OpenAICreateImageOperator(
        task_id="draw",
        records=[{"sku": "A-1", "name": "a kettle"}, {"sku": "A-2", "name": "a toaster"}],
        key="sku",
        model="gpt-image-2",
        prompt="A line drawing of {message.name}",
        size="1024x1024",
        quality="low",
    )
    # [END create_image]

    @task
    def paths(manifest):
        return [
            {"key": outcome["key"], "path": image["path"]}
            for outcome in manifest["outcomes"]
            for image in outcome["answer"]["data"]
        ]

    # [START edit_image]
    OpenAICreateImageOperator(
        task_id="colour",
        records=paths(drawn.output),
        key="key",
        model="gpt-image-2",
        image="{message.path}",
        files_root="{{ ti.xcom_pull(task_ids='draw')['results'].rpartition('/')[0] }}/images",
        prompt="Colour it red",
    )
    # [END edit_image]


create_image()
