"""Groups of an organization, their members and roles: https://platform.openai.com/docs/api-reference/groups."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_GROUP = EndpointTemplate(
    name="create_group",
    path="/organization/groups",
    required=("name",),
    admin=True,
)

LIST_GROUPS = EndpointTemplate(
    name="list_groups",
    path="/organization/groups",
    method="GET",
    content="none",
    optional=("limit", "after", "order"),
    admin=True,
)

RETRIEVE_GROUP = EndpointTemplate(
    name="retrieve_group",
    path="/organization/groups/{group_id}",
    method="GET",
    content="none",
    required=("group_id",),
    admin=True,
)

UPDATE_GROUP = EndpointTemplate(
    name="update_group",
    path="/organization/groups/{group_id}",
    required=("group_id", "name"),
    admin=True,
)

DELETE_GROUP = EndpointTemplate(
    name="delete_group",
    path="/organization/groups/{group_id}",
    method="DELETE",
    content="none",
    required=("group_id",),
    admin=True,
)

LIST_GROUP_ROLE_ASSIGNMENTS = EndpointTemplate(
    name="list_group_role_assignments",
    path="/organization/groups/{group_id}/roles",
    method="GET",
    content="none",
    required=("group_id",),
    optional=("limit", "after", "order"),
    admin=True,
)

ASSIGN_GROUP_ROLE = EndpointTemplate(
    name="assign_group_role",
    path="/organization/groups/{group_id}/roles",
    required=("group_id", "role_id"),
    admin=True,
)

RETRIEVE_GROUP_ROLE = EndpointTemplate(
    name="retrieve_group_role",
    path="/organization/groups/{group_id}/roles/{role_id}",
    method="GET",
    content="none",
    required=("group_id", "role_id"),
    admin=True,
)

UNASSIGN_GROUP_ROLE = EndpointTemplate(
    name="unassign_group_role",
    path="/organization/groups/{group_id}/roles/{role_id}",
    method="DELETE",
    content="none",
    required=("group_id", "role_id"),
    admin=True,
)

LIST_GROUP_USERS = EndpointTemplate(
    name="list_group_users",
    path="/organization/groups/{group_id}/users",
    method="GET",
    content="none",
    required=("group_id",),
    optional=("limit", "after", "order"),
    admin=True,
)

ADD_GROUP_USER = EndpointTemplate(
    name="add_group_user",
    path="/organization/groups/{group_id}/users",
    required=("group_id", "user_id"),
    admin=True,
)

RETRIEVE_GROUP_USER = EndpointTemplate(
    name="retrieve_group_user",
    path="/organization/groups/{group_id}/users/{user_id}",
    method="GET",
    content="none",
    required=("group_id", "user_id"),
    admin=True,
)

REMOVE_GROUP_USER = EndpointTemplate(
    name="remove_group_user",
    path="/organization/groups/{group_id}/users/{user_id}",
    method="DELETE",
    content="none",
    required=("group_id", "user_id"),
    admin=True,
)
