"""The two connections of the examples, as Airflow reads them from the environment."""

from __future__ import annotations

import json

from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET

SANDBOX_KEY = "sk-sandbox-takes-any-key"


def as_environment(root_url: str, api_key: str | None = None) -> dict[str, str]:
    """Give the variables for a sandbox at ``root_url``; with ``api_key`` the requests go to OpenAI itself.

    The webhook always goes to the sandbox's inbox.
    """
    openai = {"conn_type": "openai_dest", "password": api_key or SANDBOX_KEY}
    if api_key is None:
        openai["host"] = f"{root_url}/v1"
    inbox = {
        "conn_type": "openai_dest_webhook",
        "password": DEMO_WEBHOOK_SECRET,
        "host": f"{root_url}/sandbox/inbox",
        "extra": {"allowed_private_networks": ["127.0.0.0/8"]},
    }
    return {
        "AIRFLOW_CONN_OPENAI_DEST_DEFAULT": json.dumps(openai),
        "AIRFLOW_CONN_OPENAI_DEST_WEBHOOK_DEFAULT": json.dumps(inbox),
    }
