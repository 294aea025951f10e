"""OpenAIWebhookOperator: outcomes, records or files, to a receiver that verifies the signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAIEmbeddingOperator, OpenAIWebhookOperator
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    EMBED,
    Row,
    api_requests,
    attempt,
    counts,
    fail,
    inbox_items,
    rows_of,
    run,
    webhook_connection,
)

RECORDS = [{"id": "a", "t": "one"}, {"id": "b", "t": "two"}, {"id": "c", "t": "three"}]
OTHER_SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
REFUSES = "status=400,path=/sandbox/inbox"


def forward(tmp_path: Path, **arguments: Any) -> OpenAIWebhookOperator:
    return OpenAIWebhookOperator(**{"task_id": "forward", "results": str(tmp_path / "forwarded")} | arguments)


def embedded(tmp_path: Path, **arguments: Any) -> Row:
    """Give the manifest of an upstream task that embedded the records."""
    return run(
        OpenAIEmbeddingOperator(
            **{"task_id": "embed", "records": RECORDS, "key": "id", "input": "{message.t}"}
            | {"results": str(tmp_path / "embedded")}
            | EMBED
            | arguments
        )
    )


def data_of(sandbox: Sandbox) -> dict[str, Row]:
    """Give the items that arrived, by key."""
    return {item["data"]["key"]: item["data"] for item in inbox_items(sandbox)}


# -- from a manifest ---------------------------------------------------------------------------------


def test_each_outcome_of_an_upstream_task_is_forwarded(sandbox: Sandbox, tmp_path: Path) -> None:
    """The item has key, record, answer and status, and says which task it came from."""
    manifest = embedded(tmp_path)
    sandbox.reset()
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, manifest=manifest)))
    assert {"received": 3, "distinct": 3, "repeats": 0, "refused": 0} == sandbox.stats()["webhooks"]
    for record, outcome in zip(RECORDS, manifest["outcomes"], strict=True):
        item = data_of(sandbox)[record["id"]]
        assert (record, outcome["answer"], "delivered", None) == (
            item["record"],
            item["answer"],
            item["status"],
            item["error"],
        )
        assert ("create_embedding", manifest["origin"]) == (item["endpoint"], item["origin"])
        assert ("embed", outcome["request_id"]) == (item["origin"]["task_id"], item["request_id"])
    assert 0 == api_requests(sandbox)


def test_rejected_records_are_forwarded_with_their_error(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record that was rejected upstream arrives with status and reason."""
    manifest = embedded(tmp_path, records=[*RECORDS, {"id": "d"}], max_errors=1)
    run(forward(tmp_path, manifest=manifest))
    item = data_of(sandbox)["d"]
    assert ("rejected", "missing_field", {"id": "d"}) == (item["status"], item["error"]["code"], item["record"])


def test_a_large_manifest_is_forwarded_from_its_results(sandbox: Sandbox, tmp_path: Path) -> None:
    """Outcomes that are too many for XCom are read from the result files."""
    manifest = embedded(tmp_path, max_xcom_bytes=10)
    assert manifest["outcomes"] is None
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, manifest=manifest)))
    assert {"a", "b", "c"} == data_of(sandbox).keys()


def test_an_upstream_task_without_records_forwards_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The manifest of an empty data set succeeds with zero counts."""
    assert (0, 0, 0, 0) == counts(run(forward(tmp_path, manifest=embedded(tmp_path, records=[]))))
    assert 0 == sandbox.stats()["webhooks"]["received"]


def test_a_record_that_was_tried_again_is_forwarded_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """A record that was rejected first and delivered after a clear is one item: its last outcome."""
    sandbox.set_faults("status=400,match=two")
    operator = {"records": RECORDS, "key": "id", "input": "{message.t}", "results": str(tmp_path / "embedded")} | EMBED
    first = run(OpenAIEmbeddingOperator(task_id="embed", max_errors=1, **operator))
    sandbox.set_faults()
    again = run(OpenAIEmbeddingOperator(task_id="embed", max_errors=1, **operator), clear_number=1)
    assert ((3, 2, 1, 0), (3, 3, 0, 0)) == (counts(first), counts(again))
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, manifest=again)))
    assert ["delivered"] * 3 == [item["status"] for item in data_of(sandbox).values()]


@pytest.mark.parametrize("manifest", [{}, {"delivered": 1}, "text", 7, ["a"]])
def test_what_is_no_manifest_fails_the_task(sandbox: Sandbox, tmp_path: Path, manifest: Any) -> None:
    """Anything else than a manifest fails without a retry."""
    fail(forward(tmp_path, manifest=manifest), AirflowFailException, "manifest=")


@pytest.mark.parametrize("folder", ["lake[1]", "lake*", "la?ke", "with blank", "ünï"])
def test_results_of_any_folder_are_found(sandbox: Sandbox, tmp_path: Path, folder: str) -> None:
    """Signs of a pattern in the folder of the results lose no outcome."""
    manifest = embedded(tmp_path, results=str(tmp_path / folder))
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, manifest=manifest)))


def test_results_that_are_gone_are_not_taken_for_none(sandbox: Sandbox, tmp_path: Path) -> None:
    """A manifest whose result files this worker can't see fails the task: nothing is not what was delivered."""
    manifest = embedded(tmp_path)
    for path in (tmp_path / "embedded").glob("outcomes-*.jsonl"):
        path.unlink()
    ended = attempt(forward(tmp_path, manifest=manifest))
    assert ended.error is not None
    assert manifest["results"] in str(ended.error)


