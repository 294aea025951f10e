"""Structured outputs: operators that ask for objects and hand them on."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from pydantic import BaseModel

from airflow_provider_openai_dest import OpenAIManualRequestOperator, OpenAISendRecordsOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    Row,
    counts,
    fail,
    openai_connection,
    recording_server,
    rows_of,
    run,
)


class Review(BaseModel):
    """What is asked for."""

    summary: str
    stars: int = 3
    tags: list[str] = []


SCHEMA = Review.model_json_schema()
RESPONSE: Row = {"endpoint": "create_response", "body": {"model": "gpt-6-luna", "input": "{message.q}"}}
CHAT: Row = {
    "endpoint": "create_chat_completion",
    "body": {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "{message.q}"}]},
}
BY_HAND: Row = {"url": "/responses", "body": RESPONSE["body"]}


def ask(tmp_path: Path, **arguments: Any) -> Any:
    kind = OpenAIManualRequestOperator if "url" in arguments else OpenAISendRecordsOperator
    given = {"task_id": "ask", "results": str(tmp_path), "records": [{"q": "It boils fast."}], "text_format": Review}
    return kind(**given | arguments)


WAYS: dict[str, Row] = {
    "a response by a model": RESPONSE,
    "a response by a schema": RESPONSE | {"text_format": SCHEMA},
    "a response by a path": RESPONSE | {"text_format": f"{__name__}.Review"},
    "a chat by a model": CHAT,
    "a request by hand": BY_HAND,
    "a chat by hand": {"url": "/chat/completions", "body": CHAT["body"], "text_format": SCHEMA},
    "the whole record": RESPONSE | {"body": None, "records": [{"model": "gpt-6-luna", "input": "It boils fast."}]},
}


@pytest.mark.parametrize("case", WAYS)
def test_each_answer_holds_the_object(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """The API is told the schema, and the object that it answers stands in the row and in XCom."""
    manifest = run(ask(tmp_path, **WAYS[case]))
    (row,) = rows_of(manifest["results"])
    parsed = row["answer"]["output_parsed"]
    assert parsed == manifest["outcomes"][0]["answer"]["output_parsed"]
    assert isinstance(Review.model_validate(parsed), Review)
    assert {"summary", "stars", "tags"} == parsed.keys()


def test_the_object_can_be_extracted(sandbox: Sandbox, tmp_path: Path) -> None:
    """extract= comes after it."""
    manifest = run(ask(tmp_path, **RESPONSE, extract={"summary": "output_parsed.summary"}))
    assert ["summary"] == [*manifest["outcomes"][0]["answer"]]


def test_a_preview_shows_the_object(sandbox: Sandbox, tmp_path: Path) -> None:
    """As the real delivery will."""
    manifest = run(ask(tmp_path, **RESPONSE, preview=1))
    assert {"summary", "stars", "tags"} == manifest["preview"][0]["answer"]["output_parsed"].keys()
    assert "json_schema" == manifest["preview"][0]["request"]["body"]["text"]["format"]["type"]


def test_what_does_not_fit_is_rejected_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record goes to the quarantine with what was sent, the answer to its row."""
    part = {"type": "output_text", "text": '{"summary": 7}'}
    answer = {"status": "completed", "output": [{"type": "message", "content": [part]}]}
    with recording_server(lambda _: (200, "application/json", json.dumps(answer).encode())) as (root, seen):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        operator = ask(tmp_path, **RESPONSE, conn_id="recorder", quarantine_body=True, max_error_rate=1.0)
        manifest = run(operator)
    assert (1, 0, 1, 0) == counts(manifest)
    (row,) = rows_of(manifest["results"])
    (quarantined,) = rows_of(manifest["quarantine"])
    assert ("output_mismatch", answer) == (row["error"]["code"], row["answer"])
    assert json.loads(seen[0].body) == json.loads(quarantined["body"])
    assert "json_schema" == json.loads(seen[0].body)["text"]["format"]["type"]


def test_another_format_is_another_template(tmp_path: Path) -> None:
    """Half of the answers in one form and half in another is no result; without a format nothing has changed."""
    plain = OpenAISendRecordsOperator(task_id="ask", records=[{"q": "It boils fast."}], **RESPONSE)
    other = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert [RESPONSE["body"], {}, "reject"] == plain.template_parts()
    parts = [ask(tmp_path, **RESPONSE | {"text_format": wanted}).template_parts() for wanted in (Review, SCHEMA, other)]
    assert parts[0] == parts[1] != parts[2]


# -- in a Dag file -----------------------------------------------------------------------------------

# what is refused when the Dag is parsed, and what is told
REFUSED: dict[str, tuple[Row, str]] = {
    "another endpoint": ({"endpoint": "create_moderation", "body": {"input": "a"}}, "text_format= is for"),
    "an open object": (RESPONSE | {"text_format": {"type": "object"}}, "must name all of its fields"),
    "a format beside it": (
        RESPONSE | {"fields": {"text": {"format": {"type": "text"}}}},
        "the body has a format of its own",
    ),
    "a body as a text that has one": (
        RESPONSE | {"body": '{"model": "m", "input": "a", "text": {"verbosity": "low"}}'},
        "write the body as an object",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_format_is_told_when_the_dag_is_parsed(tmp_path: Path, case: str) -> None:
    """Nothing has to run for it."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        ask(tmp_path, **arguments)


def test_a_path_is_imported_when_the_task_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    """So a Dag file needs nothing of what the worker has."""
    fail(ask(tmp_path, **RESPONSE, text_format="no_such_module.Review"), AirflowFailException, "can't be imported")


@pytest.mark.parametrize("text_format", [Review, SCHEMA, f"{__name__}.Review"], ids=["class", "schema", "path"])
def test_a_dag_with_a_format_is_serialised(tmp_path: Path, text_format: Any) -> None:
    """A class in an operator is no part of what Airflow writes; copies keep it."""
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("structured", schedule=None) as dag:
        operator = ask(tmp_path, **RESPONSE, text_format=text_format)
    written = json.dumps(DagSerialization.to_dict(dag))
    assert "gpt-6-luna" in written
    assert "Review" not in written
    assert text_format == deepcopy(operator).text_format


def test_a_mapped_task_with_a_format_is_serialised() -> None:
    """So is one that is expanded over the output of another, where Airflow writes all keywords."""
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("structured", schedule=None) as dag:
        OpenAISendRecordsOperator.partial(task_id="ask", text_format=Review, **RESPONSE).expand(records=[[{"q": "a"}]])
    written = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert ["ask"] == [*DagSerialization.from_dict(written).task_dict]
