"""Files: https://platform.openai.com/docs/api-reference/files."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

UPLOAD_FILE = EndpointTemplate(
    name="upload_file",
    path="/files",
    content="multipart",
    required=("purpose", "file"),
    optional=("expires_after",),
    file_fields=("file",),
    lines_field="file",
    failed_when={"status": ("error",)},
)

LIST_FILES = EndpointTemplate(
    name="list_files",
    path="/files",
    method="GET",
    content="none",
    optional=("purpose", "limit", "order", "after"),
)

RETRIEVE_FILE = EndpointTemplate(
    name="retrieve_file",
    path="/files/{file_id}",
    method="GET",
    content="none",
    required=("file_id",),
)

RETRIEVE_FILE_CONTENT = EndpointTemplate(
    name="retrieve_file_content",
    path="/files/{file_id}/content",
    method="GET",
    content="none",
    required=("file_id",),
    answer="file",
)

DELETE_FILE = EndpointTemplate(
    name="delete_file",
    path="/files/{file_id}",
    method="DELETE",
    content="none",
    required=("file_id",),
)
