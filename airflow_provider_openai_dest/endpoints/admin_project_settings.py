"""Certificates, permissions and limits of a project: https://platform.openai.com/docs/api-reference/project-rate-limits."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_PROJECT_CERTIFICATES = EndpointTemplate(
    name="list_project_certificates",
    path="/organization/projects/{project_id}/certificates",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after", "order"),
    admin=True,
)

ACTIVATE_PROJECT_CERTIFICATES = EndpointTemplate(
    name="activate_project_certificates",
    path="/organization/projects/{project_id}/certificates/activate",
    required=("project_id", "certificate_ids"),
    admin=True,
)

DEACTIVATE_PROJECT_CERTIFICATES = EndpointTemplate(
    name="deactivate_project_certificates",
    path="/organization/projects/{project_id}/certificates/deactivate",
    required=("project_id", "certificate_ids"),
    admin=True,
)

RETRIEVE_PROJECT_DATA_RETENTION = EndpointTemplate(
    name="retrieve_project_data_retention",
    path="/organization/projects/{project_id}/data_retention",
    method="GET",
    content="none",
    required=("project_id",),
    admin=True,
)

UPDATE_PROJECT_DATA_RETENTION = EndpointTemplate(
    name="update_project_data_retention",
    path="/organization/projects/{project_id}/data_retention",
    required=("project_id", "retention_type"),
    admin=True,
)

RETRIEVE_PROJECT_HOSTED_TOOL_PERMISSIONS = EndpointTemplate(
    name="retrieve_project_hosted_tool_permissions",
    path="/organization/projects/{project_id}/hosted_tool_permissions",
    method="GET",
    content="none",
    required=("project_id",),
    admin=True,
)

UPDATE_PROJECT_HOSTED_TOOL_PERMISSIONS = EndpointTemplate(
    name="update_project_hosted_tool_permissions",
    path="/organization/projects/{project_id}/hosted_tool_permissions",
    required=("project_id",),
    optional=("file_search", "web_search", "image_generation", "mcp", "code_interpreter"),
    admin=True,
)

RETRIEVE_PROJECT_MODEL_PERMISSIONS = EndpointTemplate(
    name="retrieve_project_model_permissions",
    path="/organization/projects/{project_id}/model_permissions",
    method="GET",
    content="none",
    required=("project_id",),
    admin=True,
)

UPDATE_PROJECT_MODEL_PERMISSIONS = EndpointTemplate(
    name="update_project_model_permissions",
    path="/organization/projects/{project_id}/model_permissions",
    required=("project_id", "mode", "model_ids"),
    admin=True,
)

DELETE_PROJECT_MODEL_PERMISSIONS = EndpointTemplate(
    name="delete_project_model_permissions",
    path="/organization/projects/{project_id}/model_permissions",
    method="DELETE",
    content="none",
    required=("project_id",),
    admin=True,
)

LIST_PROJECT_RATE_LIMITS = EndpointTemplate(
    name="list_project_rate_limits",
    path="/organization/projects/{project_id}/rate_limits",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "after", "before"),
    admin=True,
)

UPDATE_PROJECT_RATE_LIMIT = EndpointTemplate(
    name="update_project_rate_limit",
    path="/organization/projects/{project_id}/rate_limits/{rate_limit_id}",
    required=("project_id", "rate_limit_id"),
    optional=(
        *("max_requests_per_1_minute", "max_tokens_per_1_minute", "max_images_per_1_minute"),
        *("max_audio_megabytes_per_1_minute", "max_requests_per_1_day", "batch_1_day_max_input_tokens"),
    ),
    admin=True,
)

CREATE_PROJECT_SPEND_ALERT = EndpointTemplate(
    name="create_project_spend_alert",
    path="/organization/projects/{project_id}/spend_alerts",
    required=("project_id", "threshold_amount", "currency", "interval", "notification_channel"),
    admin=True,
)

LIST_PROJECT_SPEND_ALERTS = EndpointTemplate(
    name="list_project_spend_alerts",
    path="/organization/projects/{project_id}/spend_alerts",
    method="GET",
    content="none",
    required=("project_id",),
    optional=("limit", "order", "after", "before"),
    admin=True,
)

RETRIEVE_PROJECT_SPEND_ALERT = EndpointTemplate(
    name="retrieve_project_spend_alert",
    path="/organization/projects/{project_id}/spend_alerts/{alert_id}",
    method="GET",
    content="none",
    required=("project_id", "alert_id"),
    admin=True,
)

UPDATE_PROJECT_SPEND_ALERT = EndpointTemplate(
    name="update_project_spend_alert",
    path="/organization/projects/{project_id}/spend_alerts/{alert_id}",
    required=("project_id", "alert_id", "threshold_amount", "currency", "interval", "notification_channel"),
    admin=True,
)

DELETE_PROJECT_SPEND_ALERT = EndpointTemplate(
    name="delete_project_spend_alert",
    path="/organization/projects/{project_id}/spend_alerts/{alert_id}",
    method="DELETE",
    content="none",
    required=("project_id", "alert_id"),
    admin=True,
)

RETRIEVE_PROJECT_SPEND_LIMIT = EndpointTemplate(
    name="retrieve_project_spend_limit",
    path="/organization/projects/{project_id}/spend_limit",
    method="GET",
    content="none",
    required=("project_id",),
    admin=True,
)

UPDATE_PROJECT_SPEND_LIMIT = EndpointTemplate(
    name="update_project_spend_limit",
    path="/organization/projects/{project_id}/spend_limit",
    required=("project_id", "threshold_amount", "currency", "interval"),
    admin=True,
)

DELETE_PROJECT_SPEND_LIMIT = EndpointTemplate(
    name="delete_project_spend_limit",
    path="/organization/projects/{project_id}/spend_limit",
    method="DELETE",
    content="none",
    required=("project_id",),
    admin=True,
)
