"""Content provenance checks: https://platform.openai.com/docs/api-reference/content-provenance."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_CONTENT_PROVENANCE_CHECK = EndpointTemplate(
    name="create_content_provenance_check",
    path="/content_provenance_checks",
    content="multipart",
    required=("file",),
    file_fields=("file",),
)
