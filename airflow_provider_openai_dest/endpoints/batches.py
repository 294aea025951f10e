"""Batches: https://platform.openai.com/docs/api-reference/batch.

A batch that failed, expired or was cancelled is told by its ``status`` when it is retrieved; that is no failure of the
request. Creating one fails when its ``status`` says so at once.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_BATCH = EndpointTemplate(
    name="create_batch",
    path="/batches",
    required=("input_file_id", "endpoint", "completion_window"),
    optional=("metadata", "output_expires_after"),
    failed_when={"status": ("failed", "expired", "cancelled")},
)

LIST_BATCHES = EndpointTemplate(
    name="list_batches",
    path="/batches",
    method="GET",
    content="none",
    optional=("after", "limit"),
)

RETRIEVE_BATCH = EndpointTemplate(
    name="retrieve_batch",
    path="/batches/{batch_id}",
    method="GET",
    content="none",
    required=("batch_id",),
)

CANCEL_BATCH = EndpointTemplate(
    name="cancel_batch",
    path="/batches/{batch_id}/cancel",
    content="none",
    required=("batch_id",),
)
