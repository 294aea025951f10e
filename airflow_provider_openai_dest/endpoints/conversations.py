"""Conversations: https://platform.openai.com/docs/api-reference/conversations.

An item that is retrieved may be a tool call that failed; its ``error`` is part of the item, no failure of the request.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_CONVERSATION = EndpointTemplate(
    name="create_conversation",
    path="/conversations",
    optional=("metadata", "items"),
)

RETRIEVE_CONVERSATION = EndpointTemplate(
    name="retrieve_conversation",
    path="/conversations/{conversation_id}",
    method="GET",
    content="none",
    required=("conversation_id",),
)

UPDATE_CONVERSATION = EndpointTemplate(
    name="update_conversation",
    path="/conversations/{conversation_id}",
    required=("conversation_id", "metadata"),
)

DELETE_CONVERSATION = EndpointTemplate(
    name="delete_conversation",
    path="/conversations/{conversation_id}",
    method="DELETE",
    content="none",
    required=("conversation_id",),
)

CREATE_CONVERSATION_ITEMS = EndpointTemplate(
    name="create_conversation_items",
    path="/conversations/{conversation_id}/items",
    required=("conversation_id", "items"),
)

LIST_CONVERSATION_ITEMS = EndpointTemplate(
    name="list_conversation_items",
    path="/conversations/{conversation_id}/items",
    method="GET",
    content="none",
    required=("conversation_id",),
    optional=("limit", "order", "after", "include"),
)

RETRIEVE_CONVERSATION_ITEM = EndpointTemplate(
    name="retrieve_conversation_item",
    path="/conversations/{conversation_id}/items/{item_id}",
    method="GET",
    content="none",
    required=("conversation_id", "item_id"),
    optional=("include",),
    error_is_data=True,
)

DELETE_CONVERSATION_ITEM = EndpointTemplate(
    name="delete_conversation_item",
    path="/conversations/{conversation_id}/items/{item_id}",
    method="DELETE",
    content="none",
    required=("conversation_id", "item_id"),
)
