"""What was rejected is sent again by another task, and what comes of it settles the record for good."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_openai_dest import (
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAISendRecordsOperator,
    quarantine_of,
)
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.operators.object_storage import find_files
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import ASK, EMBED, api_requests, counts, fail, rows_of, run

QUESTIONS = [{"id": name, "q": f"question {name}"} for name in "abcdef"]
REFUSED = ("status=400,match=question b", "status=400,match=question e")
MONDAY, TUESDAY = "scheduled__2026-11-23T00:00:00+00:00", "scheduled__2026-11-24T00:00:00+00:00"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that all tasks without results= share."""
    monkeypatch.setenv("AIRFLOW__OPENAI_DEST__RESULTS_PATH", str(tmp_path))
    return tmp_path


def ask(**arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "ask", "records": QUESTIONS, "key": "id", "ambiguous_retries": 0}
    return OpenAIManualRequestOperator(**common | ASK | arguments)


def replay(source: Any = None, **arguments: Any) -> OpenAIManualRequestOperator:
    source = source or quarantine_of("delivery", "ask")
    return ask(**{"task_id": "replay", "records": None, "key": None, "source": source} | arguments)


def sent(sandbox: Sandbox) -> int:
    """Give the requests since the last call."""
    count = api_requests(sandbox)
    sandbox.reset()
    return count


def ask_with_two_refused(sandbox: Sandbox, operator: Any = None, **who: Any) -> dict[str, Any]:
    """Run the original task: two of its six records are rejected; the server then takes everything."""
    sandbox.set_faults(*REFUSED)
    ended = fail(operator or ask(), AirflowFailException, "TooManyRejectedError", **who)
    sandbox.set_faults()
    sandbox.reset()
    return ended.xcom


def test_a_quarantine_is_named_by_its_task(sandbox: Sandbox, results: Path) -> None:
    """Just the rejected are sent, under their own keys."""
    ask_with_two_refused(sandbox)
    manifest = run(replay())
    assert ((2, 2, 0, 0), 2) == (counts(manifest), sent(sandbox))
    assert ["b", "e"] == sorted(row["key"] for row in rows_of(manifest["results"]))


@pytest.mark.parametrize("who", [{"try_number": 2}, {"clear_number": 1}, {"clear_number": 1, "try_number": 2}])
def test_what_a_replay_delivered_is_settled_where_it_was_rejected(
    sandbox: Sandbox, results: Path, who: dict[str, Any]
) -> None:
    """A retry, or a clear, of the original task sends nothing, succeeds, and has all six answers in its results."""
    ask_with_two_refused(sandbox)
    run(replay())
    sandbox.reset()
    again = run(ask(), **who)
    assert ((6, 6, 0, 0), 0, 1) == (counts(again), sent(sandbox), again["delivery"])
    delivered = [row for row in rows_of(again["results"]) if row["status"] == "delivered"]
    assert [(place, key) for place, key in enumerate("abcdef")] == [(row["position"], row["key"]) for row in delivered]
    assert all(row["answer"] for row in delivered)
    assert "replay" == delivered[1]["replayed_by"]["task_id"]
    assert list("abcdef") == [row["key"] for row in again["outcomes"]]


def test_the_original_ends_by_its_replay(sandbox: Sandbox, results: Path) -> None:
    """Once a clear has seen that nothing is left, the delivery is a finished one: the next clear begins another."""
    ask_with_two_refused(sandbox)
    run(replay())
    run(ask(), clear_number=1)
    sandbox.reset()
    assert (2, 6) == (run(ask(), clear_number=2, try_number=2)["delivery"], sent(sandbox))


def test_a_replay_that_is_refused_settles_nothing(sandbox: Sandbox, results: Path) -> None:
    """Of two records one is refused again: a clear of the original sends just this one."""
    ask_with_two_refused(sandbox)
    sandbox.set_faults(REFUSED[1])
    assert (2, 1, 1, 0) == counts(fail(replay(), AirflowFailException).xcom)
    sandbox.set_faults()
    sandbox.reset()
    assert ((6, 6, 0, 0), 1) == (counts(run(ask(), clear_number=1)), sent(sandbox))


