"""Bodies that the API would certainly refuse: rejected, or told of, before they are sent."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import (
    OpenAICreateImageOperator,
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAISendRecordsOperator,
    OpenAIUploadFileOperator,
)
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import Row, api_requests, counts, fail, openai_connection, rows_of, run

ASK = {"model": "gpt-6-luna", "input": "{message.q}", "max_output_tokens": "{message.most}"}
RECORDS = [{"q": "a", "most": 64}, {"q": "b", "most": 8}, {"q": "c", "most": "many"}]


def ask(tmp_path: Path, **arguments: Any) -> OpenAISendRecordsOperator:
    given: Row = {"task_id": "ask", "endpoint": "create_response", "results": str(tmp_path), "body": ASK}
    return OpenAISendRecordsOperator(**given | {"records": RECORDS, "max_error_rate": 1.0} | arguments)


def test_a_body_that_the_api_would_refuse_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """The record is rejected with the field and the reason, the others are sent."""
    manifest = run(ask(tmp_path))
    assert ((3, 1, 2, 0), 1) == (counts(manifest), api_requests(sandbox))
    errors = [row["error"] for row in rows_of(manifest["quarantine"])]
    assert [("invalid_body", "max_output_tokens")] * 2 == [(error["code"], error["param"]) for error in errors]
    assert "max_output_tokens=8: should be greater than or equal to 16" == errors[0]["message"]


def test_warn_sends_it_and_tells(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The API then says itself what it thinks; the log counts the faults in the end."""
    caplog.set_level(logging.WARNING)
    manifest = run(ask(tmp_path, validate="warn"))
    assert ((3, 1, 2, 0), 3) == (counts(manifest), api_requests(sandbox))
    assert "faults of bodies that were sent: max_output_tokens greater_than_equal (1)" in caplog.text


