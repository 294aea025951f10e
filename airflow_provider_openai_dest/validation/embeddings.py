"""Embeddings: https://platform.openai.com/docs/api-reference/embeddings/create."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Len
from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import BodyModel, Tokens

MOST_INPUTS = 2048


class CreateEmbedding(BodyModel):
    """``create_embedding``."""

    model: str
    input: (
        str
        | Annotated[list[str], Len(1, MOST_INPUTS)]
        | Annotated[list[int], Len(1, MOST_INPUTS)]
        | Annotated[list[Tokens], Len(1, MOST_INPUTS)]
    )
    dimensions: int | None = Field(None, ge=1)
    encoding_format: Literal["base64", "float"] | None = None
    user: str | None = None
