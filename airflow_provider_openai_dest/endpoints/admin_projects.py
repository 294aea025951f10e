"""Projects: https://platform.openai.com/docs/api-reference/projects."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_PROJECT = EndpointTemplate(
    name="create_project",
    path="/organization/projects",
    required=("name",),
    optional=("residency", "geography", "external_key_id"),
    admin=True,
)

LIST_PROJECTS = EndpointTemplate(
    name="list_projects",
    path="/organization/projects",
    method="GET",
    content="none",
    optional=("limit", "after", "include_archived"),
    admin=True,
)

RETRIEVE_PROJECT = EndpointTemplate(
    name="retrieve_project",
    path="/organization/projects/{project_id}",
    method="GET",
    content="none",
    required=("project_id",),
    admin=True,
)

UPDATE_PROJECT = EndpointTemplate(
    name="update_project",
    path="/organization/projects/{project_id}",
    required=("project_id",),
    optional=("name", "geography", "external_key_id"),
    admin=True,
)

ARCHIVE_PROJECT = EndpointTemplate(
    name="archive_project",
    path="/organization/projects/{project_id}/archive",
    content="none",
    required=("project_id",),
    admin=True,
)
