"""What bad input gets, row by row of the promise: one fault is told, the other records go on, nothing is lost."""

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
from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException, AirflowSkipException
from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sources.field_path import FieldPath
from tests.airflow.operator_context import (
    ASK,
    EMBED,
    Row,
    api_requests,
    attempt,
    counts,
    fail,
    file_content,
    openai_connection,
    recording_server,
    refuse,
    requests_to,
    rows_of,
    run,
)

FINE = [{"q": "Which planet is red?"}, {"q": "What boils water?"}, {"q": "Who wrote Faust?"}]


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    return OpenAIManualRequestOperator(**{"task_id": "ask", "results": str(tmp_path / "results")} | ASK | arguments)


def embed(tmp_path: Path, **arguments: Any) -> OpenAIEmbeddingOperator:
    return OpenAIEmbeddingOperator(
        **{"task_id": "embed", "input": "{message.q}", "results": str(tmp_path / "results")} | EMBED | arguments
    )


def upload(tmp_path: Path, **arguments: Any) -> OpenAIUploadFileOperator:
    return OpenAIUploadFileOperator(
        **{"task_id": "upload", "purpose": "user_data", "results": str(tmp_path / "results")} | arguments
    )


# -- the connection ----------------------------------------------------------------------------------


def test_every_fault_of_a_connection_is_told_at_once(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without a key, with a broken base URL, number and header fails with one error naming all four."""
    extra = {"concurrency": "many", "default_headers": {"Host": "x"}}
    broken = {"conn_type": "openai_dest", "host": "ftp://x", "password": "", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps(broken))
    message = str(fail(ask(tmp_path, conn_id="broken", records=FINE), AirflowFailException, "'broken'").error)
    for name in ("API key", "Base URL", "Requests at once", "Headers"):
        assert name in message
    assert 0 == api_requests(sandbox)


def test_an_extra_that_is_no_json_is_named(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed extra fails the task, and never counts as an empty one."""
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", openai_connection(sandbox.base_url, extra="{concurrency: 1"))
    fail(ask(tmp_path, conn_id="broken", records=FINE), AirflowFailException, "Extra")
    assert 0 == api_requests(sandbox)


def test_a_connection_that_is_not_there_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """The id of a missing connection stands in the error."""
    ended = attempt(ask(tmp_path, conn_id="no_such_connection", records=FINE))
    assert "no_such_connection" in str(ended.error)


# -- when the Dag is parsed --------------------------------------------------------------------------

UNKNOWN: dict[str, tuple[Row, str]] = {
    "an endpoint": ({"endpoint": "create_embeding"}, "'create_embedding'"),
    "an endpoint beside a Jinja body": (
        {"endpoint": "create_embeding", "body": {"input": "{{ var.value.text }}"}},
        "'create_embedding'",
    ),
    "a retired endpoint": ({"endpoint": "create_image_variation"}, "create_image_edit"),
    "a keyword": ({"endpoint": "create_embedding", "recrods": []}, "'records'"),
    "two keywords": ({"endpoint": "create_embedding", "recrods": [], "conn": "x"}, "'conn'"),
    "a word for missing": ({"endpoint": "create_embedding", "missing": "omitt"}, "'omit'"),
    "a word for resume": ({"endpoint": "create_embedding", "resume": "nevr"}, "'never'"),
    "a word for on_unknown": ({"endpoint": "create_embedding", "on_unknown": "quarantin"}, "'quarantine'"),
    "a format": ({"endpoint": "create_embedding", "source_format": "jsnl"}, "'jsonl'"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_word_is_told_with_the_nearest_when_the_dag_is_parsed(case: str) -> None:
    """Unknown names are refused by the constructor, which says what may be meant."""
    arguments, nearest = UNKNOWN[case]
    with pytest.raises(ConfigurationError, match=nearest):
        OpenAISendRecordsOperator(task_id="send", **arguments)


OUT_OF_BOUNDS: dict[str, Row] = {
    "max_error_rate=1.5": {"max_error_rate": 1.5},
    "max_error_rate=-0.1": {"max_error_rate": -0.1},
    "max_errors=-1": {"max_errors": -1},
    "webhook_batch_size=0": {"webhook_batch_size": 0},
    "concurrency=0": {"concurrency": 0},
    "concurrency=-1": {"concurrency": -1},
    "requests_per_minute=-1": {"requests_per_minute": -1},
    "tokens_per_minute=0": {"tokens_per_minute": 0},
    "ambiguous_retries=-1": {"ambiguous_retries": -1},
    "max_xcom_bytes=-1": {"max_xcom_bytes": -1},
    "records or source": {"records": [], "source": "/x"},
}


@pytest.mark.parametrize("words", OUT_OF_BOUNDS)
def test_a_number_out_of_its_bounds_is_told_when_the_dag_is_parsed(words: str) -> None:
    """Numbers that make no sense are refused by the constructor, by name and value."""
    with pytest.raises(ConfigurationError, match=words):
        OpenAISendRecordsOperator(task_id="send", endpoint="create_embedding", **OUT_OF_BOUNDS[words])


BROKEN_TEMPLATES: dict[str, tuple[Any, str]] = {
    "no end": ({"input": "{message.text"}, r"body\.input, column 0"),
    "in a longer text": ({"input": "Say: {message.a..b}"}, r"body\.input, column 5"),
    "deep inside": ({"messages": [{"content": "{message.}"}]}, r"body\.messages\[0\]\.content, column 0"),
    "in JSON text": ('{"input": "{message.[}"}', r"body\.input, column 0"),
    "no JSON": ('{"input": {message.text}}', "body, line 1, column"),
    "no JSON value": ({"input": {1, 2}}, r"body\.input: .*a set"),
}


@pytest.mark.parametrize("case", BROKEN_TEMPLATES)
def test_a_broken_body_is_told_with_its_place_when_the_dag_is_parsed(case: str) -> None:
    """A syntax error in a placeholder, or a body that is not JSON, is refused by the constructor with the place."""
    body, place = BROKEN_TEMPLATES[case]
    with pytest.raises(InvalidTemplateError, match=place):
        OpenAISendRecordsOperator(task_id="send", endpoint="create_response", body=body)


@pytest.mark.parametrize("name", ["line", "filename", "file_per"])
def test_a_broken_template_of_an_upload_is_told_when_the_dag_is_parsed(tmp_path: Path, name: str) -> None:
    """So is one in the templates of a file."""
    with pytest.raises(InvalidTemplateError, match=f"{name}, column 2"):
        upload(tmp_path, records=FINE, **{name: "x-{message.a..b}"})


@pytest.mark.parametrize("name", ["line", "filename", "file_per"])
def test_a_broken_template_of_an_upload_sends_nothing(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """At the latest when the task runs it fails without a retry, before anything is sent."""
    refuse(lambda: upload(tmp_path, records=FINE, **{name: "x-{message.a..b}"}), "column 2")
    assert 0 == api_requests(sandbox)


def test_a_broken_body_behind_jinja_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A body that Jinja fills is checked when the task runs: it fails without a retry, before anything is sent."""
    operator = ask(tmp_path, records=FINE, body={"model": "gpt-6-luna", "input": "{{ ti.task_id }} {message.}"})
    fail(operator, AirflowFailException, "body.input, column 4")
    assert 0 == api_requests(sandbox)


# -- one bad record ----------------------------------------------------------------------------------


def test_a_record_without_the_field_is_rejected_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """The others go on, and the quarantine holds the record with the name of the field."""
    manifest = run(ask(tmp_path, records=[*FINE, {"p": 1}], max_errors=1))
    assert ((4, 3, 1, 0), 3) == (counts(manifest), requests_to(sandbox))
    (row,) = rows_of(manifest["quarantine"])
    assert ("missing_field", {"p": 1}) == (row["error"]["code"], row["record"])
    assert "'q'" in row["error"]["message"]
    assert "body.input" in row["error"]["message"]


# a file's name and content, and the line that is named
BROKEN_FILES: dict[str, tuple[bytes, str]] = {
    "in.jsonl": (b'{"q": "one"}\n{"q": \n{"q": "three"}\n', "line 2"),
    "utf8.jsonl": (b'{"q": "one"}\n{"q": "\xff\xfe"}\n{"q": "three"}\n', "line 2"),
    "nan.jsonl": (b'{"q": "one"}\n{"q": NaN}\n{"q": "three"}\n', "line 2"),
    "deep.jsonl": (b'{"q": "one"}\n' + b'{"q": ' + b"[" * 100_000 + b'\n{"q": "three"}\n', "line 2"),
    "in.csv": (b"q,b\none,1\ntwo\nthree,3\n", "line 3"),
    "utf8.csv": (b"q,b\none,1\n\xff,2\nthree,3\n", "line 3"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_line_is_rejected_with_file_and_line(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """The others of the file go on."""
    content, line = BROKEN_FILES[name]
    (tmp_path / name).write_bytes(content)
    manifest = run(embed(tmp_path, source=f"{tmp_path}/{name}", max_errors=1))
    assert (3, 2, 1, 0) == counts(manifest)
    assert f"{tmp_path}/{name} {line}" in manifest["rejections"][0]["first_message"]


@pytest.mark.parametrize("depth", [100, 400, 900, 1000, 2000, 20_000])
def test_a_deep_value_is_carried_exactly_or_rejected(sandbox: Sandbox, tmp_path: Path, depth: int) -> None:
    """However deep a record of a file is nested, it is sent as it is or rejected, and the others go on."""
    deep = '{"q":' + "[" * depth + "]" * depth + "}"
    (tmp_path / "in.jsonl").write_text(f'{{"q":"one"}}\n{deep}\n{{"q":"three"}}\n')
    manifest = run(upload(tmp_path, source=f"{tmp_path}/in.jsonl", max_errors=1))
    assert 3 == manifest["input"]
    file_id = next(row["answer"]["id"] for row in rows_of(manifest["results"]) if row["answer"])
    lines = file_content(sandbox, file_id).decode().splitlines()
    assert ['{"q":"one"}', *[deep] * (manifest["delivered"] - 2), '{"q":"three"}'] == lines


DEEP: Any = "end"
for _ in range(1000):
    DEEP = [DEEP]

# values of a record, and whether they can be carried; what can't is rejected
STRANGE: dict[str, tuple[Any, bool]] = {
    "bytes": (b"\xff\xfe", False),
    "NaN": (float("nan"), False),
    "infinity": (float("-inf"), False),
    "a lone surrogate": ("\ud800", False),
    "a set": ({1}, False),
    "10 MB": ("ü" * 5_000_000, True),
    "2 to the 70th": (2**70, True),
    "a small fraction": (5e-324, True),
    "17 digits": (0.1 + 0.2, True),
    "an empty text": ("", True),
    "control characters": ("\0\x01\x1f\x7f\u2028\r\n\t", True),
    "letters and marks": ("é e\u0301 \u202e 👩\u200d🚀 \ufeff", True),
    "nothing": (None, True),
    "Jinja": ("{{ 7*7 }}{% raw %}{# #}", True),
    "placeholders": ("{message.json} {record.q} \\{message.q} {q} {{", True),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_value_is_carried_exactly_or_rejected(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """It never crashes the task, is never silently changed, and never stops the others."""
    value, is_carried = STRANGE[case]
    manifest = run(upload(tmp_path, records=[{"v": "one"}, {"v": value}, {"v": "three"}], max_errors=1))
    assert ((3, 3, 0, 0) if is_carried else (3, 2, 1, 0)) == counts(manifest)
    file_id = next(row["answer"]["id"] for row in rows_of(manifest["results"]) if row["answer"])
    values = [json.loads(line)["v"] for line in file_content(sandbox, file_id).splitlines()]
    assert (["one", value, "three"] if is_carried else ["one", "three"]) == values


@pytest.mark.parametrize("case", [case for case, (_, is_carried) in STRANGE.items() if not is_carried])
def test_a_value_that_can_not_be_carried_is_kept_for_people(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """The quarantine says what the record was, as far as that can be shown, in a row that can be read."""
    manifest = run(
        ask(tmp_path, records=[{"q": "one"}, {"q": STRANGE[case][0]}], body="{message.json}", max_error_rate=1.0)
    )
    row = next(row for row in rows_of(manifest["quarantine"]) if row["key"] == "1")
    assert (None, "unserializable") == (row["record"], row["error"]["code"])
    assert row["record_repr"].startswith(("{'q': ", "a dict"))


def test_a_strange_value_arrives_in_a_body_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be carried stands in the JSON body as it was."""
    values = [value for value, is_carried in STRANGE.values() if is_carried]
    with recording_server() as (root, seen):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        body = {"lone": "{message.v}", "whole": "{message.json}"}
        records = [{"v": value} for value in values]
        manifest = run(ask(tmp_path, conn_id="recorder", url="/x", body=body, records=records, concurrency=1))
    assert (len(values), len(values), 0, 0) == counts(manifest)
    sent = [json.loads(one.body) for one in seen]
    assert values == [one["lone"] for one in sent]
    assert [{"v": value} for value in values] == [one["whole"] for one in sent]


# -- an empty data set -------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [[], (), "[]", "{{ [] }}"], ids=repr)
def test_an_empty_data_set_succeeds(sandbox: Sandbox, tmp_path: Path, records: Any) -> None:
    """No records: success with zero counts, and nothing is sent."""
    assert ((0, 0, 0, 0), 0) == (counts(run(ask(tmp_path, records=records))), api_requests(sandbox))


def test_an_empty_data_set_can_skip_the_task(sandbox: Sandbox, tmp_path: Path) -> None:
    """skip_on_empty=True skips the task, so that what depends on it is skipped as well."""
    fail(ask(tmp_path, records=[], skip_on_empty=True), AirflowSkipException)


def test_empty_files_are_an_empty_data_set(sandbox: Sandbox, tmp_path: Path) -> None:
    """A pattern without a match and files without a line are both empty."""
    for name in ("a.jsonl", "b.csv"):
        (tmp_path / name).write_text("")
    for pattern in ("?.jsonl", "?.csv", "*.none"):
        assert (0, 0, 0, 0) == counts(run(ask(tmp_path, source=f"{tmp_path}/{pattern}"), run_id=pattern))


# -- what the API refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refusal_rejects_its_record_with_the_words_of_the_api(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    """Message, code, status and request id are kept; the other records are delivered."""
    sandbox.set_faults(f"status={status},match=planet,message=No planets.,code=no_planets")
    manifest = run(ask(tmp_path, records=FINE, max_errors=1))
    assert ((3, 2, 1, 0), 3) == (counts(manifest), requests_to(sandbox))
    (row,) = rows_of(manifest["quarantine"])
    assert ("no_planets", "No planets.", status) == (
        row["error"]["code"],
        row["error"]["message"],
        row["error"]["status"],
    )
    assert row["request_id"].startswith("req_")


def test_a_refusal_names_the_field_that_the_api_blames(sandbox: Sandbox, tmp_path: Path) -> None:
    """Param stands in the error of the row."""
    body = {"model": "gpt-6-luna", "input": "{message.q}", "temperature": "{message.t}"}
    manifest = run(ask(tmp_path, records=[{"q": "a", "t": 9}, {"q": "a", "t": 1}], body=body, max_errors=1))
    (row,) = rows_of(manifest["quarantine"])
    assert ((2, 1, 1, 0), "temperature") == (counts(manifest), row["error"]["param"])


STOPS = {
    "a wrong key": ("status=401", "invalid_api_key"),
    "a key refused in other words": ("status=401,code=no_such_word", "no_such_word"),
    "a project refused in other words": ("status=403,code=no_such_word", "no_such_word"),
    "a region": ("status=403", "unsupported_country_region_territory"),
    "a quota": ("status=429,code=insufficient_quota", "insufficient_quota"),
    "no credit": ("status=429,code=credit_balance_exhausted", "credit_balance_exhausted"),
    "a spending limit": ("status=429,code=project_spend_limit_exceeded", "project_spend_limit_exceeded"),
    "a hard limit": ("status=400,code=billing_hard_limit_reached", "billing_hard_limit_reached"),
}


@pytest.mark.parametrize("case", STOPS)
def test_a_refused_account_stops_at_once(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """The task fails without a retry, no more than what was on the wire follows, the rest is pending."""
    rule, code = STOPS[case]
    sandbox.set_faults(rule)
    ended = fail(ask(tmp_path, records=FINE * 50, concurrency=4), AirflowFailException, code)
    assert (150, 0, 0, 150) == counts(ended.xcom)
    assert requests_to(sandbox) <= 4


@pytest.mark.parametrize("case", STOPS)
def test_an_account_refused_on_the_way_keeps_what_was_delivered(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """What was answered before is kept, and at most `concurrency` requests follow the refusal."""
    rule, code = STOPS[case]
    sandbox.set_faults(f"{rule},after=20", "slow=0.01")
    ended = fail(ask(tmp_path, records=FINE * 50, concurrency=4), AirflowFailException, code)
    delivered = ended.xcom["delivered"]
    assert (150, delivered, 0, 150 - delivered) == counts(ended.xcom)
    assert 20 == delivered == len(rows_of(ended.xcom["results"]))
    assert requests_to(sandbox) <= 20 + 4


def test_a_packed_request_that_is_refused_for_the_account_is_not_halved(sandbox: Sandbox, tmp_path: Path) -> None:
    """A quota is not the fault of a record: the whole pack stays pending after one request."""
    sandbox.set_faults("status=429,code=insufficient_quota")
    ended = fail(embed(tmp_path, records=FINE), AirflowFailException, "insufficient_quota")
    assert ((3, 0, 0, 3), 1) == (counts(ended.xcom), api_requests(sandbox))


# faults of the answer to one of three records, and the code of its rejection
BROKEN_ANSWERS = {"html200": "bad_answer", "half_json": "bad_answer", "bad_utf8": "bad_answer", "nan": "bad_answer"}


@pytest.mark.parametrize("fault", BROKEN_ANSWERS)
def test_an_answer_that_can_not_be_read_is_never_a_delivery(sandbox: Sandbox, tmp_path: Path, fault: str) -> None:
    """A 200 that is no whole JSON rejects its record, with the reason."""
    sandbox.set_faults(f"{fault},match=planet")
    manifest = run(ask(tmp_path, records=FINE, max_errors=1))
    assert ((3, 2, 1, 0), BROKEN_ANSWERS[fault]) == (counts(manifest), manifest["rejections"][0]["code"])


@pytest.mark.parametrize("fault", ["wrong_count", "wrong_index", "html200", "half_json"])
def test_a_packed_answer_that_does_not_fit_rejects_its_records(sandbox: Sandbox, tmp_path: Path, fault: str) -> None:
    """When vectors can't be told apart for certain, none of the pack is delivered; the other packs are."""
    sandbox.set_faults(f"{fault},match=planet")
    records = [record | {"d": 4 + number} for number, record in enumerate(FINE)]  # a pack each
    manifest = run(embed(tmp_path, records=records, dimensions="{message.d}", max_errors=1))
    assert ((3, 2, 1, 0), "bad_answer") == (counts(manifest), manifest["rejections"][0]["code"])


def test_an_answer_cut_off_on_the_way_is_asked_for_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """A connection that breaks in the middle of an answer costs one more request, and says that it may be billed."""
    sandbox.set_faults("truncated,match=planet,times=1")
    manifest = run(ask(tmp_path, records=FINE))
    assert ((3, 3, 0, 0), 4, 1) == (counts(manifest), requests_to(sandbox), manifest["maybe_billed"])


# what on_unknown= says, and the counts when the answers of one record are lost for good
UNKNOWN_FATES: dict[str, tuple[int, int, int, int]] = {"resend": (3, 2, 0, 1), "quarantine": (3, 2, 1, 0)}


@pytest.mark.parametrize("on_unknown", UNKNOWN_FATES)
def test_a_record_of_unknown_fate_gets_what_was_said(sandbox: Sandbox, tmp_path: Path, on_unknown: Any) -> None:
    """A record whose answer was lost for good is left for the next try, or quarantined."""
    sandbox.set_faults("reset_after_work,match=planet")
    ended = attempt(ask(tmp_path, records=FINE, on_unknown=on_unknown, ambiguous_retries=0, max_errors=1))
    assert (UNKNOWN_FATES[on_unknown], 1) == (counts(ended.xcom), ended.xcom["maybe_billed"])
    assert ("TransientError" if on_unknown == "resend" else "NoneType") == type(ended.error).__name__


LONG = "Tell me everything. " * 50

# endpoint -> body, the way to what the answer says of its failure, and that
CUT_OFF: dict[str, tuple[dict[str, Any], str, str]] = {
    "create_response": ({"input": "{message.q}", "max_output_tokens": 16}, "status", "incomplete"),
    "create_chat_completion": (
        {"messages": [{"role": "user", "content": "{message.q}"}], "max_completion_tokens": 16},
        "choices[0].finish_reason",
        "length",
    ),
}


@pytest.mark.parametrize("endpoint", CUT_OFF)
def test_an_answer_that_says_it_failed_is_no_delivery(sandbox: Sandbox, tmp_path: Path, endpoint: str) -> None:
    """An answer that was cut off is rejected, and kept in the results as far as it goes; quarantine has the reason."""
    body, path, word = CUT_OFF[endpoint]
    operator = OpenAISendRecordsOperator(
        task_id="send",
        endpoint=endpoint,
        body={"model": "gpt-6-luna"} | body,
        records=[{"q": LONG}],
        results=str(tmp_path),
        max_error_rate=1.0,
    )
    manifest = run(operator)
    (row,) = rows_of(manifest["results"])
    (refused,) = rows_of(manifest["quarantine"])
    assert ((1, 0, 1, 0), word) == (counts(manifest), FieldPath.parse(path).find(row["answer"]))
    assert ({"q": LONG}, "failed_answer", True) == (
        refused["record"],
        refused["error"]["code"],
        word in refused["error"]["message"],
    )
