"""The sandbox as an ASGI application."""

from __future__ import annotations

from starlette.routing import Route, Router

from airflow_provider_openai_dest.sandbox.control import CONTROL_OPERATIONS
from airflow_provider_openai_dest.sandbox.gate import Gate
from airflow_provider_openai_dest.sandbox.operations import EXCHANGE_TOKEN, OPERATIONS, UNKNOWN_URL, azure_path
from airflow_provider_openai_dest.sandbox.state import SandboxState


def create_app(state: SandboxState) -> Router:
    """Make the application: a gate for each operation, under OpenAI's path and Azure's, and one for every other URL."""
    operations = [(operation.path, operation) for operation in (*OPERATIONS, EXCHANGE_TOKEN, *CONTROL_OPERATIONS)]
    operations += [(f"/openai{operation.path}", operation) for operation in OPERATIONS]
    operations += [(azure_path(operation.path), operation) for operation in OPERATIONS]
    routes = [Route(path, Gate(operation, state), methods=[operation.method]) for path, operation in operations]
    return Router([*routes, Route("/{path:path}", Gate(UNKNOWN_URL, state))])
