"""Uploads, of files above 512 MB in parts: https://platform.openai.com/docs/api-reference/uploads."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_UPLOAD = EndpointTemplate(
    name="create_upload",
    path="/uploads",
    required=("filename", "purpose", "bytes", "mime_type"),
    optional=("expires_after",),
    failed_when={"status": ("cancelled", "expired")},
)

ADD_UPLOAD_PART = EndpointTemplate(
    name="add_upload_part",
    path="/uploads/{upload_id}/parts",
    content="multipart",
    required=("upload_id", "data"),
    file_fields=("data",),
)

COMPLETE_UPLOAD = EndpointTemplate(
    name="complete_upload",
    path="/uploads/{upload_id}/complete",
    required=("upload_id", "part_ids"),
    optional=("md5",),
    failed_when={"status": ("cancelled", "expired")},
)

CANCEL_UPLOAD = EndpointTemplate(
    name="cancel_upload",
    path="/uploads/{upload_id}/cancel",
    content="none",
    required=("upload_id",),
)
