"""Read reviews into objects: a class says which fields are wanted, and each answer holds one."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task
from pydantic import BaseModel, Field

from airflow_provider_openai_dest.operators.send_records import OpenAISendRecordsOperator

REVIEWS = [
    {"id": 7, "review": "Boils fast, but it is loud."},
    {"id": 8, "review": "It toasts. What else should it do?"},
]


class Review(BaseModel):
    """What is wanted of a review."""

    summary: str = Field(description="in five words")
    stars: int = Field(ge=1, le=5, description="as many as the text would give")
    complaints: list[str]


@dag(schedule=None, tags=["openai_dest"])
def structured_output():
    # [START structured_output]
    read = OpenAISendRecordsOperator(
        task_id="read",
        endpoint="create_response",
        records=REVIEWS,
        key="id",
        body={"model": "gpt-6-luna", "input": "Read this review: {message.review}"},
        text_format=Review,
    )

    @task
    def stars_of(manifest: dict[str, Any]) -> dict[str, int]:
        """Give the stars of each review."""
        answers = {outcome["key"]: outcome["answer"]["output_parsed"] for outcome in manifest["outcomes"]}
        return {key: Review.model_validate(answer).stars for key, answer in answers.items()}

    stars_of(read.output)
    # [END structured_output]


structured_output()
