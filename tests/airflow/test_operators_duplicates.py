"""Equal requests of one task: sent once where equal requests have equal answers, else each for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import EndpointTemplate, OpenAISendRecordsOperator, decode_embedding
from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS
from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sandbox.vectors import embed as sandbox_vector
from tests.airflow.operator_context import EMBED, counts, rows_of, run

RECORDS = [{"t": f"text {number % 3}"} for number in range(30)]
OWN = EndpointTemplate(name="own", path="/responses", required=("model", "input"), deterministic=True)
CASES: dict[str, dict[str, Any]] = {
    "moderations": {"endpoint": "create_moderation"},
    "an endpoint of one's own": {"endpoint": OWN, "fields": {"model": "gpt-6-luna", "input": "{message.t}"}},
    "texts, when asked for": {
        "endpoint": "create_response",
        "fields": {"model": "gpt-6-luna", "input": "{message.t}"},
        "deduplicate": True,
    },
}
EACH: dict[str, dict[str, Any]] = {
    "texts": {"endpoint": "create_response", "fields": {"model": "gpt-6-luna", "input": "{message.t}"}},
    "images": {"endpoint": "create_image", "fields": {"prompt": "{message.t}", "model": "gpt-image-2"}},
    "moderations, when asked for": {"endpoint": "create_moderation", "deduplicate": False},
}


def send(tmp_path: Path, **arguments: Any) -> OpenAISendRecordsOperator:
    fields = {"input": "{message.t}"}
    defaults = {"task_id": "send", "records": RECORDS, "fields": fields, "results": str(tmp_path)}
    return OpenAISendRecordsOperator(**defaults | arguments)


def test_equal_texts_are_embedded_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """And each record has the vector of its own text, in its own row."""
    fields = {"input": "{message.t}", **EMBED}
    manifest = run(send(tmp_path, endpoint="create_embedding", fields=fields))
    assert ((30, 30, 0, 0), 27, 3) == (counts(manifest), manifest["deduplicated"], sandbox.stats()["items"])
    rows = rows_of(manifest["results"])
    assert 30 == len(rows)
    for row in rows:
        assert sandbox_vector(row["record"]["t"], 8) == decode_embedding(row["answer"]["embedding"])


@pytest.mark.parametrize("case", CASES)
def test_equal_requests_are_sent_once(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """By default, or by the template's or the operator's word."""
    manifest = run(send(tmp_path, **CASES[case]))
    assert ((30, 30, 0, 0), 27, 3) == (counts(manifest), manifest["deduplicated"], manifest["requests"])


@pytest.mark.parametrize("case", EACH)
def test_equal_requests_are_sent_each_for_itself(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """Where each answer is another one, or when the Dag author wants it."""
    manifest = run(send(tmp_path, **EACH[case]))
    assert ((30, 30, 0, 0), 0, 30) == (counts(manifest), manifest["deduplicated"], manifest["requests"])


def test_what_is_deterministic() -> None:
    """Embeddings and moderations; nothing that is sampled, drawn or stored."""
    assert {"create_embedding", "create_moderation"} == {
        endpoint.name for endpoint in ENDPOINTS.values() if endpoint.deterministic
    }