def test_the_output_of_a_mapped_task_is_told_to_be_expanded(sandbox: Sandbox, tmp_path: Path) -> None:
    """The output of a mapped task is a list of manifests: the error says how to forward each."""
    manifest = embedded(tmp_path)
    fail(forward(tmp_path, manifest=[manifest, manifest]), AirflowFailException, "expand(manifest=")


# -- from records and files --------------------------------------------------------------------------

# what may be given as records, and the records that arrive
GIVEN: dict[str, tuple[Any, list[Any]]] = {
    "a list": (RECORDS, RECORDS),
    "one object": ({"a": 1}, [{"a": 1}]),
    "a JSON text": ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    "a text": ("an alarm", ["an alarm"]),
    "strange values": (
        [{"t": "{{ 7*7 }} {message.json}", "n": 2**70}],
        [{"t": "{{ 7*7 }} {message.json}", "n": 2**70}],
    ),
}


@pytest.mark.parametrize("case", GIVEN)
def test_any_records_are_forwarded_as_they_are(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """Records need not come from OpenAI: each arrives unchanged, with no answer."""
    given, expected = GIVEN[case]
    run(forward(tmp_path, records=given))
    items = sorted((item["data"] for item in inbox_items(sandbox)), key=lambda item: item["position"])
    assert expected == [item["record"] for item in items]
    assert {None} == {item["answer"] for item in items}


def test_records_of_files_are_forwarded(sandbox: Sandbox, tmp_path: Path) -> None:
    """source= reads files; a line that can't be read is refused and the others go on."""
    (tmp_path / "in.jsonl").write_text('{"id": "a"}\n{"id": \n{"id": "c"}\n')
    operator = forward(tmp_path, source=f"{tmp_path}/in.jsonl", key="id", webhook_required=False)
    manifest = run(operator)
    assert ((3, 2, 1, 0), {"a", "c"}) == (counts(manifest), data_of(sandbox).keys())
    assert "in.jsonl line 2" in manifest["rejections"][0]["first_message"]


# -- batches, ids and signatures ---------------------------------------------------------------------


def test_items_go_in_batches(sandbox: Sandbox, tmp_path: Path) -> None:
    """batch_size=2 puts three items in two requests, each a list with every item's own id."""
    manifest = run(forward(tmp_path, records=RECORDS, key="id", batch_size=2))
    batches = inbox_items(sandbox)
    assert ((3, 3, 0, 0), 2) == (counts(manifest), sandbox.stats()["webhooks"]["distinct"])
    assert {"openai_dest.records"} == {batch["type"] for batch in batches}
    items = [item for batch in batches for item in batch["data"]]
    assert (["a", "b", "c"], 3) == (sorted(item["key"] for item in items), len({item["id"] for item in items}))


def test_one_refused_item_does_not_hold_back_its_batch(sandbox: Sandbox, tmp_path: Path) -> None:
    """A refused batch is cut until the guilty item is found; the others arrive."""
    sandbox.set_faults(f"{REFUSES},match=two")
    manifest = run(forward(tmp_path, records=RECORDS, key="id", batch_size=3, webhook_required=False))
    assert ((3, 2, 1, 0), ["b"]) == (
        counts(manifest),
        [row["record"]["key"] for row in rows_of(manifest["quarantine"])],
    )


def test_the_signature_is_verified_by_the_receiver(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items signed with another secret are refused by the receiver, and the task fails."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", webhook_connection(sandbox.inbox_url, password=OTHER_SECRET))
    ended = fail(forward(tmp_path, records=RECORDS, webhook_conn_id="other"), TransientError, "invalid_signature")
    assert ((3, 0, 3, 0), 3, 0) == (
        counts(ended.xcom),
        sandbox.stats()["webhooks"]["refused"],
        sandbox.stats()["webhooks"]["received"],
    )


def test_while_a_secret_is_changed_both_are_right(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two secrets each item is signed by both, so a receiver that knows either takes it."""
    secrets = f"{OTHER_SECRET} {json.loads(webhook_connection(''))['password']}"
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", webhook_connection(sandbox.inbox_url, password=secrets))
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, records=RECORDS, webhook_conn_id="other")))


def test_the_id_is_the_same_at_every_try(sandbox: Sandbox, tmp_path: Path) -> None:
    """A try that knows nothing of the one before sends the same ids, so that the receiver can tell."""
    for try_number in (1, 2):
        operator = forward(tmp_path, records=RECORDS, key="id", results=str(tmp_path / str(try_number)))
        run(operator, try_number=try_number)
    assert {"received": 6, "distinct": 3, "repeats": 3, "refused": 0} == sandbox.stats()["webhooks"]


def test_the_id_is_another_in_another_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same record of another run is another event."""
    for run_id in ("one", "two"):
        run(forward(tmp_path, records=RECORDS, key="id"), run_id=run_id)
    assert {"received": 6, "distinct": 6, "repeats": 0, "refused": 0} == sandbox.stats()["webhooks"]


def test_an_item_whose_answer_was_lost_is_sent_again_with_its_id(sandbox: Sandbox, tmp_path: Path) -> None:
    """At least once: after a lost answer the item comes again, and the receiver sees that it knows it."""
    sandbox.set_faults("reset_after_work,path=/sandbox/inbox,times=1")
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, records=RECORDS)))
    assert {"received": 4, "distinct": 3, "repeats": 1, "refused": 0} == sandbox.stats()["webhooks"]


