"""Apache Airflow provider that sends data sets to OpenAI endpoints and gets every answer back.

Start reading at :mod:`airflow_provider_openai_dest.destination`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Destination": "destination",
    "EndpointTemplate": "endpoints.template",
    "Manifest": "manifest",
    "OpenAICreateImageOperator": "operators.create_image",
    "OpenAIDestHook": "hooks.openai_dest",
    "OpenAIDestRetryPolicy": "operators.retry_policy",
    "OpenAIDestWebhookHook": "hooks.webhook",
    "OpenAIEmbeddingOperator": "operators.embedding",
    "OpenAIFileProcessedTrigger": "triggers.file_processed",
    "OpenAIFileSensor": "sensors.file",
    "OpenAIListSource": "operators.list_source",
    "OpenAIManualRequestOperator": "operators.manual_request",
    "OpenAISendRecordsOperator": "operators.send_records",
    "OpenAIUploadFileOperator": "operators.upload_file",
    "OpenAIWebhookOperator": "operators.webhook",
    "Packing": "endpoints.template",
    "Record": "sources.record",
    "Source": "sources.record",
    "decode_embedding": "answers.vector",
    "quarantine_of": "operators.quarantine_of",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562), so that a Dag file loads only what it uses."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
