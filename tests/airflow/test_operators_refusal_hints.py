"""What a new user reads when connection or arguments are wrong: which field of which connection it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import (
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAISendRecordsOperator,
    OpenAIUploadFileOperator,
)
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.hooks.openai_dest import OpenAIDestHook
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from tests.airflow.operator_context import (
    ASK,
    EMBED,
    Reply,
    Seen,
    attempt,
    counts,
    fail,
    openai_connection,
    recording_server,
)

TEXTS = [{"text": f"text {number}"} for number in range(12)]


def embed(tmp_path: Path, **arguments: Any) -> OpenAIEmbeddingOperator:
    common = {"task_id": "embed", "input": "{message.text}", "results": str(tmp_path), "records": TEXTS}
    return OpenAIEmbeddingOperator(**common | EMBED | arguments)


def broken_token() -> str:
    """Give no token."""
    raise OSError("no vault")


def test_a_base_url_without_its_path_stops_and_is_named(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the check of the connection says is said by the delivery as well, and every record stays pending."""
    monkeypatch.setenv("AIRFLOW_CONN_SHORT", openai_connection(sandbox.base_url.removesuffix("/v1")))
    words = "Invalid URL (POST /embeddings) (Base URL: nothing is there; OpenAI's ends in /v1); 0 records"
    ended = fail(embed(tmp_path, conn_id="short"), AirflowFailException, words)
    assert (12, 0, 0, 12) == counts(ended.xcom)


def test_a_server_that_is_no_api_stops_after_three_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the data set is small: the rest stays pending."""

    def answer(_request: Seen) -> Reply:
        return 404, "text/html", b"<html>404</html>"

    with recording_server(answer) as (url, seen):
        monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", openai_connection(url))
        records = [{"q": str(number)} for number in range(6)]
        task = {
            "task_id": "ask",
            "results": str(tmp_path),
            "records": records,
            "conn_id": "elsewhere",
            "concurrency": 1,
        }
        ended = fail(
            OpenAIManualRequestOperator(**task | ASK), AirflowFailException, "look at the connection's base URL"
        )
        sent = [request for request in seen if request.method == "POST"]
    assert ((6, 0, 3, 3), 3) == (counts(ended.xcom), len(sent))


def test_a_record_with_its_id_in_the_path_is_rejected_for_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    """There a 404 may be the record's own, however many there are."""
    sandbox.set_faults("status=404,message=Invalid URL (GET /v1/files/x)")
    records = [{"file_id": f"file-{number}"} for number in range(5)]
    task: dict[str, Any] = {"task_id": "get", "endpoint": "retrieve_file", "results": str(tmp_path), "records": records}
    task["fields"] = {"file_id": "{message.file_id}"}
    ended = fail(OpenAISendRecordsOperator(**task), AirflowFailException, "TooManyRejectedError")
    assert (5, 0, 5, 0) == counts(ended.xcom)


def test_a_wrong_key_names_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the field it stands in."""
    with running_sandbox(api_key="another") as locked:
        monkeypatch.setenv("AIRFLOW_CONN_LOCKED", openai_connection(locked.base_url))
        words = "Incorrect API key provided. (the key is the password of the connection 'locked'); 0 records"
        fail(embed(tmp_path, conn_id="locked"), AirflowFailException, words)


def test_a_server_without_base64_hints_at_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the connection takes it for OpenAI's."""

    def answer(_request: Seen) -> Reply:
        error = {"error": {"message": "base64 encoding is not currently supported", "type": "invalid_request_error"}}
        return 400, "application/json", json.dumps(error).encode()

    with recording_server(answer) as (url, _):
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", openai_connection(url))
        words = "say which in Server of the connection 'other'"
        fail(embed(tmp_path, conn_id="other", records=TEXTS[:1]), AirflowFailException, words)


def test_a_token_function_that_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its connection, and without what it raised, which may hold a secret."""
    path = f"{__name__}.broken_token"
    extra = {"auth": "token_callable", "auth_callable": path}
    monkeypatch.setenv("AIRFLOW_CONN_VAULT", json.dumps({"conn_type": "openai_dest", "extra": extra}))
    tokens = OpenAIDestHook("vault").tokens
    assert tokens is not None
    with pytest.raises(TransientError) as raised:
        tokens.renewed()
    said = f"Connection 'vault': Token function (extra auth_callable) '{path}' raised OSError"
    assert said == str(raised.value)


def test_what_never_left_is_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing listens, the manifest counts none, however often it was tried."""
    monkeypatch.setenv("AIRFLOW_CONN_NOBODY", openai_connection("http://127.0.0.1:9/v1"))
    manifest = attempt(embed(tmp_path, conn_id="nobody", records=TEXTS[:1])).xcom
    assert (0, 0, 1) == (manifest["requests"], manifest["retries"], manifest["pending"])


# arguments, and what is said when the Dag is parsed
CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no records": ({"records": None}, "input: a placeholder, and neither records= nor source= is given to fill it"),
    "estimate and preview": ({"preview": 3, "estimate_only": True}, "give preview or estimate_only, not both"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_can_mean_nothing_is_refused_at_parse_time(tmp_path: Path, case: str) -> None:
    """Before a worker is asked."""
    arguments, words = CONTRADICTIONS[case]
    with pytest.raises(ConfigurationError, match=words):
        embed(tmp_path, **arguments)


def test_a_relative_path_is_shown_beside_the_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is refused, and the message says what to give instead."""
    (tmp_path / "k.png").write_bytes(b"x")
    task = {"task_id": "up", "purpose": "vision", "file": "{message.photo}", "files_root": str(tmp_path)}
    upload = OpenAIUploadFileOperator(records=[{"photo": "k.png"}], results=str(tmp_path / "out"), **task)
    fail(upload, AirflowFailException, f"must name a file in {tmp_path}; 'k.png' is not below it: give the whole path")
