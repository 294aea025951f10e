"""Users, their roles, and invites to an organization: https://platform.openai.com/docs/api-reference/users."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_INVITE = EndpointTemplate(
    name="create_invite",
    path="/organization/invites",
    required=("email", "role"),
    optional=("projects",),
    admin=True,
)

LIST_INVITES = EndpointTemplate(
    name="list_invites",
    path="/organization/invites",
    method="GET",
    content="none",
    optional=("limit", "after"),
    admin=True,
)

RETRIEVE_INVITE = EndpointTemplate(
    name="retrieve_invite",
    path="/organization/invites/{invite_id}",
    method="GET",
    content="none",
    required=("invite_id",),
    admin=True,
)

DELETE_INVITE = EndpointTemplate(
    name="delete_invite",
    path="/organization/invites/{invite_id}",
    method="DELETE",
    content="none",
    required=("invite_id",),
    admin=True,
)

LIST_USERS = EndpointTemplate(
    name="list_users",
    path="/organization/users",
    method="GET",
    content="none",
    optional=("limit", "after", "emails"),
    admin=True,
)

RETRIEVE_USER = EndpointTemplate(
    name="retrieve_user",
    path="/organization/users/{user_id}",
    method="GET",
    content="none",
    required=("user_id",),
    admin=True,
)

UPDATE_USER = EndpointTemplate(
    name="update_user",
    path="/organization/users/{user_id}",
    required=("user_id",),
    optional=("role", "role_id", "technical_level", "developer_persona"),
    admin=True,
)

DELETE_USER = EndpointTemplate(
    name="delete_user",
    path="/organization/users/{user_id}",
    method="DELETE",
    content="none",
    required=("user_id",),
    admin=True,
)

LIST_USER_ROLE_ASSIGNMENTS = EndpointTemplate(
    name="list_user_role_assignments",
    path="/organization/users/{user_id}/roles",
    method="GET",
    content="none",
    required=("user_id",),
    optional=("limit", "after", "order"),
    admin=True,
)

ASSIGN_USER_ROLE = EndpointTemplate(
    name="assign_user_role",
    path="/organization/users/{user_id}/roles",
    required=("user_id", "role_id"),
    admin=True,
)

RETRIEVE_USER_ROLE = EndpointTemplate(
    name="retrieve_user_role",
    path="/organization/users/{user_id}/roles/{role_id}",
    method="GET",
    content="none",
    required=("user_id", "role_id"),
    admin=True,
)

UNASSIGN_USER_ROLE = EndpointTemplate(
    name="unassign_user_role",
    path="/organization/users/{user_id}/roles/{role_id}",
    method="DELETE",
    content="none",
    required=("user_id", "role_id"),
    admin=True,
)
