"""Vector stores: https://platform.openai.com/docs/api-reference/vector-stores."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_VECTOR_STORE = EndpointTemplate(
    name="create_vector_store",
    path="/vector_stores",
    optional=("file_ids", "name", "description", "expires_after", "chunking_strategy", "metadata"),
)

LIST_VECTOR_STORES = EndpointTemplate(
    name="list_vector_stores",
    path="/vector_stores",
    method="GET",
    content="none",
    optional=("limit", "order", "after", "before"),
)

RETRIEVE_VECTOR_STORE = EndpointTemplate(
    name="retrieve_vector_store",
    path="/vector_stores/{vector_store_id}",
    method="GET",
    content="none",
    required=("vector_store_id",),
)

UPDATE_VECTOR_STORE = EndpointTemplate(
    name="update_vector_store",
    path="/vector_stores/{vector_store_id}",
    required=("vector_store_id",),
    optional=("name", "expires_after", "metadata"),
)

DELETE_VECTOR_STORE = EndpointTemplate(
    name="delete_vector_store",
    path="/vector_stores/{vector_store_id}",
    method="DELETE",
    content="none",
    required=("vector_store_id",),
)

SEARCH_VECTOR_STORE = EndpointTemplate(
    name="search_vector_store",
    path="/vector_stores/{vector_store_id}/search",
    required=("vector_store_id", "query"),
    optional=("rewrite_query", "max_num_results", "filters", "ranking_options"),
)
