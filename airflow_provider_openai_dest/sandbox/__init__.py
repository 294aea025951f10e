"""A local server that speaks the OpenAI API: for the demo, for tests, for Dag authors' own CI.

``python -m airflow_provider_openai_dest.sandbox`` starts it and prints its base URL. Inside a test::

    with running_sandbox(faults=["status=503,rate=0.1"]) as sandbox:
        client = OpenAI(base_url=sandbox.base_url, api_key="any")
        ...
        assert sandbox.stats()["repeated_items"] == 0

The API's operations stand in :mod:`.operations`, its own in :mod:`.control`; how a request passes is in :mod:`.gate`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_openai_dest.sandbox.faults import FaultRule
    from airflow_provider_openai_dest.sandbox.inbox import DEMO_WEBHOOK_SECRET
    from airflow_provider_openai_dest.sandbox.server import Sandbox, running_sandbox

__all__ = ["DEMO_WEBHOOK_SECRET", "FaultRule", "Sandbox", "running_sandbox"]

_PUBLIC = {
    "DEMO_WEBHOOK_SECRET": "inbox",
    "FaultRule": "faults",
    "Sandbox": "server",
    "running_sandbox": "server",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562): the web server costs 0.3 s."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
