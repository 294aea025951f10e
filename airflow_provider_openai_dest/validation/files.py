"""Files: https://platform.openai.com/docs/api-reference/files/create."""

from __future__ import annotations

from typing import Literal

from airflow_provider_openai_dest.validation.body_model import FormFileExpiry, FormModel, Object


class UploadFile(FormModel):
    """``upload_file``."""

    purpose: Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]
    file: str | Object
    expires_after: FormFileExpiry | None = None
