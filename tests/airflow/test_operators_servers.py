"""Operators with connections to other servers that speak the API, and with tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import (
    OpenAIEmbeddingOperator,
    OpenAIListSource,
    OpenAIManualRequestOperator,
    OpenAIUploadFileOperator,
)
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from tests.airflow.operator_context import KEY, counts, fail, openai_connection, recording_server, run

CONN = "AIRFLOW_CONN_OPENAI_DEST_DEFAULT"
SUBJECT = "machine-token-0123456789"
TEXTS = [{"q": f"text {number}"} for number in range(5)]


def embed(tmp_path: Path, **arguments: Any) -> OpenAIEmbeddingOperator:
    """Make a task that embeds some texts."""
    fields = {"model": "text-embedding-3-small", "input": "{message.q}", "dimensions": 8}
    return OpenAIEmbeddingOperator(
        **{"task_id": "embed", "records": TEXTS, "results": str(tmp_path / "results")} | fields | arguments
    )


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, extra: Mapping[str, Any], **settings: Any) -> Iterator[Sandbox]:
    """Run a sandbox with a connection to it; a base URL of a root is that of Azure."""
    with running_sandbox(**settings) as sandbox:
        host = sandbox.root_url if "azure" in str(extra.get("server")) else sandbox.base_url
        given = {"exchange_url": sandbox.exchange_url, **extra} if "workload" in str(extra.get("auth")) else extra
        monkeypatch.setenv(CONN, openai_connection(host, extra=given))
        yield sandbox


@pytest.mark.parametrize(
    ("extra", "settings"),
    [
        ({"server": "azure"}, {"key_header": "api-key", "api_key": KEY}),
        ({"server": "azure_classic", "api_version": "2024-10-21"}, {"key_header": "api-key", "api_key": KEY}),
        ({"key_header": "X-Api-Key"}, {"key_header": "x-api-key", "api_key": KEY}),
        ({"server": "other"}, {"base64": False}),
        ({"server": "litellm"}, {}),
        ({"server": "vllm", "capabilities": {"base64": False}}, {"base64": False}),
        ({"auth": "token_callable", "auth_callable": "os.getcwd"}, {"api_key": str(Path.cwd())}),
    ],
)
def test_a_data_set_is_sent_to_each_server(
    extra: dict[str, Any], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The Dag is the same: the connection alone says who answers."""
    with connected(monkeypatch, extra, **settings) as sandbox:
        manifest = run(embed(tmp_path))
        assert {"200": 1} == sandbox.stats()["requests"]["POST /v1/embeddings"]
    assert (5, 5, 0, 0) == counts(manifest)


def test_one_deployment_needs_no_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The connection names it, so the task need not; an empty body says that the fields are all."""
    extra = {"server": "azure_classic", "api_version": "2024-10-21", "deployment": "text-embedding-3-small"}
    with connected(monkeypatch, extra, key_header="api-key"):
        assert (5, 5, 0, 0) == counts(run(embed(tmp_path, model=None, body={})))


def test_what_the_server_has_not_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An upload to vLLM fails at once, without a retry."""
    with connected(monkeypatch, {"server": "vllm"}) as sandbox:
        task = OpenAIUploadFileOperator(
            task_id="upload", purpose="user_data", records=TEXTS, results=str(tmp_path / "results")
        )
        fail(task, AirflowFailException, "vLLM has no /files")
        assert {} == sandbox.stats()["requests"]


def test_an_admin_key_is_not_sent_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And where it belongs, it is sent as any key."""
    with recording_server() as (root, seen):
        monkeypatch.setenv(CONN, openai_connection(f"{root}/v1", extra={"auth": "admin_key"}))
        fail(embed(tmp_path), AirflowFailException, "admin key")
        assert [] == seen
        run(
            OpenAIManualRequestOperator(
                task_id="projects", url="/organization/projects", method="GET", results=str(tmp_path / "more")
            )
        )
    assert [f"Bearer {KEY}"] == [request.headers["authorization"] for request in seen]


def test_no_key_is_sent_to_a_server_that_wants_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A local server with an empty password gets no header of a key at all."""
    answer = json.dumps({"data": [{"index": place, "embedding": [0.5] * 8} for place in range(5)]}).encode()
    with recording_server(lambda _: (200, "application/json", answer)) as (root, seen):
        monkeypatch.setenv(CONN, openai_connection(f"{root}/v1", password="", extra={"server": "ollama"}))
        assert (5, 5, 0, 0) == counts(run(embed(tmp_path)))
    (request,) = seen
    assert not {"authorization", "api-key"} & request.headers.keys()
    assert "encoding_format" not in json.loads(request.body)


