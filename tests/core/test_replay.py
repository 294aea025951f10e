"""What a replay delivers is settled in the delivery that rejected it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.replay import PastDelivery, Replay
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.sinks.folder import list_names, read_rows
from airflow_provider_openai_dest.sinks.results import QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sources.quarantine import QuarantineSource
from tests.core.delivery_parts import outcome, record
from tests.core.memory_folder import MemoryFolder

SCOPE = Scope(dag_id="d", run_id="r", task_id="t")
BY = Scope(dag_id="d", run_id="r", task_id="replay").as_row()
ENDPOINT = "POST /responses"
FINGERPRINT = {"endpoint": ENDPOINT}


def log_in(folder: MemoryFolder, **settings: Any) -> DeliveryLog:
    return DeliveryLog(folder, SCOPE, fingerprint=FINGERPRINT, **settings)


def reject(folder: MemoryFolder, *keys: str, **settings: Any) -> None:
    """Run a try that rejects these records, and delivers one named ``ok``."""
    log = log_in(folder, **settings)
    rejected = [outcome(key, Status.REJECTED, record=record(key, 5)) for key in keys]
    for sink in (QuarantineSink(log.rows("quarantine")), ResultsSink(log.rows("outcomes"))):
        sink.write([*rejected, outcome("ok")])
        sink.close()


def source_of(folder: MemoryFolder) -> QuarantineSource:
    return QuarantineSource([folder / name for name in list_names(folder, "quarantine-")])


def replay(folder: MemoryFolder, *outcomes: Outcome, endpoint: str = ENDPOINT, times: int = 1) -> None:
    """Bring outcomes to the sink of a replay."""
    for _ in range(times):
        sink = Replay(source_of(folder), lambda _: folder, endpoint=endpoint, by=BY)
        sink.write(outcomes)
        sink.flush()
        sink.close()


def ends(folder: MemoryFolder, **settings: Any) -> dict[str, str]:
    return {one.record.key: one.status.value for one in log_in(folder, **settings).outcomes()}


@pytest.mark.parametrize("settings", [{"try_number": 2}, {"generation": 1}, {"generation": 3, "try_number": 4}])
def test_a_delivered_record_is_delivered_for_its_own_task(settings: dict[str, Any]) -> None:
    """For a retry and for a clear; it stands at its own position."""
    folder = MemoryFolder()
    reject(folder, "a", "b")
    replay(folder, outcome("a", answer={"n": 1}))
    found = {one.record.key: one for one in log_in(folder, **settings).outcomes()}
    assert (Status.DELIVERED, 5, {"n": 1}) == (found["a"].status, found["a"].record.position, found["a"].answer)
    assert ("b" in found) == ("generation" not in settings)


def test_settling_twice_is_settling_once() -> None:
    """A retry of the replay brings what its first try delivered again."""
    folder = MemoryFolder()
    reject(folder, "a")
    replay(folder, outcome("a"), outcome("a"), times=3)
    rows = read_rows(folder, list_names(folder, "outcomes-"))
    assert ["rejected", "delivered"] == [row["status"] for row in rows if row["key"] == "a"]


@pytest.mark.parametrize(
    "end",
    [
        outcome("a", Status.REJECTED),
        outcome("strange"),
        outcome("a", record=record("a", 5, {"q": "other data"})),
    ],
    ids=["rejected again", "no record of the quarantine", "of other data"],
)
def test_what_settles_nothing(end: Outcome) -> None:
    """Only the answer to that record counts."""
    folder = MemoryFolder()
    reject(folder, "a")
    replay(folder, end)
    assert {"ok": "delivered"} == ends(folder, generation=1)


def test_another_operation_settles_nothing() -> None:
    """Its answer is no answer to the record."""
    folder = MemoryFolder()
    reject(folder, "a")
    replay(folder, outcome("a"), endpoint="POST /embeddings")
    assert {"ok": "delivered"} == ends(folder, generation=1)


def test_a_past_delivery_knows_what_is_delivered_now() -> None:
    """The newest outcome of a key holds, and the newest quarantine comes first."""
    folder = MemoryFolder()
    reject(folder, "a", "b")
    reject(folder, "b", generation=1)
    replay(folder, outcome("a"))
    past = PastDelivery(folder, f"{SCOPE.id}-d1")
    assert ({"a"}, ENDPOINT) == (past.delivered({"a", "b"}), past.endpoint())
    assert [True, False] == ["-g01-" in name for name in past.quarantine()]


def test_a_delivery_that_can_not_be_read_is_told() -> None:
    """It is not taken for one of another operation, whose records would be paid for again."""
    folder = MemoryFolder()
    reject(folder, "a")
    folder.store.files[f"{folder}/delivery-{SCOPE.id}-d1-g0.json"] = b"{"
    with pytest.raises(TransientError, match="can't read the state"):
        PastDelivery(folder, f"{SCOPE.id}-d1").endpoint()
    assert PastDelivery(MemoryFolder(), f"{SCOPE.id}-d1").endpoint() is None
