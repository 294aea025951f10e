"""Vector stores: https://platform.openai.com/docs/api-reference/vector-stores/create."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MaxLen
from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import BodyModel, Metadata


class VectorStoreExpiry(BodyModel):
    """When a store that is not used is deleted."""

    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


class AutoChunking(BodyModel):
    """``chunking_strategy`` of the API's own."""

    type: Literal["auto"]


class ChunkSizes(BodyModel):
    """The sizes of ``chunking_strategy``."""

    max_chunk_size_tokens: int = Field(ge=100, le=4096)
    chunk_overlap_tokens: int


class StaticChunking(BodyModel):
    """``chunking_strategy`` by sizes."""

    type: Literal["static"]
    static: ChunkSizes


class CreateVectorStore(BodyModel):
    """``create_vector_store``."""

    chunking_strategy: AutoChunking | StaticChunking | None = None
    description: str | None = None
    expires_after: VectorStoreExpiry | None = None
    file_ids: Annotated[list[str], MaxLen(500)] | None = None
    metadata: Metadata | None = None
    name: str | None = None
