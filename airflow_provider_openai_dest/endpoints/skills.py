"""Skills: https://platform.openai.com/docs/api-reference/skills."""

from __future__ import annotations

from airflow_provider_openai_dest.endpoints.template import EndpointTemplate

CREATE_SKILL = EndpointTemplate(
    name="create_skill",
    path="/skills",
    content="multipart",
    required=("files",),
    file_fields=("files",),
)

LIST_SKILLS = EndpointTemplate(
    name="list_skills",
    path="/skills",
    method="GET",
    content="none",
    optional=("limit", "order", "after"),
)

RETRIEVE_SKILL = EndpointTemplate(
    name="retrieve_skill",
    path="/skills/{skill_id}",
    method="GET",
    content="none",
    required=("skill_id",),
)

UPDATE_SKILL_DEFAULT_VERSION = EndpointTemplate(
    name="update_skill_default_version",
    path="/skills/{skill_id}",
    required=("skill_id", "default_version"),
)

DELETE_SKILL = EndpointTemplate(
    name="delete_skill",
    path="/skills/{skill_id}",
    method="DELETE",
    content="none",
    required=("skill_id",),
)

RETRIEVE_SKILL_CONTENT = EndpointTemplate(
    name="retrieve_skill_content",
    path="/skills/{skill_id}/content",
    method="GET",
    content="none",
    required=("skill_id",),
    answer="file",
)

CREATE_SKILL_VERSION = EndpointTemplate(
    name="create_skill_version",
    path="/skills/{skill_id}/versions",
    content="multipart",
    required=("skill_id", "files"),
    optional=("default",),
    file_fields=("files",),
)

LIST_SKILL_VERSIONS = EndpointTemplate(
    name="list_skill_versions",
    path="/skills/{skill_id}/versions",
    method="GET",
    content="none",
    required=("skill_id",),
    optional=("limit", "order", "after"),
)

RETRIEVE_SKILL_VERSION = EndpointTemplate(
    name="retrieve_skill_version",
    path="/skills/{skill_id}/versions/{version}",
    method="GET",
    content="none",
    required=("skill_id", "version"),
)

DELETE_SKILL_VERSION = EndpointTemplate(
    name="delete_skill_version",
    path="/skills/{skill_id}/versions/{version}",
    method="DELETE",
    content="none",
    required=("skill_id", "version"),
)

RETRIEVE_SKILL_VERSION_CONTENT = EndpointTemplate(
    name="retrieve_skill_version_content",
    path="/skills/{skill_id}/versions/{version}/content",
    method="GET",
    content="none",
    required=("skill_id", "version"),
    answer="file",
)
