"""Endpoints of all kinds over both general operators: each runs against the sandbox, and its answer is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_openai_dest import OpenAIManualRequestOperator, OpenAISendRecordsOperator
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import KEY, counts, rows_of, run

LINE = {
    "custom_id": "one",
    "method": "POST",
    "url": "/v1/embeddings",
    "body": {"model": "text-embedding-3-small", "input": "a", "dimensions": 2},
}
BATCH = {"endpoint": "/v1/embeddings", "completion_window": "24h"}
ASK = {"model": "gpt-6-luna", "input": "hi"}
CHAT = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hi"}]}
UPLOAD = {"filename": "a.txt", "purpose": "user_data", "bytes": 3, "mime_type": "text/plain"}


def by_name(endpoint: str, **arguments: Any) -> OpenAISendRecordsOperator:
    """Make the operator that takes an endpoint's name."""
    return OpenAISendRecordsOperator(endpoint=endpoint, **arguments)


def by_address(endpoint: str, **arguments: Any) -> OpenAIManualRequestOperator:
    """Make the operator that takes method and URL, for the same request."""
    template = find_endpoint(endpoint)
    return OpenAIManualRequestOperator(
        method=template.method,
        url=template.path,
        content_format=template.content,
        file_fields=template.file_fields,
        **arguments,
    )


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """Give a client that prepares what an operator then asks for."""
    key = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=sandbox.base_url, headers=key, trust_env=False) as client:
        yield client


def made(api: httpx.Client, path: str, body: Any = None, **keywords: Any) -> str:
    """Make something, and give its id."""
    return str(api.post(path, json=body, **keywords).raise_for_status().json()["id"])


def a_file(api: httpx.Client, purpose: str = "batch") -> str:
    """Upload the one line of a batch."""
    form = {"data": {"purpose": purpose}, "files": {"file": ("a.jsonl", json.dumps(LINE).encode())}}
    return made(api, "/files", **form)


def a_batch(api: httpx.Client) -> str:
    """Begin a batch."""
    return made(api, "/batches", BATCH | {"input_file_id": a_file(api)})


# What is sent: the endpoint, its body, made with what must be there before, and what is asked of the answer.
Case = tuple[str, Callable[[httpx.Client], dict[str, Any]], str, Any]
CASES: tuple[Case, ...] = (
    ("list_models", lambda _: {}, "object", "list"),
    ("retrieve_model", lambda _: {"model": "gpt-5"}, "shutdown_date", "2026-12-11"),
    ("create_response", lambda _: ASK, "status", "completed"),
    ("retrieve_response", lambda api: {"response_id": made(api, "/responses", ASK)}, "status", "completed"),
    ("delete_response", lambda api: {"response_id": made(api, "/responses", ASK)}, "deleted", True),
    ("create_chat_completion", lambda _: CHAT, "object", "chat.completion"),
    ("list_files", lambda api: {"limit": 1, "after": a_file(api)}, "object", "list"),
    ("retrieve_file", lambda api: {"file_id": a_file(api)}, "filename", "a.jsonl"),
    ("retrieve_file_content", lambda api: {"file_id": a_file(api)}, "bytes", len(json.dumps(LINE))),
    ("delete_file", lambda api: {"file_id": a_file(api)}, "deleted", True),
    ("create_upload", lambda _: UPLOAD, "status", "pending"),
    ("cancel_upload", lambda api: {"upload_id": made(api, "/uploads", UPLOAD)}, "status", "cancelled"),
    ("create_batch", lambda api: BATCH | {"input_file_id": a_file(api)}, "status", "validating"),
    ("retrieve_batch", lambda api: {"batch_id": a_batch(api)}, "status", "completed"),
    ("cancel_batch", lambda api: {"batch_id": a_batch(api)}, "status", "cancelling"),
    ("list_batches", lambda _: {"limit": 1}, "object", "list"),
    ("create_speech", lambda _: {"model": "tts-1", "input": "hi", "voice": "coral"}, "content_type", "audio/wav"),
    (
        "create_transcription",
        lambda _: {"model": "gpt-transcribe", "file": "{message.file}"},
        "text",
        "Sandbox transcript of a.mp3.",
    ),
)


@pytest.mark.parametrize("operator", [by_name, by_address])
@pytest.mark.parametrize(("endpoint", "body", "field", "value"), CASES, ids=[case[0] for case in CASES])
def test_an_endpoint_is_sent_and_its_answer_is_kept(
    operator: Callable[..., Any],
    endpoint: str,
    body: Callable[[httpx.Client], dict[str, Any]],
    field: str,
    value: Any,
    api: httpx.Client,
    tmp_path: Path,
) -> None:
    """By its name or by its address, an endpoint gets its request, and its row has the answer."""
    (tmp_path / "a.mp3").write_bytes(b"MP3")
    task = operator(
        endpoint,
        task_id="ask",
        body=body(api),
        records=[{"file": str(tmp_path / "a.mp3")}],
        files_root=str(tmp_path),
        results=str(tmp_path / "results"),
    )
    manifest = run(task)
    (row,) = rows_of(manifest["results"])

    assert (1, 1, 0, 0) == counts(manifest)
    assert row["answer"][field] == value


def test_a_batch_from_file_to_answers(api: httpx.Client, tmp_path: Path) -> None:
    """Four tasks make a batch: the file, the batch, its state, and its answers as a file."""

    def answered(endpoint: str, body: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        folder = str(tmp_path / endpoint)
        task = by_name(endpoint, task_id=endpoint, body=body, results=folder, **{"records": [{}]} | arguments)
        answer: dict[str, Any] = rows_of(run(task)["results"])[0]["answer"]
        return answer

    (tmp_path / "lines.jsonl").write_text(json.dumps(LINE))
    named = {"purpose": "batch", "file": str(tmp_path / "lines.jsonl")}
    file = answered("upload_file", named, files_root=str(tmp_path))
    begun = answered("create_batch", BATCH | {"input_file_id": file["id"]})
    done = answered("retrieve_batch", {"batch_id": begun["id"]})
    output = answered("retrieve_file_content", {"file_id": done["output_file_id"]})
    (line,) = map(json.loads, Path(output["path"]).read_text().splitlines())

    assert ("validating", "completed") == (begun["status"], done["status"])
    assert ("one", 200) == (line["custom_id"], line["response"]["status_code"])
    assert [2] == [len(item["embedding"]) for item in line["response"]["body"]["data"]]
