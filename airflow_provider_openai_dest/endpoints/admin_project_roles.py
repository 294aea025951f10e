"""Roles of a project: https://platform.openai.com/docs/api-reference/project-roles."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_PROJECT_GROUP_ROLE_ASSIGNMENTS = EndpointTemplate(
    name="list_project_group_role_assignments",
    path="/projects/{project_id}/groups/{group_id}/roles",
    method="GET",
    content="none",
    required=("project_id", "group_id"),
    optional=("limit", "after", "order"),
    admin=True,
)

ASSIGN_PROJECT_GROUP_ROLE = EndpointTemplate(
    name="assign_project_group_role",
    path="/projects/{project_id}/groups/{group_id}/roles",
    required=("project_id", "group_id", "role_id"),
    admin=True,
)

RETRIEVE_PROJECT_GROUP_ROLE = EndpointTemplate(
    name="retrieve_project_group_role",
    path="/projects/{project_id}/groups/{group_id}/roles/{role_id}",
    method="GET",
    content="none",
    required=("project_id", "group_id", "role_id"),
    admin=True,
)

UNASSIGN_PROJECT_GROUP_ROLE = EndpointTemplate(
    name="unassign_project_group_role",
    path="/projects/{project_id}/groups/{group_id}/roles/{role_id}",
    method="DELETE",
    content="none",
    required=("project_id", "group_id", "role_id"),
    admin=True,
)

CREATE_PROJECT_ROLE = EndpointTemplate(
    name="create_project_role",
    path="/projects/{project_id}/roles",
    required=("project_id", "role_name", "permissions"),
    optional=("description",),
    admin=True,
)

LIST_PROJECT_ROLES = EndpointTemplate(
    name="list_project_roles",
    path="/projects/{project_id}/roles",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after", "order"),
    admin=True,
)

RETRIEVE_PROJECT_ROLE = EndpointTemplate(
    name="retrieve_project_role",
    path="/projects/{project_id}/roles/{role_id}",
    method="GET",
    content="none",
    required=("project_id", "role_id"),
    admin=True,
)

UPDATE_PROJECT_ROLE = EndpointTemplate(
    name="update_project_role",
    path="/projects/{project_id}/roles/{role_id}",
    required=("project_id", "role_id"),
    optional=("permissions", "description", "role_name"),
    admin=True,
)

DELETE_PROJECT_ROLE = EndpointTemplate(
    name="delete_project_role",
    path="/projects/{project_id}/roles/{role_id}",
    method="DELETE",
    content="none",
    required=("project_id", "role_id"),
    admin=True,
)

LIST_PROJECT_USER_ROLE_ASSIGNMENTS = EndpointTemplate(
    name="list_project_user_role_assignments",
    path="/projects/{project_id}/users/{user_id}/roles",
    method="GET",
    content="none",
    required=("project_id", "user_id"),
    optional=("limit", "after", "order"),
    admin=True,
)

ASSIGN_PROJECT_USER_ROLE = EndpointTemplate(
    name="assign_project_user_role",
    path="/projects/{project_id}/users/{user_id}/roles",
    required=("project_id", "user_id", "role_id"),
    admin=True,
)

RETRIEVE_PROJECT_USER_ROLE = EndpointTemplate(
    name="retrieve_project_user_role",
    path="/projects/{project_id}/users/{user_id}/roles/{role_id}",
    method="GET",
    content="none",
    required=("project_id", "user_id", "role_id"),
    admin=True,
)

UNASSIGN_PROJECT_USER_ROLE = EndpointTemplate(
    name="unassign_project_user_role",
    path="/projects/{project_id}/users/{user_id}/roles/{role_id}",
    method="DELETE",
    content="none",
    required=("project_id", "user_id", "role_id"),
    admin=True,
)