def workload(tmp_path: Path) -> dict[str, str]:
    """Give the extra of a connection that exchanges the token of a cluster."""
    (tmp_path / "subject").write_text(SUBJECT)
    return {
        "auth": "workload_identity",
        "identity_provider_id": "idp_1",
        "workload_account_id": "sa_1",
        "workload_identity_provider": "kubernetes",
        "subject_file": str(tmp_path / "subject"),
    }


def test_a_file_is_streamed_again_with_the_next_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An upload that meets an expired token arrives whole, once."""
    with connected(monkeypatch, workload(tmp_path), subject=SUBJECT, token_requests=1) as sandbox:
        results = str(tmp_path / "results")
        upload = {"purpose": "user_data", "records": TEXTS, "file_per": "record", "concurrency": 1}
        manifest = run(OpenAIUploadFileOperator(task_id="upload", results=results, **upload))
        assert {"200": 5, "401": 4} == sandbox.stats()["requests"]["POST /v1/files"]
    assert (5, 5, 0, 0) == counts(manifest)
    assert {15} == {outcome["answer"]["bytes"] for outcome in manifest["outcomes"]}


def test_a_list_is_read_with_tokens_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A source that asks the API itself renews its own token, as the records' requests do."""
    source = OpenAIListSource(path="/models")
    ask = {"method": "GET", "url": "/models/{message.id}", "concurrency": 1, "results": str(tmp_path / "results")}
    with connected(monkeypatch, workload(tmp_path), subject=SUBJECT, token_requests=20) as sandbox:
        manifest = run(OpenAIManualRequestOperator(task_id="ask", source=source, **ask))
        assert {"200": 1} == sandbox.stats()["requests"]["GET /v1/models"]
    assert manifest["input"] == manifest["delivered"] > 20


def test_a_list_of_azures_classic_api_has_the_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In its query, as every other request."""
    with recording_server(lambda _: (200, "application/json", b'{"data": []}')) as (root, seen):
        extra = {"server": "azure_classic", "api_version": "2024-10-21"}
        monkeypatch.setenv(CONN, openai_connection(root, extra=extra))
        source, results = OpenAIListSource(path="/files"), str(tmp_path / "results")
        run(OpenAIManualRequestOperator(task_id="ask", source=source, url="/x", method="GET", results=results))
    assert ["/openai/files?api-version=2024-10-21"] == [request.target for request in seen]


def test_workload_identity_leaves_no_token_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the machine's own token nor OpenAI's stands in XCom, files or logs."""
    fault = "status=400,message=You sent sandbox-issued-0001,match=text 3"
    with connected(monkeypatch, workload(tmp_path), subject=SUBJECT, faults=[fault]) as sandbox:
        manifest = run(embed(tmp_path, max_errors=1, quarantine_body=True))
        assert {"200": 1} == sandbox.stats()["requests"]["POST /oauth/token"]
    assert (5, 4, 1, 0) == counts(manifest)
    written = "".join(path.read_text() for path in (tmp_path / "results").rglob("*.jsonl"))
    for secret in (SUBJECT, "sandbox-issued-0001"):
        assert secret not in json.dumps(manifest) + written + caplog.text


def test_a_wrong_base_url_is_told_by_the_first_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fewer than ten records are no reason to stop, but each rejection says where to look."""
    with recording_server(lambda _: (404, "application/json", b'{"detail": "Not Found"}')) as (root, _):
        monkeypatch.setenv(CONN, openai_connection(root))
        manifest = run(embed(tmp_path, records=TEXTS[:1], max_errors=1))
    (kind,) = manifest["rejections"]
    assert "look at the connection's base URL" in kind["first_message"]


def test_no_request_replaces_the_key_in_a_header_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As it can't replace Authorization."""
    with recording_server() as (root, seen):
        monkeypatch.setenv(CONN, openai_connection(f"{root}/v1", extra={"key_header": "X-Caller"}))
        headers = {"x-caller": "another", "X-More": "1"}
        results = str(tmp_path / "results")
        run(OpenAIManualRequestOperator(task_id="ask", url="/responses", headers=headers, results=results))
    assert [(KEY, "1")] == [(request.headers["x-caller"], request.headers["x-more"]) for request in seen]
