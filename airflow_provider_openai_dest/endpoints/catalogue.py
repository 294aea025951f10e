"""The catalogue: every endpoint template by its name.

All of it is loaded at once: 3.5 ms for some 250 literals (measured) are less than a table of names would be worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType

from airflow_provider_openai_dest.endpoints.absent import RETIRED
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError, nearest

_NAMES = (
    *("embeddings", "images", "files", "uploads", "responses", "conversations", "chat", "completions"),
    *("moderations", "decisions", "audio", "voices", "batches", "vector_stores", "vector_store_files"),
    *("fine_tuning", "graders", "evals", "models", "containers", "skills", "chatkit", "realtime"),
    *("content_provenance", "webhook_endpoints"),
    *("admin_organization", "admin_usage", "admin_users", "admin_groups", "admin_roles"),
    *("admin_projects", "admin_project_settings", "admin_project_members", "admin_project_roles"),
)

# The files of literals, one for each section of the API reference, in the order of the docs.
SECTIONS: tuple[ModuleType, ...] = tuple(import_module(f"{__package__}.{name}") for name in _NAMES)


def templates_of(section: ModuleType) -> Iterator[EndpointTemplate]:
    """Give the templates that a section declares, in their order."""
    return (template for template in vars(section).values() if isinstance(template, EndpointTemplate))


ENDPOINTS: dict[str, EndpointTemplate] = {
    template.name: template for section in SECTIONS for template in templates_of(section)
}


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
        noun = endpoint.rpartition("_")[2].removesuffix("s")
        alike = [name for name in ENDPOINTS if noun in name]
        raise ConfigurationError(f"unknown endpoint {endpoint!r}: {nearest(endpoint, alike or ENDPOINTS)}") from None


def find_operation(method: str, url: str) -> EndpointTemplate | None:
    """Give the template of the operation that a path or URL written by hand calls; None when nobody declared it."""
    segments = url.partition("?")[0].rstrip("/").split("/")
    for wanted, template in _most_exact_first():
        if template.method == method and _fits(segments[-len(wanted) :], wanted):
            return template
    return None


@cache
def _most_exact_first() -> list[tuple[list[str], EndpointTemplate]]:
    """Give all templates by the segments of their paths: longer ones first, and words before ``{gaps}``."""
    paths = [(template.path.split("/")[1:], template) for template in ENDPOINTS.values()]
    return sorted(paths, key=lambda path: (len(path[0]), -path[1].path.count("{")), reverse=True)


def _fits(segments: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(segments) == len(wanted) and all(
        want.startswith("{") or segment == want for segment, want in zip(segments, wanted, strict=True)
    )
