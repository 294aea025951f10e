"""Usage and costs: https://platform.openai.com/docs/api-reference/usage.

Times are in Unix seconds.
"""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

LIST_COSTS = EndpointTemplate(
    name="list_costs",
    path="/organization/costs",
    method="GET",
    content="none",
    required=("start_time",),
    optional=("end_time", "bucket_width", "project_ids", "api_key_ids", "line_items", "group_by", "limit", "page"),
    admin=True,
)

LIST_AUDIO_SPEECHES_USAGE = EndpointTemplate(
    name="list_audio_speeches_usage",
    path="/organization/usage/audio_speeches",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "models", "group_by", "limit"),
        *("page",),
    ),
    admin=True,
)

LIST_AUDIO_TRANSCRIPTIONS_USAGE = EndpointTemplate(
    name="list_audio_transcriptions_usage",
    path="/organization/usage/audio_transcriptions",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "models", "group_by", "limit"),
        *("page",),
    ),
    admin=True,
)

LIST_CODE_INTERPRETER_SESSIONS_USAGE = EndpointTemplate(
    name="list_code_interpreter_sessions_usage",
    path="/organization/usage/code_interpreter_sessions",
    method="GET",
    content="none",
    required=("start_time",),
    optional=("end_time", "bucket_width", "project_ids", "group_by", "limit", "page"),
    admin=True,
)

LIST_COMPLETIONS_USAGE = EndpointTemplate(
    name="list_completions_usage",
    path="/organization/usage/completions",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "models", "batch", "group_by"),
        *("limit", "page"),
    ),
    admin=True,
)

LIST_EMBEDDINGS_USAGE = EndpointTemplate(
    name="list_embeddings_usage",
    path="/organization/usage/embeddings",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "models", "group_by", "limit"),
        *("page",),
    ),
    admin=True,
)

LIST_FILE_SEARCH_CALLS_USAGE = EndpointTemplate(
    name="list_file_search_calls_usage",
    path="/organization/usage/file_search_calls",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "vector_store_ids", "group_by"),
        *("limit", "page"),
    ),
    admin=True,
)

LIST_IMAGES_USAGE = EndpointTemplate(
    name="list_images_usage",
    path="/organization/usage/images",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "sources", "sizes", "project_ids", "user_ids", "api_key_ids", "models"),
        *("group_by", "limit", "page"),
    ),
    admin=True,
)

LIST_MODERATIONS_USAGE = EndpointTemplate(
    name="list_moderations_usage",
    path="/organization/usage/moderations",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "models", "group_by", "limit"),
        *("page",),
    ),
    admin=True,
)

LIST_VECTOR_STORES_USAGE = EndpointTemplate(
    name="list_vector_stores_usage",
    path="/organization/usage/vector_stores",
    method="GET",
    content="none",
    required=("start_time",),
    optional=("end_time", "bucket_width", "project_ids", "group_by", "limit", "page"),
    admin=True,
)

LIST_WEB_SEARCH_CALLS_USAGE = EndpointTemplate(
    name="list_web_search_calls_usage",
    path="/organization/usage/web_search_calls",
    method="GET",
    content="none",
    required=("start_time",),
    optional=(
        *("end_time", "bucket_width", "project_ids", "user_ids", "api_key_ids", "models", "context_levels"),
        *("group_by", "limit", "page"),
    ),
    admin=True,
)
