"""Batches: https://platform.openai.com/docs/api-reference/batch/create."""

from __future__ import annotations

from typing import Literal

from airflow_provider_openai_dest.validation.body_model import BodyModel, FileExpiry, Metadata


class CreateBatch(BodyModel):
    """``create_batch``."""

    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: FileExpiry | None = None