def test_a_large_item_goes_by_reference(sandbox: Sandbox, tmp_path: Path) -> None:
    """An item above 256 kB goes without record and answer, and names the result files instead."""
    records = [{"id": "big", "t": "one", "text": "x" * 300_000}, RECORDS[0]]
    manifest = embedded(tmp_path, records=records)
    run(forward(tmp_path, manifest=manifest))
    big, small = data_of(sandbox)["big"], data_of(sandbox)["a"]
    assert (None, None, manifest["results"]) == (big["record"], big["answer"], big["results"])
    assert (RECORDS[0], True) == (small["record"], small["answer"] is not None)


# -- retries and replays -----------------------------------------------------------------------------


def test_a_retry_forwards_only_what_did_not_arrive(sandbox: Sandbox, tmp_path: Path) -> None:
    """What the receiver refused at the first try is sent by the second; what arrived is not."""
    sandbox.set_faults(f"{REFUSES},match=two,times=1")
    fail(forward(tmp_path, records=RECORDS, key="id"), TransientError)
    assert (3, 3, 0, 0) == counts(run(forward(tmp_path, records=RECORDS, key="id"), try_number=2))
    assert {"received": 3, "distinct": 3, "repeats": 0, "refused": 0} == sandbox.stats()["webhooks"]


def test_a_retry_after_everything_arrived_forwards_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """A second try of a finished delivery is still counted whole, and sends no request."""
    run(forward(tmp_path, records=RECORDS, key="id"))
    manifest = run(forward(tmp_path, records=RECORDS, key="id"), try_number=2)
    assert ((3, 3, 0, 0), 3) == (counts(manifest), sandbox.stats()["webhooks"]["received"])


def test_a_file_of_undelivered_items_sends_just_these_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """The file of what was refused is a source: its items arrive with the ids and the data they had."""
    run(forward(tmp_path, records=RECORDS, key="id", results=str(tmp_path / "before")))
    before = {item["data"]["key"]: item["data"] for item in inbox_items(sandbox)}
    sandbox.reset()
    sandbox.set_faults(f"{REFUSES},match=two")
    manifest = run(forward(tmp_path, records=RECORDS, key="id", webhook_required=False))
    assert (3, 2, 1, 0) == counts(manifest)
    sandbox.set_faults()
    sandbox.reset()
    replay = OpenAIWebhookOperator(task_id="replay", source=manifest["quarantine"], results=str(tmp_path / "replayed"))
    assert (1, 1, 0, 0) == counts(run(replay))
    assert {"b": before["b"]} == data_of(sandbox)


# -- refused -----------------------------------------------------------------------------------------


def test_a_private_address_is_not_reached_unless_it_is_allowed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without allowed_private_networks a receiver on this machine is refused before anything is sent."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_OTHER", webhook_connection(f"https://127.0.0.1:{sandbox.port}/sandbox/inbox", extra={})
    )
    fail(forward(tmp_path, records=RECORDS, webhook_conn_id="other"), AirflowFailException, "allowed_private_networks")
    assert 0 == sandbox.stats()["webhooks"]["received"]


def test_a_receiver_that_is_busy_lets_the_task_retry(sandbox: Sandbox, tmp_path: Path) -> None:
    """Items that a receiver can't take now stay pending, and Airflow tries again."""
    sandbox.set_faults("status=503,path=/sandbox/inbox,retry_after=0.01,match=two")
    ended = fail(forward(tmp_path, records=RECORDS), TransientError, "pending")
    assert ((3, 2, 0, 1), 2) == (counts(ended.xcom), sandbox.stats()["webhooks"]["distinct"])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "give one of"),
    "two things": ({"records": RECORDS, "source": "/x"}, "give one of"),
    "a batch of none": ({"records": RECORDS, "batch_size": 0}, "batch_size=0"),
    "no requests at once": ({"records": RECORDS, "concurrency": 0}, "concurrency=0"),
    "a misspelt keyword": ({"records": RECORDS, "batchsize": 2}, "'batch_size'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_do_not_fit_are_refused_when_the_dag_is_parsed(tmp_path: Path, case: str) -> None:
    """Each fault of the arguments is told by the constructor."""
    arguments, words = REFUSED[case]
    with pytest.raises(ConfigurationError, match=words):
        forward(tmp_path, **arguments)
