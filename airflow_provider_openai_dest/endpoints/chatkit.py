"""ChatKit: https://platform.openai.com/docs/api-reference/chatkit.

The answer of ``create_chatkit_session`` holds a short-lived client secret, which stands in the results as any answer
does.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_CHATKIT_SESSION = EndpointTemplate(
    name="create_chatkit_session",
    path="/chatkit/sessions",
    required=("workflow", "user"),
    optional=("expires_after", "rate_limits", "chatkit_configuration"),
)

CANCEL_CHATKIT_SESSION = EndpointTemplate(
    name="cancel_chatkit_session",
    path="/chatkit/sessions/{session_id}/cancel",
    content="none",
    required=("session_id",),
)

LIST_CHATKIT_THREADS = EndpointTemplate(
    name="list_chatkit_threads",
    path="/chatkit/threads",
    method="GET",
    content="none",
    optional=("limit", "order", "after", "before", "user"),
)

RETRIEVE_CHATKIT_THREAD = EndpointTemplate(
    name="retrieve_chatkit_thread",
    path="/chatkit/threads/{thread_id}",
    method="GET",
    content="none",
    required=("thread_id",),
)

DELETE_CHATKIT_THREAD = EndpointTemplate(
    name="delete_chatkit_thread",
    path="/chatkit/threads/{thread_id}",
    method="DELETE",
    content="none",
    required=("thread_id",),
)

LIST_CHATKIT_THREAD_ITEMS = EndpointTemplate(
    name="list_chatkit_thread_items",
    path="/chatkit/threads/{thread_id}/items",
    method="GET",
    content="none",
    required=("thread_id",),
    optional=("limit", "order", "after", "before"),
)
