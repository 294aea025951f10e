"""Webhooks of OpenAI, which tell of events: https://platform.openai.com/docs/api-reference/webhook-endpoints.

None is created and no secret is rotated here: the answer would be a lasting secret in the results.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_WEBHOOK_ENDPOINTS = EndpointTemplate(
    name="list_webhook_endpoints",
    path="/webhook_endpoints",
    method="GET",
    content="none",
    optional=("after", "limit"),
)

RETRIEVE_WEBHOOK_ENDPOINT = EndpointTemplate(
    name="retrieve_webhook_endpoint",
    path="/webhook_endpoints/{webhook_endpoint_id}",
    method="GET",
    content="none",
    required=("webhook_endpoint_id",),
)

UPDATE_WEBHOOK_ENDPOINT = EndpointTemplate(
    name="update_webhook_endpoint",
    path="/webhook_endpoints/{webhook_endpoint_id}",
    required=("webhook_endpoint_id",),
    optional=("event_types", "name", "url"),
)

DELETE_WEBHOOK_ENDPOINT = EndpointTemplate(
    name="delete_webhook_endpoint",
    path="/webhook_endpoints/{webhook_endpoint_id}",
    method="DELETE",
    content="none",
    required=("webhook_endpoint_id",),
)

TEST_WEBHOOK_ENDPOINT = EndpointTemplate(
    name="test_webhook_endpoint",
    path="/webhook_endpoints/{webhook_endpoint_id}/test",
    required=("webhook_endpoint_id", "event_type"),
)

LIST_WEBHOOK_EVENT_TYPES = EndpointTemplate(
    name="list_webhook_event_types", path="/webhook_event_types", method="GET", content="none"
)
