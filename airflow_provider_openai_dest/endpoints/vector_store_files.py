"""Files of vector stores, one by one and in batches: https://platform.openai.com/docs/api-reference/vector-stores-files.

A file or batch that failed is told by its ``status`` when it is retrieved; that is no failure of the request. Adding
one fails when its ``status`` says so at once.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_VECTOR_STORE_FILE_BATCH = EndpointTemplate(
    name="create_vector_store_file_batch",
    path="/vector_stores/{vector_store_id}/file_batches",
    required=("vector_store_id",),
    optional=("file_ids", "files", "chunking_strategy", "attributes"),
    failed_when={"status": ("failed", "cancelled")},
)

RETRIEVE_VECTOR_STORE_FILE_BATCH = EndpointTemplate(
    name="retrieve_vector_store_file_batch",
    path="/vector_stores/{vector_store_id}/file_batches/{batch_id}",
    method="GET",
    content="none",
    required=("vector_store_id", "batch_id"),
)

CANCEL_VECTOR_STORE_FILE_BATCH = EndpointTemplate(
    name="cancel_vector_store_file_batch",
    path="/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
    content="none",
    required=("vector_store_id", "batch_id"),
)

LIST_VECTOR_STORE_FILE_BATCH_FILES = EndpointTemplate(
    name="list_vector_store_file_batch_files",
    path="/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
    method="GET",
    content="none",
    required=("vector_store_id", "batch_id"),
    optional=("limit", "order", "after", "before", "filter"),
)

CREATE_VECTOR_STORE_FILE = EndpointTemplate(
    name="create_vector_store_file",
    path="/vector_stores/{vector_store_id}/files",
    required=("vector_store_id", "file_id"),
    optional=("chunking_strategy", "attributes"),
    failed_when={"status": ("failed", "cancelled")},
)

LIST_VECTOR_STORE_FILES = EndpointTemplate(
    name="list_vector_store_files",
    path="/vector_stores/{vector_store_id}/files",
    method="GET",
    content="none",
    required=("vector_store_id",),
    optional=("limit", "order", "after", "before", "filter"),
)

RETRIEVE_VECTOR_STORE_FILE = EndpointTemplate(
    name="retrieve_vector_store_file",
    path="/vector_stores/{vector_store_id}/files/{file_id}",
    method="GET",
    content="none",
    required=("vector_store_id", "file_id"),
)

UPDATE_VECTOR_STORE_FILE_ATTRIBUTES = EndpointTemplate(
    name="update_vector_store_file_attributes",
    path="/vector_stores/{vector_store_id}/files/{file_id}",
    required=("vector_store_id", "file_id", "attributes"),
)

DELETE_VECTOR_STORE_FILE = EndpointTemplate(
    name="delete_vector_store_file",
    path="/vector_stores/{vector_store_id}/files/{file_id}",
    method="DELETE",
    content="none",
    required=("vector_store_id", "file_id"),
)

RETRIEVE_VECTOR_STORE_FILE_CONTENT = EndpointTemplate(
    name="retrieve_vector_store_file_content",
    path="/vector_stores/{vector_store_id}/files/{file_id}/content",
    method="GET",
    content="none",
    required=("vector_store_id", "file_id"),
)
