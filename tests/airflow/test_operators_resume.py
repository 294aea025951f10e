"""Retry and clear: paid work is not repeated, and what is left is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import (
    EndpointTemplate,
    OpenAIEmbeddingOperator,
    OpenAIManualRequestOperator,
    OpenAISendRecordsOperator,
    OpenAIUploadFileOperator,
    Record,
)
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    ASK,
    EMBED,
    api_requests,
    attempt,
    counts,
    fail,
    openai_connection,
    requests_to,
    rows_of,
    run,
)
from tests.core.delivery_parts import ListSource

QUESTIONS = [{"id": name, "q": f"question {name}"} for name in "abcdef"]
LOST = "reset_after_work,match=question d"  # the answer of this one is lost for good


def ask(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    common = {"task_id": "ask", "results": str(tmp_path), "records": QUESTIONS, "key": "id", "ambiguous_retries": 0}
    return OpenAIManualRequestOperator(**common | ASK | arguments)


def sent(sandbox: Sandbox) -> int:
    """Give the requests since the last call."""
    count = api_requests(sandbox)
    sandbox.reset()
    return count


# -- a retry -----------------------------------------------------------------------------------------


def test_a_retry_of_a_finished_delivery_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second try of a task that had delivered everything returns the same manifest, and no request is sent."""
    first = run(ask(tmp_path))
    assert 6 == sent(sandbox)
    second = run(ask(tmp_path), try_number=2)
    assert 0 == sent(sandbox)
    changing = ("seconds", "requests", "waited_seconds")
    assert {**first, **dict.fromkeys(changing)} == {**second, **dict.fromkeys(changing)}


