"""Roles of an organization: https://platform.openai.com/docs/api-reference/roles."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_ROLE = EndpointTemplate(
    name="create_role",
    path="/organization/roles",
    required=("role_name", "permissions"),
    optional=("description",),
    admin=True,
)

LIST_ROLES = EndpointTemplate(
    name="list_roles",
    path="/organization/roles",
    method="GET",
    content="none",
    optional=("limit", "after", "order"),
    admin=True,
)

RETRIEVE_ROLE = EndpointTemplate(
    name="retrieve_role",
    path="/organization/roles/{role_id}",
    method="GET",
    content="none",
    required=("role_id",),
    admin=True,
)

UPDATE_ROLE = EndpointTemplate(
    name="update_role",
    path="/organization/roles/{role_id}",
    required=("role_id",),
    optional=("permissions", "description", "role_name"),
    admin=True,
)

DELETE_ROLE = EndpointTemplate(
    name="delete_role",
    path="/organization/roles/{role_id}",
    method="DELETE",
    content="none",
    required=("role_id",),
    admin=True,
)
