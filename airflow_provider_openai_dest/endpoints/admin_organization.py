"""Keys, certificates, audit logs and limits of an organization: https://platform.openai.com/docs/api-reference/administration.

No admin key is created here: see the operations that are not offered.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_ADMIN_API_KEYS = EndpointTemplate(
    name="list_admin_api_keys",
    path="/organization/admin_api_keys",
    method="GET",
    content="none",
    optional=("after", "order", "limit"),
    admin=True,
)

RETRIEVE_ADMIN_API_KEY = EndpointTemplate(
    name="retrieve_admin_api_key",
    path="/organization/admin_api_keys/{key_id}",
    method="GET",
    content="none",
    required=("key_id",),
    admin=True,
)

DELETE_ADMIN_API_KEY = EndpointTemplate(
    name="delete_admin_api_key",
    path="/organization/admin_api_keys/{key_id}",
    method="DELETE",
    content="none",
    required=("key_id",),
    admin=True,
)

LIST_AUDIT_LOGS = EndpointTemplate(
    name="list_audit_logs",
    path="/organization/audit_logs",
    method="GET",
    content="none",
    optional=(
        *("effective_at", "project_ids", "event_types", "actor_ids", "actor_emails", "resource_ids"),
        *("tenant_only", "limit", "after", "before"),
    ),
    admin=True,
)

UPLOAD_CERTIFICATE = EndpointTemplate(
    name="upload_certificate",
    path="/organization/certificates",
    required=("certificate",),
    optional=("name",),
    admin=True,
)

LIST_ORGANIZATION_CERTIFICATES = EndpointTemplate(
    name="list_organization_certificates",
    path="/organization/certificates",
    method="GET",
    content="none",
    optional=("limit", "after", "order"),
    admin=True,
)

ACTIVATE_ORGANIZATION_CERTIFICATES = EndpointTemplate(
    name="activate_organization_certificates",
    path="/organization/certificates/activate",
    required=("certificate_ids",),
    admin=True,
)

DEACTIVATE_ORGANIZATION_CERTIFICATES = EndpointTemplate(
    name="deactivate_organization_certificates",
    path="/organization/certificates/deactivate",
    required=("certificate_ids",),
    admin=True,
)

RETRIEVE_CERTIFICATE = EndpointTemplate(
    name="retrieve_certificate",
    path="/organization/certificates/{certificate_id}",
    method="GET",
    content="none",
    required=("certificate_id",),
    optional=("include",),
    admin=True,
)

UPDATE_CERTIFICATE = EndpointTemplate(
    name="update_certificate",
    path="/organization/certificates/{certificate_id}",
    required=("certificate_id",),
    optional=("name",),
    admin=True,
)

DELETE_CERTIFICATE = EndpointTemplate(
    name="delete_certificate",
    path="/organization/certificates/{certificate_id}",
    method="DELETE",
    content="none",
    required=("certificate_id",),
    admin=True,
)

RETRIEVE_ORGANIZATION_DATA_RETENTION = EndpointTemplate(
    name="retrieve_organization_data_retention",
    path="/organization/data_retention",
    method="GET",
    content="none",
    admin=True,
)

UPDATE_ORGANIZATION_DATA_RETENTION = EndpointTemplate(
    name="update_organization_data_retention",
    path="/organization/data_retention",
    required=("retention_type",),
    admin=True,
)

CREATE_ORGANIZATION_SPEND_ALERT = EndpointTemplate(
    name="create_organization_spend_alert",
    path="/organization/spend_alerts",
    required=("threshold_amount", "currency", "interval", "notification_channel"),
    admin=True,
)

LIST_ORGANIZATION_SPEND_ALERTS = EndpointTemplate(
    name="list_organization_spend_alerts",
    path="/organization/spend_alerts",
    method="GET",
    content="none",
    optional=("limit", "order", "after", "before"),
    admin=True,
)

RETRIEVE_ORGANIZATION_SPEND_ALERT = EndpointTemplate(
    name="retrieve_organization_spend_alert",
    path="/organization/spend_alerts/{alert_id}",
    method="GET",
    content="none",
    required=("alert_id",),
    admin=True,
)

UPDATE_ORGANIZATION_SPEND_ALERT = EndpointTemplate(
    name="update_organization_spend_alert",
    path="/organization/spend_alerts/{alert_id}",
    required=("alert_id", "threshold_amount", "currency", "interval", "notification_channel"),
    admin=True,
)

DELETE_ORGANIZATION_SPEND_ALERT = EndpointTemplate(
    name="delete_organization_spend_alert",
    path="/organization/spend_alerts/{alert_id}",
    method="DELETE",
    content="none",
    required=("alert_id",),
    admin=True,
)

RETRIEVE_ORGANIZATION_SPEND_LIMIT = EndpointTemplate(
    name="retrieve_organization_spend_limit",
    path="/organization/spend_limit",
    method="GET",
    content="none",
    admin=True,
)

UPDATE_ORGANIZATION_SPEND_LIMIT = EndpointTemplate(
    name="update_organization_spend_limit",
    path="/organization/spend_limit",
    required=("threshold_amount", "currency", "interval"),
    admin=True,
)

DELETE_ORGANIZATION_SPEND_LIMIT = EndpointTemplate(
    name="delete_organization_spend_limit",
    path="/organization/spend_limit",
    method="DELETE",
    content="none",
    admin=True,
)