def test_a_second_replay_sends_what_is_still_rejected(sandbox: Sandbox, results: Path) -> None:
    """Another run of the replay, a clear of it as well, leaves out what was delivered since."""
    ask_with_two_refused(sandbox)
    sandbox.set_faults(REFUSED[1])
    fail(replay(), AirflowFailException)
    sandbox.set_faults()
    sandbox.reset()
    assert ((1, 1, 0, 0), 1) == (counts(run(replay(), run_id="second")), sent(sandbox))
    assert ((0, 0, 0, 0), 0) == (counts(run(replay(), run_id="third")), sent(sandbox))


def test_what_the_original_delivered_itself_is_not_replayed(sandbox: Sandbox, results: Path) -> None:
    """A clear has delivered both: nothing is left for a replay."""
    ask_with_two_refused(sandbox)
    run(ask(), clear_number=1)
    sandbox.reset()
    assert ((0, 0, 0, 0), 0) == (counts(run(replay())), sent(sandbox))


def test_a_retry_of_a_replay_sends_the_rest_and_settles_all(sandbox: Sandbox, results: Path) -> None:
    """What its first try delivered is not sent again, though the quarantine does not give it any more."""
    ask_with_two_refused(sandbox)
    sandbox.set_faults("reset_after_work,match=question e")
    fail(replay(), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    run(replay(), try_number=2)
    assert 1 == sent(sandbox)
    assert ((6, 6, 0, 0), 0) == (counts(run(ask(), clear_number=1)), sent(sandbox))


def test_a_replay_that_crashed_before_it_settled_does_so_at_its_retry(sandbox: Sandbox, results: Path) -> None:
    """Its own rows say what was delivered; nothing is paid for twice."""
    ask_with_two_refused(sandbox)
    originals = set(results.glob("delivery/manual*/ask/*.jsonl"))
    run(replay())
    (settling,) = set(results.glob("delivery/manual*/ask/*.jsonl")) - originals
    settling.unlink()
    sandbox.reset()
    assert ((2, 2, 0, 0), 0) == (counts(run(replay(), try_number=2)), sent(sandbox))
    assert ((6, 6, 0, 0), 0) == (counts(run(ask(), clear_number=1)), sent(sandbox))


def test_a_record_that_was_mended_upstream_is_sent_again(sandbox: Sandbox, results: Path) -> None:
    """The replay has sent it as it was; what it is now nobody has sent."""
    ask_with_two_refused(sandbox)
    run(replay())
    sandbox.reset()
    mended = [QUESTIONS[0], {"id": "b", "q": "a better question"}, *QUESTIONS[2:]]
    assert ((6, 6, 0, 0), 1) == (counts(run(ask(records=mended), clear_number=1)), sent(sandbox))


@pytest.mark.parametrize("keep", [True, False])
def test_the_files_of_a_quarantine_settle_as_well(sandbox: Sandbox, tmp_path: Path, keep: bool) -> None:  # noqa: FBT001
    """Named by their pattern, as the manifest has it, and whether or not the records are kept beside the answers."""
    original = ask(results=str(tmp_path / "a"), keep_records=keep)
    manifest = ask_with_two_refused(sandbox, original)
    run(replay(manifest["quarantine"], results=str(tmp_path / "b"), keep_records=keep))
    sandbox.reset()
    assert ((6, 6, 0, 0), 0) == (counts(run(original, clear_number=1)), sent(sandbox))


def test_an_answer_of_another_operation_settles_nothing(sandbox: Sandbox, results: Path) -> None:
    """Who asks about the rejected texts has not embedded them."""
    embed = OpenAIEmbeddingOperator(task_id="embed", records=QUESTIONS, key="id", input="{message.q}", **EMBED)
    ask_with_two_refused(sandbox, embed)
    run(replay(quarantine_of("delivery", "embed")))
    sandbox.reset()
    assert ((6, 6, 0, 0), 1) == (counts(run(embed, clear_number=1)), sent(sandbox))


def test_a_copy_of_a_quarantine_settles_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is replayed as ever, and nothing is written beside it."""
    manifest = ask_with_two_refused(sandbox, ask(results=str(tmp_path / "a")))
    copies = tmp_path / "copies"
    copies.mkdir()
    for file in (tmp_path / "a").glob("quarantine-*"):
        (copies / file.name).write_bytes(file.read_bytes())
    run(replay(f"{copies}/*.jsonl", results=str(tmp_path / "b")))
    assert ((2), [*copies.iterdir()]) == (manifest["rejected"], [*copies.glob("quarantine-*")])


def test_the_latest_run_is_the_one_that_began_last(sandbox: Sandbox, results: Path) -> None:
    """Whatever its name; a run may also be named, as a text that Jinja fills in."""
    for age, run_id in ((10, TUESDAY), (5, MONDAY)):
        ask_with_two_refused(sandbox, ask(records=[one | {"id": run_id[-20] + one["id"]} for one in QUESTIONS]),
                             run_id=run_id)  # fmt: skip
        for claim in results.glob("delivery/*/ask/delivery-*"):
            os.utime(claim, (claim.stat().st_mtime - age,) * 2)
    keys = sorted(row["key"] for row in run(replay(), run_id="r1")["outcomes"])
    assert [f"{MONDAY[-20]}b", f"{MONDAY[-20]}e"] == keys
    named = replay(quarantine_of("delivery", "ask", "{{ run_id[1:] }}"))
    keys = sorted(row["key"] for row in run(named, run_id=f"x{TUESDAY}")["outcomes"])
    assert [f"{TUESDAY[-20]}b", f"{TUESDAY[-20]}e"] == keys


@pytest.mark.parametrize("run_id", ["latest", "manual__2026-11-22T08:00:00+00:00"])
def test_the_results_of_the_task_may_have_a_folder_of_their_own(sandbox: Sandbox, tmp_path: Path, run_id: str) -> None:
    """It is given to quarantine_of as well, with Jinja; other tasks that share it are told apart."""
    for task_id in ("ask", "other"):
        ask_with_two_refused(sandbox, ask(results=str(tmp_path / "delivery"), task_id=task_id))
    source = quarantine_of("delivery", "ask", run_id, results=f"{tmp_path}/{{{{ dag_run.dag_id }}}}")
    run(replay(source, results=str(tmp_path / "replay")))
    assert 2 == sent(sandbox)
    assert (6, 6, 0, 0) == counts(run(ask(results=str(tmp_path / "delivery")), clear_number=1))
    assert 0 == sent(sandbox)


def test_a_mapped_task_has_a_quarantine_for_each_instance(sandbox: Sandbox, results: Path) -> None:
    """All of them are sent again, or that of one index; each record is settled in its own."""
    for index in (0, 1):
        ask_with_two_refused(sandbox, map_index=index)
    assert (2, 2, 0, 0) == counts(run(replay(quarantine_of("delivery", "ask", map_index=1))))
    sandbox.reset()
    assert ((2, 2, 0, 0), 2) == (counts(run(replay(), run_id="all")), sent(sandbox))
    for index in (0, 1):
        assert ((6, 6, 0, 0), 0) == (counts(run(ask(), map_index=index, clear_number=1)), sent(sandbox))


def test_instances_that_share_keys_are_both_sent(sandbox: Sandbox, results: Path) -> None:
    """The second record of a key stands under its delivery's name, and is settled under its own."""
    for index in (0, 1):
        ask_with_two_refused(sandbox, map_index=index)
    manifest = run(replay())
    assert (4, 4, 0, 0) == counts(manifest)
    assert 4 == len({row["key"] for row in rows_of(manifest["results"])})
    sandbox.reset()
    for index in (0, 1):
        assert ((6, 6, 0, 0), 0) == (counts(run(ask(), map_index=index, clear_number=1)), sent(sandbox))


def test_a_task_that_rejected_nothing_has_nothing_to_send(sandbox: Sandbox, results: Path) -> None:
    """The replay succeeds with no records."""
    run(ask())
    assert (0, 0, 0, 0) == counts(run(replay()))


@pytest.mark.parametrize("run_id", ["latest", "manual__2026"])
def test_a_delivery_that_is_not_there_is_told(sandbox: Sandbox, results: Path, run_id: str) -> None:
    """A name that is misspelt is no empty quarantine."""
    ask_with_two_refused(sandbox)
    source = quarantine_of("delivery", "aks" if run_id == "latest" else "ask", run_id)
    fail(replay(source), AirflowFailException, "there is no delivery of this task")


def test_a_dag_says_the_same_of_it_at_each_parsing() -> None:
    """Its text holds no address in memory, and it can be compared."""
    assert "quarantine_of('shop', 'ask', 'latest')" == str(quarantine_of("shop", "ask"))
    assert quarantine_of("shop", "ask") == quarantine_of("shop", "ask")


# -- what stands in a quarantine ---------------------------------------------------------------------


def quarantined(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return rows_of(manifest["quarantine"])


def test_a_row_says_all_that_is_known_of_the_refusal(sandbox: Sandbox, results: Path) -> None:
    """Reason, code, param, status, request id, attempts and the record; no body unless it is asked for."""
    row, _ = quarantined(ask_with_two_refused(sandbox))
    assert {"code", "message", "param", "status"} == set(row["error"])
    assert ({"id": "b", "q": "question b"}, 400, 1) == (row["record"], row["http_status"], row["attempts"])
    assert row["request_id"].startswith("req_")
    assert "body" not in row


def test_the_body_is_kept_when_it_is_asked_for(sandbox: Sandbox, results: Path) -> None:
    """As it was sent, for its owner only; a record that was refused before it was sent has none."""
    records = [*QUESTIONS, {"id": "g"}]
    manifest = ask_with_two_refused(sandbox, ask(records=records, quarantine_body=True))
    first, _, unsent = quarantined(manifest)
    assert {"model": "gpt-6-luna", "input": "question b"} == json.loads(first["body"])
    assert "body" not in unsent
    (file,) = results.glob("delivery/*/ask/quarantine-*.jsonl")
    assert 0o600 == file.stat().st_mode & 0o777


def test_the_body_of_a_packed_record_is_its_own(sandbox: Sandbox, results: Path) -> None:
    """Without those that shared its request; also where the whole request was refused."""
    embed = {"task_id": "embed", "records": QUESTIONS, "key": "id", "quarantine_body": True} | EMBED
    sandbox.set_faults("status=404,code=no,match=question b")
    ended = fail(OpenAIEmbeddingOperator(input="{message.q}", **embed), AirflowFailException)
    bodies = [json.loads(row["body"]) for row in quarantined(ended.xcom)]
    assert [[one["q"]] for one in QUESTIONS] == [body["input"] for body in bodies]
    assert {("text-embedding-3-small", 8)} == {(body["model"], body["dimensions"]) for body in bodies}


def test_no_secret_is_in_a_body(sandbox: Sandbox, results: Path) -> None:
    """Neither the connection's own, nor what has the shape of one."""
    key = os.environ["AIRFLOW_CONN_OPENAI_DEST_DEFAULT"]
    password = json.loads(key)["password"]
    records = [{"id": "b", "q": f"question b {password} sk-proj-abcdefghijklmnop0123"}]
    sandbox.set_faults("status=400")
    operator = ask(records=records, quarantine_body=True, quarantine_records=False)
    (row,) = quarantined(fail(operator, AirflowFailException).xcom)
    assert "question b" in row["body"]
    assert password not in row["body"]
    assert "abcdefghijklmnop" not in row["body"]


def test_the_body_of_a_form_has_no_file(sandbox: Sandbox, results: Path, tmp_path: Path) -> None:
    """Its fields and the names of its files say enough."""
    (tmp_path / "a.txt").write_text("content-of-the-file")
    sandbox.set_faults("status=400")
    operator = OpenAISendRecordsOperator(
        task_id="up", endpoint="upload_file", records=[{"f": f"{tmp_path}/a.txt"}], files_root=str(tmp_path),
        body={"purpose": "user_data", "file": "{message.f}"}, quarantine_body=True,
    )  # fmt: skip
    (row,) = quarantined(fail(operator, AirflowFailException).xcom)
    assert "user_data" in row["body"]
    assert 'filename="a.txt"' in row["body"]
    assert "content-of-the-file" not in row["body"]


# -- in object storage -------------------------------------------------------------------------------


@pytest.fixture
def bucket() -> Iterator[str]:
    """Give a folder in an object store, where files can't grow."""
    attach("memory", "replay_store", fs=MemoryFileSystem())
    yield "memory://replay_store@bucket/replays"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("run_id", ["latest", "manual__2026-11-22T08:00:00+00:00"])
def test_a_replay_settles_in_object_storage_as_well(sandbox: Sandbox, bucket: str, run_id: str) -> None:
    """And the results of both can be brought into one set."""
    original = ask(results=f"{bucket}/a", results_format="jsonl.gz", results_order="input")
    ask_with_two_refused(sandbox, original)
    run(replay(quarantine_of("delivery", "ask", run_id, results=f"{bucket}/a"), results=f"{bucket}/b"))
    assert 2 == sent(sandbox)
    manifest = run(original, clear_number=1)
    assert ((6, 6, 0, 0), 0) == (counts(manifest), sent(sandbox))
    (part,) = find_files(manifest["results"], "replay_store")
    with part.open("rb") as stream, gzip.open(stream) as lines:
        assert list("abcdef") == [json.loads(line)["key"] for line in lines]
