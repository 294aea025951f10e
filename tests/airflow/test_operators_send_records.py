"""OpenAISendRecordsOperator: any endpoint by name or of one's own, with any connection and any place for results."""

from __future__ import annotations

import gzip
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import EndpointTemplate, OpenAISendRecordsOperator, Packing, decode_embedding
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from airflow_provider_openai_dest.sources.record import Record
from tests.airflow.operator_context import (
    EMBED,
    KEY,
    Row,
    attempt,
    counts,
    fail,
    inbox_items,
    openai_connection,
    recording_server,
    refuse,
    requests_to,
    rows_of,
    run,
)

COMMENTS = [{"id": 1, "comment": "What a lovely kettle."}, {"id": 2, "comment": "Too loud."}]
MODERATE: Row = {"endpoint": "create_moderation", "body": {"input": "{message.comment}"}}


def send(tmp_path: Path, **arguments: Any) -> OpenAISendRecordsOperator:
    return OpenAISendRecordsOperator(**{"task_id": "send", "results": str(tmp_path / "results")} | MODERATE | arguments)


# -- endpoints ---------------------------------------------------------------------------------------

# an endpoint's name, and its fields
ENDPOINTS: dict[str, Row] = {
    "create_moderation": {"input": "{message.comment}"},
    "create_response": {"model": "gpt-6-luna", "input": "{message.comment}"},
    "create_chat_completion": {
        "model": "gpt-6-luna",
        "messages": [{"role": "user", "content": "{message.comment}"}],
    },
    "create_embedding": {"model": "text-embedding-3-small", "input": "{message.comment}", "dimensions": 8},
    "create_image": {"model": "gpt-image-2", "prompt": "{message.comment}", "size": "64x48"},
    "create_speech": {"model": "tts-1", "voice": "alloy", "input": "{message.comment}", "response_format": "wav"},
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_endpoint_is_taken_by_its_name(sandbox: Sandbox, tmp_path: Path, endpoint: str) -> None:
    """Each endpoint that is named delivers every record, whether its fields stand in body= or in fields=."""
    for place in ("body", "fields"):
        arguments = {"body": None, "endpoint": endpoint, "records": COMMENTS, "key": "id"} | {
            place: ENDPOINTS[endpoint]
        }
        manifest = run(send(tmp_path, **arguments), run_id=place)
        assert ((2, 2, 0, 0), endpoint) == (counts(manifest), manifest["endpoint"])


# an endpoint's name, what is extracted of its answers, and whether a value is what it should be
EXTRACTED: dict[str, tuple[Row, Any]] = {
    "create_response": ({"text": "output[0].content[0].text"}, lambda text: text.startswith("Sandbox answer")),
    "create_embedding": ({"vector": "embedding"}, lambda vector: 8 == len(decode_embedding(vector))),
    "create_image": ({"path": "data[0].path"}, lambda path: Path(path).is_file()),
    "create_speech": ({"path": "path"}, lambda path: Path(path).is_file()),
    "create_moderation": ({"flagged": "results[0].flagged"}, lambda flagged: flagged is False),
}


@pytest.mark.parametrize("endpoint", EXTRACTED)
def test_fields_of_the_answer_are_kept_in_its_place(sandbox: Sandbox, tmp_path: Path, endpoint: str) -> None:
    """In rows, in XCom and for the webhook; usage and request id stand beside them as ever."""
    extract, is_right = EXTRACTED[endpoint]
    extract = {**extract, "none": "no.such[0].field"}
    manifest = run(
        send(
            tmp_path,
            body=ENDPOINTS[endpoint],
            endpoint=endpoint,
            records=COMMENTS,
            key="id",
            extract=extract,
            webhook_conn_id="openai_dest_webhook_default",
        )
    )
    (name, _), rows = extract, rows_of(manifest["results"])
    assert ((2, 2, 0, 0), 2) == (counts(manifest), manifest["webhook"]["delivered"])
    for row, outcome in zip(rows, manifest["outcomes"], strict=True):
        assert {name, "none"} == set(row["answer"])
        assert is_right(row["answer"][name])
        assert (None, True) == (row["answer"]["none"], row["request_id"].startswith("req_"))
        assert row["answer"] == outcome["answer"]
    assert sorted(row["answer"][name] for row in rows) == sorted(
        item["data"]["answer"][name] for item in inbox_items(sandbox)
    )


def test_an_answer_without_any_of_the_fields_is_rejected_and_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """A path that is wrong is seen, and what was paid for is there."""
    operator = send(tmp_path, records=COMMENTS, extract={"vector": "data[0].embedding"}, max_error_rate=1.0)
    manifest = run(operator)
    assert ((2, 0, 2, 0), "missing_answer_field") == (counts(manifest), manifest["rejections"][0]["code"])
    assert all(row["answer"]["results"] for row in rows_of(manifest["results"]))


@pytest.mark.parametrize("extract", [{"a": "b["}, {}, {"a": 1}], ids=repr)
def test_a_path_that_can_not_be_read_is_told_when_the_dag_is_parsed(tmp_path: Path, extract: Any) -> None:
    """The constructor says what and where."""
    with pytest.raises(ConfigurationError, match="extract: "):
        send(tmp_path, records=COMMENTS, extract=extract)


def test_an_endpoint_can_be_declared_in_the_dag_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template of one's own says what is required, what is set by default, and how records are packed."""
    template = EndpointTemplate(
        name="rank",
        path="/rank",
        required=("texts",),
        defaults={"depth": 3},
        packing=Packing(request_field="texts", response_items="ranks", max_records=2, max_tokens=1000),
    )

    def answer(request: Any) -> tuple[int, str, bytes]:
        ranks = [{"index": index, "rank": len(text)} for index, text in enumerate(json.loads(request.body)["texts"])]
        return 200, "application/json", json.dumps({"ranks": ranks}).encode()

    records = [{"t": "x" * length} for length in (5, 1, 4)]
    with recording_server(answer) as (root, seen):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        manifest = run(
            send(tmp_path, conn_id="recorder", endpoint=template, body={"texts": "{message.t}"}, records=records)
        )
    assert [5, 1, 4] == [outcome["answer"]["rank"] for outcome in manifest["outcomes"]]
    assert {(2, 3), (1, 3)} == {(len(body["texts"]), body["depth"]) for body in (json.loads(one.body) for one in seen)}


def test_fields_are_set_on_top_of_the_body(sandbox: Sandbox, tmp_path: Path) -> None:
    """fields= win over the body of the same name."""
    fields = {"model": "text-embedding-3-small", "dimensions": 4}
    manifest = run(
        send(
            tmp_path,
            endpoint="create_embedding",
            records=[{"model": "no-such-model", "input": "hello"}],
            body="{message.json}",
            fields=fields,
        )
    )
    assert (1, 1, 0, 0) == counts(manifest)


def test_a_required_field_that_is_missing_costs_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record without a field that the endpoint requires is rejected before it is sent."""
    manifest = run(send(tmp_path, endpoint="create_response", body=None, records=[{"input": "a"}], max_error_rate=1.0))
    assert ("missing_required_parameter", 0) == (manifest["rejections"][0]["code"], requests_to(sandbox))


# what missing= says, and the body that is sent for a record without the field
MISSING: dict[str, Row] = {"null": {"a": None, "b": " and ", "c": 1}, "omit": {"c": 1}}


@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_field_is_sent_as_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: Any) -> None:
    """missing="null" sends null, and "omit" leaves the field out."""
    endpoint = EndpointTemplate(name="x", path="/x")
    with recording_server() as (root, seen):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        body = {"a": "{message.a}", "b": "{message.b} and {message.c}", "c": 1}
        run(send(tmp_path, conn_id="recorder", endpoint=endpoint, body=body, records=[{}], missing=missing))
    assert MISSING[missing] == json.loads(seen[0].body)


# -- sources -----------------------------------------------------------------------------------------

LINES = b'{"id": 1, "comment": "one"}\n{"id": 2, "comment": "two"}\n'
FILES: dict[str, bytes] = {
    "in.jsonl": LINES,
    "in.ndjson": LINES,
    "in.jsonl.gz": gzip.compress(LINES),
    "in.json": b'[{"id": 1, "comment": "one"}, {"id": 2, "comment": "two"}]',
    "in.json.gz": gzip.compress(b'[{"id": 1, "comment": "one"}, {"id": 2, "comment": "two"}]'),
    "in.csv": b"id,comment\n1,one\n2,two\n",
    "in.csv.gz": gzip.compress(b"id,comment\n1,one\n2,two\n"),
    "in.tsv": b"id\tcomment\n1\tone\n2\ttwo\n",
}


@pytest.mark.parametrize("name", FILES)
def test_records_are_read_from_files(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Each format, plain or gzipped, gives the same records, by a path as by a URI."""
    (tmp_path / name).write_bytes(FILES[name])
    for source in (f"{tmp_path}/{name}", f"file://{tmp_path}/{name}"):
        manifest = run(send(tmp_path, source=source, key="id"), run_id=source[:4])
        assert [("1", "one"), ("2", "two")] == [
            (row["key"], row["record"]["comment"]) for row in rows_of(manifest["results"])
        ]


def test_patterns_read_many_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """A glob reads all files that it finds, in the order of their names."""
    for number in (2, 1, 3):
        (tmp_path / f"part-{number}.jsonl").write_text(json.dumps({"comment": f"number {number}"}) + "\n")
    manifest = run(send(tmp_path, source=f"{tmp_path}/part-*.jsonl"))
    assert ["number 1", "number 2", "number 3"] == [row["record"]["comment"] for row in rows_of(manifest["results"])]


def test_a_format_can_be_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """source_format= says what the extension does not."""
    (tmp_path / "in.log").write_bytes(LINES)
    assert (2, 2, 0, 0) == counts(run(send(tmp_path, source=f"{tmp_path}/in.log", source_format="jsonl")))


def test_a_source_can_be_an_object(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever gives records can be a source."""

    class Squares:
        def __iter__(self) -> Iterator[Record]:
            for number in range(3):
                yield Record(key=f"n{number}", position=number, data={"comment": str(number * number)})

        def fingerprint(self) -> str:
            return "squares"

    manifest = run(send(tmp_path, source=Squares()))
    assert ["n0", "n1", "n2"] == [outcome["key"] for outcome in manifest["outcomes"]]


@pytest.mark.parametrize("source", [["/in/a.jsonl", "/in/b.jsonl"], 7, {"path": "/in/a.jsonl"}], ids=repr)
def test_what_is_no_source_is_told(sandbox: Sandbox, tmp_path: Path, source: Any) -> None:
    """A source that is neither a path nor an object that gives records fails without a retry, at the latest at run."""
    refuse(lambda: send(tmp_path, source=source), "source")


def test_a_source_that_breaks_keeps_what_was_read(sandbox: Sandbox, tmp_path: Path) -> None:
    """A source that fails in its middle lets Airflow retry; what was read before is sent and kept."""

    class Breaking:
        def __iter__(self) -> Iterator[Record]:
            yield Record(key="a", position=0, data={"comment": "one"})
            raise OSError("the disk is gone")

        def fingerprint(self) -> str:
            return "breaking"

    ended = attempt(send(tmp_path, source=Breaking()))
    assert ("TransientError", 1) == (type(ended.error).__name__, ended.xcom["delivered"])
    assert "the disk is gone" in str(ended.error)


def test_a_quarantine_file_sends_its_records_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was rejected is itself a source: just these records, with their own keys."""
    sandbox.set_faults("status=400,match=Too loud")
    first = run(send(tmp_path, records=COMMENTS, key="id", max_errors=1))
    sandbox.set_faults()
    again = run(send(tmp_path, task_id="again", source=first["quarantine"]))
    assert ((2, 1, 1, 0), (1, 1, 0, 0)) == (counts(first), counts(again))
    assert [("2", COMMENTS[1])] == [(row["key"], row["record"]) for row in rows_of(again["results"])]


# -- connections -------------------------------------------------------------------------------------


def test_a_connection_of_the_official_provider_works(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of the type openai is used as it is."""
    connection = {
        "conn_type": "openai",
        "password": KEY,
        "host": sandbox.base_url,
        "extra": {"openai_client_kwargs": {}},
    }
    monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEFAULT", json.dumps(connection))
    assert (2, 2, 0, 0) == counts(run(send(tmp_path, conn_id="openai_default", records=COMMENTS)))


def test_what_the_connection_says_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Organization, project and headers of the connection go with every request."""
    extra = {"organization": "org-1", "project": "proj_1", "default_headers": {"X-Team": "search"}}
    with recording_server() as (root, seen):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1", extra=extra))
        run(send(tmp_path, conn_id="recorder", records=COMMENTS))
    wanted = {
        "openai-organization": "org-1",
        "openai-project": "proj_1",
        "x-team": "search",
        "authorization": f"Bearer {KEY}",
    }
    assert [True, True] == [wanted.items() <= one.headers.items() for one in seen]


def test_at_most_so_many_requests_are_on_the_wire(sandbox: Sandbox, tmp_path: Path) -> None:
    """concurrency= bounds the requests at once."""
    sandbox.set_faults("slow=0.05")
    run(send(tmp_path, records=[{"comment": str(number)} for number in range(20)], concurrency=5))
    assert 5 == sandbox.stats()["most_in_flight"]


def test_a_rate_limit_that_is_given_is_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """requests_per_minute= spreads the requests: no more than a second's share at once."""
    operator = send(tmp_path, records=[{"comment": str(number)} for number in range(12)], requests_per_minute=600)
    assert 0.15 <= run(operator)["seconds"] <= 2


# -- results -----------------------------------------------------------------------------------------


def test_each_row_says_all_of_one_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """A row of the results has the record, its answer, request id, attempts and usage."""
    manifest = run(
        send(tmp_path, endpoint="create_response", body=ENDPOINTS["create_response"], records=COMMENTS, key="id")
    )
    for record, row in zip(COMMENTS, rows_of(manifest["results"]), strict=True):
        assert (str(record["id"]), record, "delivered", 200, 1) == (
            row["key"],
            row["record"],
            row["status"],
            row["http_status"],
            row["attempts"],
        )
        assert row["request_id"].startswith("req_")
        assert row["usage"]["total_tokens"] > 0


def test_records_can_be_left_out_of_the_results(sandbox: Sandbox, tmp_path: Path) -> None:
    """keep_records=False and quarantine_records=False write keys and answers, and no record."""
    sandbox.set_faults("status=400,match=Too loud")
    manifest = run(
        send(tmp_path, records=COMMENTS, key="id", max_errors=1, keep_records=False, quarantine_records=False)
    )
    rows = [*rows_of(manifest["results"]), *rows_of(manifest["quarantine"])]
    assert (["1", "2", "2"], False) == (sorted(row["key"] for row in rows), any("record" in row for row in rows))


def test_the_files_are_for_their_owner_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """Results and quarantine hold records, so no other user of the machine can read them, nor the claims."""
    run(send(tmp_path, records=[*COMMENTS, {}], max_errors=1))
    modes = {
        name: stat.S_IMODE(os.stat(tmp_path / "results" / name).st_mode)  # noqa: PTH116
        for name in os.listdir(tmp_path / "results")  # noqa: PTH208
        if name.endswith(".jsonl")
    }
    assert (3, {0o600}) == (len(modes), set(modes.values()))


def test_without_results_they_go_below_the_airflow_home(sandbox: Sandbox, tmp_path: Path, airflow_home: Path) -> None:
    """No paid answer is ever without a place: the default has folders for Dag, run and task."""
    manifest = run(send(tmp_path, records=COMMENTS, results=None), dag_id="d 1", run_id="r/1")
    folder = Path(manifest["results"]).parent
    assert (airflow_home / "openai_dest", "send") == (folder.parents[2], folder.name)
    assert 2 == len(rows_of(manifest["results"]))


def test_the_default_place_can_be_configured(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[openai_dest] results_path says where results go."""
    monkeypatch.setenv("AIRFLOW__OPENAI_DEST__RESULTS_PATH", f"{tmp_path}/lake")
    manifest = run(send(tmp_path, records=COMMENTS, results=None))
    assert manifest["results"].startswith(f"{tmp_path}/lake/delivery/")


def test_the_manifest_stands_beside_the_results(sandbox: Sandbox, tmp_path: Path) -> None:
    """The manifest that is returned is also a file of the results."""
    manifest = run(send(tmp_path, records=COMMENTS))
    (file,) = (tmp_path / "results").glob("manifest-*.json")
    assert manifest == json.loads(file.read_text())


def test_results_that_are_a_file_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """A results= that can never be a folder fails without a retry and says so."""
    (tmp_path / "results").write_text("a file")
    fail(send(tmp_path, records=COMMENTS), AirflowFailException, str(tmp_path / "results"))


def test_a_folder_that_can_not_be_written_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Results that have no place are told before anything is paid for."""
    (tmp_path / "results").write_text("a file")
    ended = attempt(send(tmp_path, records=COMMENTS))
    assert (True, 0) == (ended.error is not None, requests_to(sandbox, "POST /v1/moderations"))


# -- forwarding from the same task -------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3])
def test_outcomes_are_forwarded_by_the_task_that_has_them(sandbox: Sandbox, tmp_path: Path, batch_size: int) -> None:
    """With webhook_conn_id each outcome is forwarded, delivered or rejected, and the manifest counts the items."""
    manifest = run(
        send(
            tmp_path,
            endpoint="create_embedding",
            body=None,
            fields=EMBED | {"input": "{message.comment}"},
            records=[*COMMENTS, {"id": 3}],
            key="id",
            max_errors=1,
            webhook_conn_id="openai_dest_webhook_default",
            webhook_batch_size=batch_size,
        )
    )
    assert ((3, 2, 1, 0), (3, 3, 0, 0)) == (counts(manifest), counts(manifest["webhook"]))
    bodies = [body["data"] for body in inbox_items(sandbox)]
    items = [item for data in bodies for item in (data if isinstance(data, list) else [data])]
    assert {"1": "delivered", "2": "delivered", "3": "rejected"} == {item["key"]: item["status"] for item in items}
    assert {"send"} == {item["origin"]["task_id"] for item in items}


def test_an_unknown_webhook_connection_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A webhook that can't be read is told before OpenAI is paid for anything."""
    ended = attempt(send(tmp_path, records=COMMENTS, webhook_conn_id="no_such_connection"))
    assert (True, 0) == (ended.error is not None, requests_to(sandbox, "POST /v1/moderations"))
    fail(send(tmp_path, records=COMMENTS, webhook_conn_id="openai_dest_default"), AirflowFailException, "Connection")