def test_off_says_nothing(sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The body is the author's alone."""
    manifest = run(ask(tmp_path, validate="off"))
    assert ((3, 1, 2, 0), 3) == (counts(manifest), api_requests(sandbox))
    assert "faults of bodies" not in caplog.text


def test_a_server_that_is_not_openai_s_is_told_of_only(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bounds may be others; validate="strict" holds there, too."""
    monkeypatch.setenv("AIRFLOW_CONN_LOCAL", openai_connection(sandbox.base_url, extra={"server": "vllm"}))
    run(ask(tmp_path, conn_id="local"), run_id="default")
    assert 3 == api_requests(sandbox)
    run(ask(tmp_path, conn_id="local", validate="strict"), run_id="strict")
    assert 4 == api_requests(sandbox)


def test_an_estimate_tells_of_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """What would be rejected is known before anything is sent."""
    found = run(ask(tmp_path, estimate_only=True))
    assert ((3, 0, 2, 1), 0) == (counts(found), api_requests(sandbox))
    assert [("1", "invalid_body"), ("2", "invalid_body")] == [
        (record["key"], record["code"]) for record in found["first_rejected"]
    ]


# operators whose every request would be refused, and all that is told
ALL_ALIKE: dict[str, tuple[Any, Row, list[str]]] = {
    "embeddings": (
        OpenAIEmbeddingOperator,
        {"model": "text-embedding-3-small", "input": "{message.q}", "dimensions": -1, "user": "{{ 'a' }}"},
        ["create_embedding: dimensions=-1: should be greater than or equal to 1"],
    ),
    "responses, twice": (
        OpenAISendRecordsOperator,
        {"endpoint": "create_response", "body": {**ASK, "temperature": 3, "top_logprobs": 21}},
        ["temperature=3: should be less", "top_logprobs=21: should be less"],
    ),
    "images of a model that no rule knows": (
        OpenAICreateImageOperator,
        {"model": "gpt-image-9", "prompt": "{message.q}", "n": 11},
        ["create_image: n=11: should be less than or equal to 10"],
    ),
    "a model that is missing": (
        OpenAISendRecordsOperator,
        {"endpoint": "create_response", "body": {"input": "{message.q}"}},
        ["create_response needs 'model', which no record's body has"],
    ),
    "a request by hand, when it is to be strict": (
        OpenAIManualRequestOperator,
        {"url": "/responses", "body": {**ASK, "temperature": 3}, "validate": "strict"},
        ["POST /responses: temperature=3: should be less"],
    ),
}


@pytest.mark.parametrize("case", ALL_ALIKE)
def test_a_fault_of_all_records_fails_the_task_at_once(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """Nothing is sent, no record is rejected, and all faults are told."""
    kind, arguments, told = ALL_ALIKE[case]
    operator = kind(task_id="ask", results=str(tmp_path), records=[{"q": "a", "most": 64}], **arguments)
    ended = fail(operator, AirflowFailException, told[0])
    assert all(words in str(ended.error) for words in told)
    assert (0, {}) == (api_requests(sandbox), ended.xcom)


def test_a_request_by_hand_is_sent_as_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    """It may be meant so; the log tells of it."""
    body = {"model": "gpt-6-luna", "input": "a", "temperature": 3}
    operator = OpenAIManualRequestOperator(task_id="ask", url="/responses", body=body, results=str(tmp_path))
    assert 1 == counts(run(OpenAIManualRequestOperator(**_again(operator), max_error_rate=1.0)))[2]
    assert 1 == api_requests(sandbox)


def _again(operator: OpenAIManualRequestOperator) -> Row:
    return {"task_id": "ask", "url": operator.url, "body": operator.body, "results": operator.results}


def test_rules_of_images_are_part_of_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """A size that the model can't draw is refused when the Dag is parsed, and sent when validation is off."""
    arguments: Row = {"task_id": "draw", "model": "gpt-image-2", "prompt": "a", "size": "17x17"}
    with pytest.raises(ConfigurationError, match="17x17"):
        OpenAICreateImageOperator(**arguments)
    run(OpenAICreateImageOperator(**arguments, validate="off", results=str(tmp_path), max_error_rate=1.0))
    assert 1 == api_requests(sandbox)


# -- arguments ---------------------------------------------------------------------------------------


def test_a_required_field_that_no_body_has_is_told_when_the_dag_is_parsed() -> None:
    """Whatever the records hold, the API would refuse every request; null is as good as missing."""
    with pytest.raises(ConfigurationError, match="create_speech needs 'input' and 'voice'"):
        OpenAISendRecordsOperator(task_id="a", endpoint="create_speech", body={"model": "tts-1", "voice": None})


def test_all_wrong_arguments_are_told_at_once() -> None:
    """An author mends them in one go."""
    with pytest.raises(ConfigurationError) as caught:
        OpenAISendRecordsOperator(
            task_id="a",
            endpoint="create_speech",
            concurrency=0,
            resume="perhaps",
            max_wait=-1,
            records=[],
            source="x",
            extract={"a": "b..c"},
            key="a..b",
            body={"voice": "alloy"},
            batch_size=5,
        )
    told = "; ".join(caught.value.faults)
    assert 8 == len(caught.value.faults), told
    for word in ("batch_size", "resume", "concurrency", "max_wait", "records or source", "extract", "'input'"):
        assert word in told


def test_all_wrong_arguments_of_a_named_operator_are_told_at_once() -> None:
    """Those of its own as well as those that it takes over."""
    with pytest.raises(ConfigurationError) as caught:
        OpenAIEmbeddingOperator(task_id="a", long_input="eat", chunk_overlap=3, concurrency=0, missing="x")
    assert 4 <= len(caught.value.faults)


def test_all_wrong_arguments_of_an_upload_are_told_at_once() -> None:
    """Those of the files, of their parts and of the delivery."""
    with pytest.raises(ConfigurationError) as caught:
        OpenAIUploadFileOperator(
            task_id="a", records=[{"uri": "x"}], purpose="fun", file="{message.uri}", part_size=0, resume="perhaps"
        )
    assert 4 == len(caught.value.faults), caught.value


# a keyword that there is not, and where that goes
HINTS: dict[str, tuple[Any, Row, str]] = {
    "a field": (OpenAISendRecordsOperator, {"endpoint": "create_response", "temperature": 1}, "fields={'temperature'"),
    "a field by hand": (OpenAIManualRequestOperator, {"url": "/responses", "temperature": 1}, "fields={'temperature'"),
    "a field of a named operator": (OpenAIEmbeddingOperator, {"encoding_format": "float"}, "body={'encoding_format'"),
    "of another provider": (OpenAIEmbeddingOperator, {"openai_conn_id": "x"}, "write conn_id"),
    "the size of packs": (OpenAIEmbeddingOperator, {"batch_size": 10}, "packed up to the endpoint's own limits"),
    "a misspelt one": (OpenAIEmbeddingOperator, {"recods": []}, "did you mean 'records'"),
}


@pytest.mark.parametrize("case", HINTS)
def test_a_foreign_keyword_is_told_where_it_goes(case: str) -> None:
    """A field of the request, a word of another provider, a slip of the finger."""
    kind, arguments, words = HINTS[case]
    with pytest.raises(ConfigurationError) as caught:
        kind(task_id="a", **arguments)
    assert words in str(caught.value)
