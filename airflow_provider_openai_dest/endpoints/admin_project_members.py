"""Users, groups, service accounts and API keys of a project: https://platform.openai.com/docs/api-reference/project-users.

No key is created here: see the operations that are not offered.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_PROJECT_API_KEYS = EndpointTemplate(
    name="list_project_api_keys",
    path="/organization/projects/{project_id}/api_keys",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after", "owner_project_access"),
    admin=True,
)

RETRIEVE_PROJECT_API_KEY = EndpointTemplate(
    name="retrieve_project_api_key",
    path="/organization/projects/{project_id}/api_keys/{api_key_id}",
    method="GET",
    content="none",
    required=("project_id", "api_key_id"),
    admin=True,
)

DELETE_PROJECT_API_KEY = EndpointTemplate(
    name="delete_project_api_key",
    path="/organization/projects/{project_id}/api_keys/{api_key_id}",
    method="DELETE",
    content="none",
    required=("project_id", "api_key_id"),
    admin=True,
)

LIST_PROJECT_GROUPS = EndpointTemplate(
    name="list_project_groups",
    path="/organization/projects/{project_id}/groups",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after", "order"),
    admin=True,
)

ADD_PROJECT_GROUP = EndpointTemplate(
    name="add_project_group",
    path="/organization/projects/{project_id}/groups",
    required=("project_id", "group_id", "role"),
    admin=True,
)

RETRIEVE_PROJECT_GROUP = EndpointTemplate(
    name="retrieve_project_group",
    path="/organization/projects/{project_id}/groups/{group_id}",
    method="GET",
    content="none",
    required=("project_id", "group_id"),
    optional=("group_type",),
    admin=True,
)

REMOVE_PROJECT_GROUP = EndpointTemplate(
    name="remove_project_group",
    path="/organization/projects/{project_id}/groups/{group_id}",
    method="DELETE",
    content="none",
    required=("project_id", "group_id"),
    admin=True,
)

LIST_PROJECT_SERVICE_ACCOUNTS = EndpointTemplate(
    name="list_project_service_accounts",
    path="/organization/projects/{project_id}/service_accounts",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after"),
    admin=True,
)

RETRIEVE_PROJECT_SERVICE_ACCOUNT = EndpointTemplate(
    name="retrieve_project_service_account",
    path="/organization/projects/{project_id}/service_accounts/{service_account_id}",
    method="GET",
    content="none",
    required=("project_id", "service_account_id"),
    admin=True,
)

UPDATE_PROJECT_SERVICE_ACCOUNT = EndpointTemplate(
    name="update_project_service_account",
    path="/organization/projects/{project_id}/service_accounts/{service_account_id}",
    required=("project_id", "service_account_id"),
    optional=("name", "role"),
    admin=True,
)

DELETE_PROJECT_SERVICE_ACCOUNT = EndpointTemplate(
    name="delete_project_service_account",
    path="/organization/projects/{project_id}/service_accounts/{service_account_id}",
    method="DELETE",
    content="none",
    required=("project_id", "service_account_id"),
    admin=True,
)

CREATE_PROJECT_USER = EndpointTemplate(
    name="create_project_user",
    path="/organization/projects/{project_id}/users",
    required=("project_id", "role"),
    optional=("user_id", "email"),
    admin=True,
)

LIST_PROJECT_USERS = EndpointTemplate(
    name="list_project_users",
    path="/organization/projects/{project_id}/users",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after"),
    admin=True,
)

RETRIEVE_PROJECT_USER = EndpointTemplate(
    name="retrieve_project_user",
    path="/organization/projects/{project_id}/users/{user_id}",
    method="GET",
    content="none",
    required=("project_id", "user_id"),
    admin=True,
)

UPDATE_PROJECT_USER = EndpointTemplate(
    name="update_project_user",
    path="/organization/projects/{project_id}/users/{user_id}",
    required=("project_id", "user_id"),
    optional=("role",),
    admin=True,
)

DELETE_PROJECT_USER = EndpointTemplate(
    name="delete_project_user",
    path="/organization/projects/{project_id}/users/{user_id}",
    method="DELETE",
    content="none",
    required=("project_id", "user_id"),
    admin=True,
)
