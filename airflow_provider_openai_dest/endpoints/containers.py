"""Containers of the code interpreter: https://platform.openai.com/docs/api-reference/containers.

A container file is sent as a form with a ``file``, or as JSON with the ``file_id`` of an uploaded one in its place.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_CONTAINER = EndpointTemplate(
    name="create_container",
    path="/containers",
    required=("name",),
    optional=("file_ids", "expires_after", "skills", "memory_limit", "network_policy"),
)

LIST_CONTAINERS = EndpointTemplate(
    name="list_containers",
    path="/containers",
    method="GET",
    content="none",
    optional=("limit", "order", "after", "name"),
)

RETRIEVE_CONTAINER = EndpointTemplate(
    name="retrieve_container",
    path="/containers/{container_id}",
    method="GET",
    content="none",
    required=("container_id",),
)

DELETE_CONTAINER = EndpointTemplate(
    name="delete_container",
    path="/containers/{container_id}",
    method="DELETE",
    content="none",
    required=("container_id",),
    answer="any",
)

CREATE_CONTAINER_FILE = EndpointTemplate(
    name="create_container_file",
    path="/containers/{container_id}/files",
    content="multipart",
    required=("container_id",),
    optional=("file_id", "file"),
    file_fields=("file",),
)

LIST_CONTAINER_FILES = EndpointTemplate(
    name="list_container_files",
    path="/containers/{container_id}/files",
    method="GET",
    content="none",
    required=("container_id",),
    optional=("limit", "order", "after"),
)

RETRIEVE_CONTAINER_FILE = EndpointTemplate(
    name="retrieve_container_file",
    path="/containers/{container_id}/files/{file_id}",
    method="GET",
    content="none",
    required=("container_id", "file_id"),
)

DELETE_CONTAINER_FILE = EndpointTemplate(
    name="delete_container_file",
    path="/containers/{container_id}/files/{file_id}",
    method="DELETE",
    content="none",
    required=("container_id", "file_id"),
    answer="any",
)

RETRIEVE_CONTAINER_FILE_CONTENT = EndpointTemplate(
    name="retrieve_container_file_content",
    path="/containers/{container_id}/files/{file_id}/content",
    method="GET",
    content="none",
    required=("container_id", "file_id"),
    answer="file",
)
