"""Edit images by their ids: each is uploaded once, and any number of edits name it."""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_provider_openai_dest.operators.create_image import OpenAICreateImageOperator
from airflow_provider_openai_dest.operators.upload_file import OpenAIUploadFileOperator


@dag(schedule=None, tags=["openai_dest"])
def edit_image():
    drawn = OpenAICreateImageOperator(
        task_id="draw",
        records=[{"sku": "A-1", "name": "a kettle"}, {"sku": "A-2", "name": "a toaster"}],
        key="sku",
        model="gpt-image-2",
        prompt="A line drawing of {message.name}",
        size="1024x1024",
        quality="low",
    )

    @task
    def paths(manifest):
        return [
            {"key": outcome["key"], "path": image["path"]}
            for outcome in manifest["outcomes"]
            for image in outcome["answer"]["data"]
        ]

    # [START upload_image]
    uploaded = OpenAIUploadFileOperator(
        task_id="upload",
        records=paths(drawn.output),
        key="key",
        purpose="vision",
        file="{message.path}",
        files_root="{{ ti.xcom_pull(task_ids='draw')['results'].rpartition('/')[0] }}/images",
    )
    # [END upload_image]

    @task
    def edits(manifest):
        return [
            {"edit": f"{outcome['key']}-{colour}", "photo": outcome["answer"]["id"], "colour": colour}
            for outcome in manifest["outcomes"]
            for colour in ("red", "blue")
        ]

    # [START edit_image]
    OpenAICreateImageOperator(
        task_id="colour",
        records=edits(uploaded.output),
        key="edit",
        model="gpt-image-2",
        image="{message.photo}",
        prompt="Colour it {message.colour}",
        output_format="png",
        background="transparent",
    )
    # [END edit_image]


edit_image()