def test_a_retry_sends_only_the_rest(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was pending is sent, what was delivered is not; every record has one delivered row in the end."""
    sandbox.set_faults(LOST)
    assert (6, 5, 0, 1) == counts(fail(ask(tmp_path), TransientError, "pending").xcom)
    sandbox.set_faults()
    assert 6 == sent(sandbox)
    second = run(ask(tmp_path), try_number=2)
    assert ((6, 6, 0, 0), 1) == (counts(second), sent(sandbox))
    assert list("abcdef") == [row["key"] for row in rows_of(second["results"])]


def test_a_retry_in_a_pack_sends_only_the_rest(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same holds for records that share requests."""
    operator = OpenAIEmbeddingOperator(
        task_id="embed", results=str(tmp_path), key="id", input="{message.q}", ambiguous_retries=0,
        records=[question | {"d": 4 + number % 2} for number, question in enumerate(QUESTIONS)],
        **EMBED | {"dimensions": "{message.d}"},
    )  # fmt: skip
    sandbox.set_faults(LOST)
    assert (6, 3, 0, 3) == counts(fail(operator, TransientError).xcom)
    sandbox.set_faults()
    sandbox.reset()
    assert (6, 6, 0, 0) == counts(run(operator, try_number=2))
    assert (1, 3) == (api_requests(sandbox), sandbox.stats()["items"])


def test_a_retry_keeps_what_was_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    """Within one run a rejection holds: the retry does not pay for the same refusal again."""
    sandbox.set_faults(LOST, "status=400,match=question a")
    fail(ask(tmp_path, max_errors=1), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    assert ((6, 5, 1, 0), 1) == (counts(run(ask(tmp_path, max_errors=1), try_number=2)), sent(sandbox))


def test_a_retry_after_the_key_was_mended_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a stop for the account, a clear sends what was pending and nothing twice."""
    sandbox.set_faults("status=401,after=2")
    stopped = fail(ask(tmp_path, concurrency=1), AirflowFailException, "invalid_api_key")
    assert (6, 2, 0, 4) == counts(stopped.xcom)
    sandbox.set_faults()
    sandbox.reset()
    assert ((6, 6, 0, 0), 4) == (counts(run(ask(tmp_path), clear_number=1)), sent(sandbox))


def test_a_third_try_goes_on_from_both_before(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each try adds to what is settled."""
    sandbox.set_faults(LOST, "reset_after_work,match=question e")
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError, try_number=2)
    sandbox.set_faults()
    sandbox.reset()
    assert ((6, 6, 0, 0), 1) == (counts(run(ask(tmp_path), try_number=3)), sent(sandbox))


def test_a_new_record_is_sent_by_a_retry(sandbox: Sandbox, tmp_path: Path) -> None:
    """A source that has grown under a half-done delivery has its new record sent."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    grown = [*QUESTIONS, {"id": "g", "q": "question g"}]
    assert ((7, 7, 0, 0), 2) == (counts(run(ask(tmp_path, records=grown), try_number=2)), sent(sandbox))


def test_a_changed_record_is_sent_by_a_retry(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record whose own request changed is sent, and its old outcome is superseded."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    changed = [{"id": "a", "q": "another question"}, *QUESTIONS[1:]]
    assert ((6, 6, 0, 0), 2) == (counts(run(ask(tmp_path, records=changed), try_number=2)), sent(sandbox))


def test_a_row_cut_off_by_a_crash_is_sent_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Half a row at the end of a file counts as nothing: its record is sent again, the others are not."""
    run(ask(tmp_path, concurrency=1))
    sandbox.reset()
    (rows,) = tmp_path.glob("outcomes-*.jsonl")
    rows.write_bytes(rows.read_bytes()[:-30])
    assert ((6, 6, 0, 0), 1) == (counts(run(ask(tmp_path), try_number=2)), sent(sandbox))


def test_another_task_in_the_same_folder_is_another_delivery(sandbox: Sandbox, tmp_path: Path) -> None:
    """Runs and tasks that share a results folder do not take each other's records for theirs."""
    for who in ({"run_id": "a"}, {"run_id": "b"}, {"run_id": "a", "dag_id": "x"}, {"run_id": "a", "map_index": 1}):
        assert ((6, 6, 0, 0), 6) == (counts(run(ask(tmp_path), **who)), sent(sandbox))
    assert ((6, 6, 0, 0), 6) == (counts(run(ask(tmp_path, task_id="other"), run_id="a")), sent(sandbox))


# -- a clear -----------------------------------------------------------------------------------------


def test_a_clear_of_a_finished_delivery_sends_all_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who clears what had succeeded wants it again: a second delivery begins, and the first one's rows stay."""
    first = run(ask(tmp_path))
    second = run(ask(tmp_path), clear_number=1)
    assert ((6, 6, 0, 0), 12, 2) == (counts(second), sent(sandbox), second["delivery"])
    assert (6, 6) == (len(rows_of(first["results"])), len(rows_of(second["results"])))


def test_a_clear_of_a_delivery_with_rejected_records_tries_just_these(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was delivered is kept; what was rejected has another chance."""
    sandbox.set_faults("status=400,match=question b")
    fail(ask(tmp_path), AirflowFailException, "TooManyRejectedError")
    sandbox.set_faults()
    sandbox.reset()
    again = run(ask(tmp_path), clear_number=1)
    assert ((6, 6, 0, 0), 1, []) == (counts(again), sent(sandbox), again["rejections"])


def test_a_retry_after_a_clear_still_tries_the_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    """When the try after a clear did not get to a rejected record, the next one does."""
    sandbox.set_faults("status=400,match=question d")
    fail(ask(tmp_path), AirflowFailException, "TooManyRejectedError")
    sandbox.set_faults(LOST)
    assert (6, 5, 0, 1) == counts(fail(ask(tmp_path), TransientError, clear_number=1, try_number=2).xcom)
    sandbox.set_faults()
    sandbox.reset()
    assert ((6, 6, 0, 0), 1) == (counts(run(ask(tmp_path), clear_number=1, try_number=3)), sent(sandbox))


def test_a_clear_of_a_half_done_delivery_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """With records pending, a clear sends just the rest."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    assert ((6, 6, 0, 0), 1) == (counts(run(ask(tmp_path), clear_number=1)), sent(sandbox))


def test_each_clear_of_a_finished_delivery_is_a_delivery(sandbox: Sandbox, tmp_path: Path) -> None:
    """A second clear, and a retry after it, go by the newest delivery."""
    run(ask(tmp_path))
    run(ask(tmp_path), clear_number=1)
    sandbox.reset()
    third = run(ask(tmp_path), clear_number=2)
    assert (3, 6) == (third["delivery"], sent(sandbox))
    assert (3, 0) == (run(ask(tmp_path), clear_number=2, try_number=2)["delivery"], sent(sandbox))


# what resume= says, and the requests of a retry and of a clear of a finished delivery
FORCED = {"always": (0, 0), "never": (6, 6), "auto": (0, 6)}


@pytest.mark.parametrize("resume", FORCED)
def test_resume_can_be_forced(sandbox: Sandbox, tmp_path: Path, resume: Any) -> None:
    """resume="always" never sends what is settled, "never" sends everything anew."""
    operator = ask(tmp_path, resume=resume)
    run(operator)
    sandbox.reset()
    run(operator, try_number=2)
    retried = sent(sandbox)
    run(operator, try_number=3, clear_number=1)
    assert FORCED[resume] == (retried, sent(sandbox))


def test_the_quarantine_of_a_resumed_delivery_has_what_is_rejected_now(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was rejected first and delivered after a clear is not sent again by a replay of the quarantine."""
    sandbox.set_faults("status=400,match=question b", "status=400,match=question e")
    fail(ask(tmp_path), AirflowFailException)
    sandbox.set_faults("status=400,match=question e")
    again = run(ask(tmp_path, max_errors=1), clear_number=1)
    assert (6, 5, 1, 0) == counts(again)
    sandbox.set_faults()
    sandbox.reset()
    replayed = run(ask(tmp_path / "replay", task_id="replay", records=None, key=None, source=again["quarantine"]))
    assert (["e"], 1) == ([outcome["key"] for outcome in replayed["outcomes"]], sent(sandbox))


# -- a change under a half-done delivery -------------------------------------------------------------

# arguments before and after
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the body": ({}, {"body": {"model": "gpt-6-sol", "input": "{message.q}"}}),
    "the URL": ({}, {"url": "/chat/completions"}),
    "the method": ({}, {"method": "PUT"}),
    "the headers": ({"headers": {"X-A": "1"}}, {"headers": {"X-A": "2"}}),
    "the content format": ({}, {"content_format": "form"}),
    "the connection": ({}, {"conn_id": "another"}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_under_a_half_done_delivery_is_refused(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Half of the answers from one template and half from another is no result: no retry, and nothing is sent."""
    monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", openai_connection(sandbox.base_url))
    before, after = CHANGES[case]
    sandbox.set_faults(LOST)
    fail(ask(tmp_path, **before), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    fail(ask(tmp_path, **before | after), AirflowFailException, "CheckpointMismatchError", try_number=2)
    assert 0 == sent(sandbox)
    assert (6, 6, 0, 0) == counts(run(ask(tmp_path, **before), try_number=3))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Write the questions into a file, and again into another one."""
    for name in ("one.jsonl", "other.jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, QUESTIONS)))
    return tmp_path


# a source before and after, and what the error names
SOURCES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another file": ({"source": "one.jsonl"}, {"source": "other.jsonl"}, "one.jsonl"),
    "another key": ({"records": QUESTIONS}, {"records": QUESTIONS, "key": "q"}, "key=q"),
    "no key": ({"records": QUESTIONS}, {"records": QUESTIONS, "key": None}, "key=None"),
    "values in the place of a file": ({"source": "one.jsonl"}, {"records": QUESTIONS}, "now 'values"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_another_source_under_a_half_done_delivery_is_refused(sandbox: Sandbox, files: Path, case: str) -> None:
    """What was sent of the old one would be sent again, and paid twice; the error names both."""
    before, after, words = SOURCES[case]

    def ask_of(source: dict[str, Any]) -> OpenAIManualRequestOperator:
        named = {"source": str(files / source["source"]), "records": None} if "source" in source else {}
        return ask(files / "results", **source | named)

    sandbox.set_faults(LOST)
    fail(ask_of(before), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    assert "source (" in str(fail(ask_of(after), AirflowFailException, words, try_number=2).error)
    assert 0 == sent(sandbox)


@pytest.mark.parametrize("key", ["id", None])
def test_a_source_that_was_made_again_goes_on(sandbox: Sandbox, files: Path, key: str | None) -> None:
    """An upstream that ran again has written the file anew, and one more: what is new in them is sent."""
    operator = ask(files / "results", records=None, source=f"{files}/o*.jsonl", key=key)
    (files / "other.jsonl").unlink()
    sandbox.set_faults(LOST)
    fail(operator, TransientError)
    sandbox.set_faults()
    sandbox.reset()
    (files / "one.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    (files / "other.jsonl").write_text(json.dumps({"id": "g", "q": "question g"}))
    assert ((7, 7, 0, 0), 2) == (counts(run(operator, try_number=2)), sent(sandbox))


def test_a_source_of_ones_own_is_known_by_its_fingerprint(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same words go on, other words are refused."""

    class Mine(ListSource):
        words = "questions of Monday"

        def fingerprint(self) -> str:
            return self.words

    source = Mine([Record(key=one["id"], position=place, data=one) for place, one in enumerate(QUESTIONS)])
    sandbox.set_faults(LOST)
    fail(ask(tmp_path, records=None, key=None, source=source), TransientError)
    source.words = "questions of Tuesday"
    fail(ask(tmp_path, records=None, key=None, source=source), AirflowFailException, "Tuesday", try_number=2)
    source.words = "questions of Monday"
    sandbox.set_faults()
    assert (6, 6, 0, 0) == counts(run(ask(tmp_path, records=None, key=None, source=source), try_number=3))


def test_another_model_is_told_by_its_name(sandbox: Sandbox, tmp_path: Path) -> None:
    """And not as another template, which says less."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    body = {"model": "gpt-6-sol", "input": "{message.q}"}
    ended = fail(ask(tmp_path, body=body), AirflowFailException, "now 'gpt-6-sol'", try_number=2)
    assert "template changed" not in str(ended.error)


def test_a_change_may_begin_the_next_delivery(sandbox: Sandbox, tmp_path: Path) -> None:
    """on_mismatch="restart" sends everything anew, and a retry of that goes on with it."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    sandbox.reset()
    body = {"model": "gpt-6-sol", "input": "{message.q}"}
    operator = ask(tmp_path, body=body, on_mismatch="restart")
    assert ((6, 5, 0, 1), 6) == (counts(fail(operator, TransientError, try_number=2).xcom), sent(sandbox))
    sandbox.set_faults()
    manifest = run(operator, try_number=3)
    assert ((6, 6, 0, 0), 1, 2) == (counts(manifest), sent(sandbox), manifest["delivery"])


# what of a connection may not change, and how its other value is written
ACCOUNTS: dict[str, dict[str, Any]] = {
    "organization": {"extra": {"organization": "org-2"}},
    "project": {"extra": {"project": "proj_2"}},
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_another_account_under_a_half_done_delivery_is_refused(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The error names what changed."""
    monkeypatch.setenv("AIRFLOW_CONN_CHANGING", openai_connection(sandbox.base_url))
    sandbox.set_faults(LOST)
    fail(ask(tmp_path, conn_id="changing"), TransientError)
    monkeypatch.setenv("AIRFLOW_CONN_CHANGING", openai_connection(sandbox.base_url, **ACCOUNTS[name]))
    fail(ask(tmp_path, conn_id="changing"), AirflowFailException, name, try_number=2)


def test_another_key_of_the_same_account_goes_on(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who mends a key and clears the task does not pay twice."""
    monkeypatch.setenv("AIRFLOW_CONN_CHANGING", openai_connection(sandbox.base_url))
    sandbox.set_faults(LOST)
    fail(ask(tmp_path, conn_id="changing"), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    monkeypatch.setenv("AIRFLOW_CONN_CHANGING", openai_connection(sandbox.base_url, password="sk-another-key-01234"))
    assert (6, 6, 0, 0) == counts(run(ask(tmp_path, conn_id="changing"), try_number=2))
    assert 1 == sent(sandbox)


# of an upload: arguments before and after
UPLOAD_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the line": ({"line": {"a": "{message.q}"}}, {"line": {"b": "{message.q}"}}),
    "the purpose": ({}, {"purpose": "evals"}),
    "the filename": ({"filename": "a-{message.id}.jsonl"}, {"filename": "b-{message.id}.jsonl"}),
}


@pytest.mark.parametrize("case", UPLOAD_CHANGES)
def test_a_change_under_a_half_done_upload_is_refused(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """The templates of an upload are a part of what must not change."""

    def upload(**arguments: Any) -> OpenAIUploadFileOperator:
        common = {"task_id": "u", "purpose": "user_data", "results": str(tmp_path), "file_per": "record", "key": "id"}
        return OpenAIUploadFileOperator(**common | {"records": QUESTIONS, "ambiguous_retries": 0} | arguments)

    before, after = UPLOAD_CHANGES[case]
    sandbox.set_faults(LOST)
    fail(upload(**before), TransientError)
    sandbox.set_faults()
    fail(upload(**before | after), AirflowFailException, "CheckpointMismatchError", try_number=2)


def test_never_sends_anew_over_a_change(sandbox: Sandbox, tmp_path: Path) -> None:
    """resume="never" is the way out: everything is sent with the new template."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    body = {"model": "gpt-6-sol", "input": "{message.q}"}
    manifest = run(ask(tmp_path, body=body, resume="never"), try_number=2)
    assert ((6, 6, 0, 0), 6, 2) == (counts(manifest), requests_to(sandbox), manifest["delivery"])


def test_state_that_can_not_be_read_is_not_taken_for_none(sandbox: Sandbox, tmp_path: Path) -> None:
    """A broken state file stops the retry before anything is paid for again."""
    sandbox.set_faults(LOST)
    fail(ask(tmp_path), TransientError)
    sandbox.set_faults()
    sandbox.reset()
    for claim in tmp_path.glob("delivery-*-g0.json"):
        claim.write_text("{broken")
    ended = attempt(ask(tmp_path), try_number=2)
    assert (True, 0) == (ended.error is not None, sent(sandbox))


def test_an_own_endpoint_resumes_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    """A template of one's own is the same template in the next process."""
    common: dict[str, Any] = {"task_id": "s", "results": str(tmp_path), "records": QUESTIONS, "key": "id"}
    for number in (1, 2):
        operator = OpenAISendRecordsOperator(
            endpoint=EndpointTemplate(name="mine", path="/responses"), body=dict(ASK["body"]), **common
        )
        run(operator, try_number=number)
    assert 6 == sent(sandbox)
