"""Dialect: an endpoint as one kind of server has it: another path, fewer fields, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from airflow_provider_openai_dest.connection.servers import (
    CAPABILITIES,
    DEPLOYMENT_PATHS,
    SERVERS,
    Capabilities,
    needed_capability,
)
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError

ADMIN_PATHS = ("/organization", "/projects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a connection says of the server's way to speak the API.

    :param base_url: the connection's base URL, which a path may begin with.
    :param server: kind of the server, a key of :data:`~.servers.SERVERS`.
    :param can: what it does of the API.
    :param deployment: Azure's classic API: the deployment of every request; None takes the request's model.
    :param api_version: Azure's classic API: the version in every query.
    :param is_admin: whether the key is an admin key, which is for administration only.
    """

    base_url: str = ""
    server: str = "openai"
    can: Capabilities = field(default_factory=Capabilities)
    deployment: str | None = None
    api_version: str | None = None
    is_admin: bool = False

    def spoken(self, endpoint: EndpointTemplate, fields: Collection[str] = ()) -> EndpointTemplate:
        """Give the endpoint as this server has it.

        Raises ConfigurationError, before anything is sent, when the server does not have it or one of its fields.

        :param fields: fields that every body is known to have.
        """
        if faults := tuple(self._faults(endpoint, fields)):
            raise ConfigurationError(*(f"{endpoint.name}: {fault}" for fault in faults))
        if "encoding_format" in endpoint.defaults and not self.can.base64:
            defaults = {name: value for name, value in endpoint.defaults.items() if name != "encoding_format"}
            endpoint = replace(endpoint, defaults=defaults)
        return self._deployed(endpoint) if SERVERS[self.server].has_deployments else endpoint

    def _faults(self, endpoint: EndpointTemplate, fields: Collection[str]) -> Iterator[str]:
        path = self._below(endpoint.path)
        title, needed = SERVERS[self.server].title, needed_capability(path)
        if needed is not None and not getattr(self.can, needed):
            has = ", ".join(name for name in CAPABILITIES if name in _PLACES and getattr(self.can, name))
            yield (
                f"{title} has no {path} (it has {has or 'nothing that is known'}); "
                f'where yours has it, say so in the connection\'s extra: "capabilities": {{"{needed}": true}}'
            )
        if "dimensions" in fields and needed == "embeddings" and not self.can.dimensions:
            yield f"{title} takes no 'dimensions'; leave it out"
        if self.is_admin and not (endpoint.admin or path.startswith(ADMIN_PATHS)):
            yield f"the connection's admin key is for {' and '.join(ADMIN_PATHS)} only; use one with an API key"

    def _below(self, path: str) -> str:
        """Give a path in its one spelling, below the base URL; a complete URL that is elsewhere stays as it is."""
        path = path.removeprefix(self.base_url)
        return path if path.startswith("/") or "://" in path else f"/{path}"

    def _deployed(self, endpoint: EndpointTemplate) -> EndpointTemplate:
        """Put the deployment into the path and the version into the query; the URL takes ``model`` out of the body."""
        path, required = self._below(endpoint.path), endpoint.required
        if path in DEPLOYMENT_PATHS:
            path = f"/deployments/{self.deployment or '{model}'}{path}"
            if self.deployment:
                required = tuple(name for name in required if name != "model")
        if "api-version=" not in path:
            path = f"{path}{'&' if '?' in path else '?'}api-version={self.api_version}"
        return replace(endpoint, path=path, required=required)


_PLACES = frozenset({"embeddings", "chat", "responses", "files", "batch", "images", "audio", "moderations"})
