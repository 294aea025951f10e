"""The sandbox as an ASGI application."""

from __future__ import annotations

from starlette.routing import Route, Router

from airflow_provider_openai_dest.sandbox.control import CONTROL_OPERATIONS
from airflow_provider_openai_dest.sandbox.gate import Gate
from airflow_provider_openai_dest.sandbox.operations import OPERATIONS, UNKNOWN_URL
from airflow_provider_openai_dest.sandbox.state import SandboxState


def create_app(state: SandboxState) -> Router:
    """Make the application: a gate for each operation, and one for every other URL."""
    routes = [
        Route(operation.path, Gate(operation, state), methods=[operation.method])
        for operation in (*OPERATIONS, *CONTROL_OPERATIONS)
    ]
    return Router([*routes, Route("/{path:path}", Gate(UNKNOWN_URL, state))])
