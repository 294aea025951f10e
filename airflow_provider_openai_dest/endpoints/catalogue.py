"""The catalogue: every endpoint template by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

from airflow_provider_openai_dest.endpoints import (
    audio,
    chat,
    embeddings,
    files,
    images,
    models,
    moderations,
    responses,
    uploads,
)
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, nearest

_SECTIONS: tuple[ModuleType, ...] = (embeddings, images, files, uploads, responses, chat, moderations, audio, models)

ENDPOINTS: dict[str, EndpointTemplate] = {
    template.name: template
    for section in _SECTIONS
    for template in vars(section).values()
    if isinstance(template, EndpointTemplate)
}

# What was there and is not any more: https://platform.openai.com/docs/deprecations
RETIRED: dict[str, str] = {
    "create_image_variation": "the API retired image variations; use create_image_edit",
    "create_assistant": "the Assistants API ended on 2026-08-26; use create_response",
    "create_video": "the videos API ended on 2026-09-24",
}


def failed_when(method: str, url: str) -> Mapping[str, tuple[str, ...]]:
    """Give what makes a 200 answer of this operation a failure, where a template says it of the same operation."""
    segments = url.partition("?")[0].rstrip("/").split("/")
    for template in ENDPOINTS.values():
        wanted = template.path.split("/")[1:]
        if template.method == method and _fits(segments[-len(wanted) :], wanted):
            return template.failed_when
    return {}


def _fits(segments: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(segments) == len(wanted) and all(
        want.startswith("{") or segment == want for segment, want in zip(segments, wanted, strict=True)
    )


def find_endpoint(endpoint: str | EndpointTemplate) -> EndpointTemplate:
    """Give the template of that name, or the template itself when a Dag author made his own.

    Raises ConfigurationError with the nearest names, or with the successor of a retired endpoint.
    """
    if isinstance(endpoint, EndpointTemplate):
        return endpoint
    if endpoint in RETIRED:
        raise ConfigurationError(f"the endpoint {endpoint!r} is gone: {RETIRED[endpoint]}")
    try:
        return ENDPOINTS[endpoint]
    except KeyError:
        raise ConfigurationError(f"unknown endpoint {endpoint!r}: {nearest(endpoint, ENDPOINTS)}") from None
