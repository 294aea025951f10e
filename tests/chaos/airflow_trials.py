"""Airflow: retry, clear, a killed supervisor and a superseded try, in a real Airflow with the LocalExecutor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil  # Airflow brings it

from tests.chaos.real_airflow import RealAirflow
from tests.chaos.rows import Rows
from tests.chaos.scene import Stub, end_process, repeats, runs, wait_until, write_records
from tests.chaos.stop_trials import last_of
from tests.chaos.trial import Check, Trial, at_most, equal, none, side_by_side

KEY = "sk-chaos-airflow"
CLIENT = "airflow"
"""As which the stub knows a request with that key."""

DAGS = """
from dataclasses import replace
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_openai_dest import OpenAISendRecordsOperator
from airflow_provider_openai_dest.endpoints.embeddings import CREATE_EMBEDDING

ONE_A_REQUEST = replace(CREATE_EMBEDDING, packing=replace(CREATE_EMBEDDING.packing, max_records=1))

for name, retries in {"retry": 1, "clear": 0, "orphan": 1, "fence": 0}.items():
    with DAG(name, schedule=None) as globals()[name]:
        OpenAISendRecordsOperator(
            task_id="send",
            endpoint=ONE_A_REQUEST,
            conn_id=name,
            source=f"FOLDER/{name}.jsonl",
            key="key",
            body={"model": "text-embedding-3-small", "input": "{message.text}"},
            results=f"FOLDER/{name}",
            concurrency=8,
            ambiguous_retries=0,
            retries=retries,
            retry_delay=timedelta(seconds=10),
        )
"""


class Case:
    """One Dag: its stub, its data set and its results."""

    def __init__(self, name: str, records: int, folder: Path, seed: int) -> None:
        self.name = name
        self.records = records
        self.seed = seed
        self.folder = folder
        self.results = folder / name
        self.stub = Stub(records)
        write_records(folder / f"{name}.jsonl", records)

    @property
    def connection(self) -> str:
        """Write the connection to the stub."""
        return json.dumps({"conn_type": "openai_dest", "password": KEY, "host": self.stub.base_url})

    def delivered(self) -> set[str]:
        """Give the keys of the records that are delivered."""
        return Rows(self.results).read().with_status("delivered")

    def lost(self) -> int:
        """Count the records that are not delivered."""
        return self.records - len(self.delivered())

    def has_sent(self, least: int) -> bool:
        """Wait until so many requests came."""
        return wait_until(lambda: self.stub.seen() >= least, 90, 0.1)


def airflow(seed: int, *, records: int, long: int) -> Iterator[Check]:
    """Run all cases, two at a time, in one Airflow."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-airflow-"))
    dags = folder / "home" / "dags"
    dags.mkdir(parents=True)
    (dags / "chaos.py").write_text(DAGS.replace("FOLDER", str(folder)))
    cases: list[Case] = []
    try:
        cases += [Case(name, long if name in LONG else records, folder, seed) for name in CASES]
        with RealAirflow(folder / "home", {case.name: case.connection for case in cases}) as airflow:
            found = side_by_side(lambda case: list(CASES[case.name](case, airflow)), cases, at_once=2)
        yield from (check for checks in found for check in checks)
        yield none("files of this Airflow with the API key in them", files_with(KEY, folder))
    finally:
        for case in cases:
            case.stub.close()
        if os.environ.get("CHAOS_KEEP"):
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def retry(case: Case, airflow: RealAirflow) -> Iterator[Check]:
    """Lose answers in the first try; nothing in the second."""
    case.stub.plan(seed=case.seed, reset_share=0.3)
    airflow.trigger(case.name)
    state = airflow.wait_for(case.name, "up_for_retry")
    settled, executed = case.delivered(), case.stub.executions()
    first = case.stub.seen()
    case.stub.plan(seed=case.seed)
    yield equal("retry: the first try ends", "up_for_retry", state)
    yield Check("retry: settled then, and left: > 0", (len(settled), case.lost()), 0 < len(settled) < case.records)
    yield equal("retry: the second try ends", "success", airflow.wait_for(case.name, "success"))
    yield equal("retry: its requests, those left", case.records - len(settled), case.stub.seen() - first)
    yield none("retry: settled records sent again", sent_again(case, settled, executed))
    yield none("retry: records lost", case.lost())


def clear(case: Case, airflow: RealAirflow) -> Iterator[Check]:
    """Refuse some records and then the quota; mend both; clear; and clear what is finished."""
    bad = list(range(3, case.records // 2, 20))
    case.stub.plan(seed=case.seed, bad=bad, refuse_after=case.records // 2)
    airflow.trigger(case.name)
    state = airflow.wait_for(case.name, "failed")
    settled, executed, first = case.delivered(), case.stub.executions(), case.stub.seen()
    rejected = Rows(case.results).read().with_status("rejected")
    left = case.records - len(settled)
    case.stub.plan(seed=case.seed)
    yield equal("clear: with rejected and pending ones the task ends", "failed", state)
    yield Check(
        "clear: delivered, rejected and pending then: > 0",
        (len(settled), len(rejected), left - len(rejected)),
        bool(settled and rejected) and left > len(rejected),
    )
    airflow.clear(case.name)
    yield equal("clear: after the repair it ends", "success", airflow.wait_for(case.name, "success"))
    second = case.stub.seen()
    yield equal("clear: its requests, what was not delivered", left, second - first)
    yield none("clear: delivered records sent again", sent_again(case, settled, executed))
    yield none("clear: records lost, or executed twice", case.lost() + repeats(case.stub.executions()))
    airflow.clear_by_command(case.name)
    yield equal("clear of a finished one, by the command: it sends", True, case.has_sent(second + 1))
    yield equal("clear of a finished one: it ends", "success", airflow.wait_for(case.name, "success"))
    yield equal("clear of a finished one: its requests, all", case.records, case.stub.seen() - second)


def orphan(case: Case, airflow: RealAirflow) -> Iterator[Check]:
    """Kill the process that supervises the task, and leave the task."""
    case.stub.plan(seed=case.seed, delay_ms=(60, 120))
    airflow.trigger(case.name)
    has_sent = case.has_sent(100)
    task = int(airflow.task(case.name)["pid"])
    supervisor = psutil.Process(task).parent()
    assert supervisor is not None
    killed_at = time.monotonic()
    os.kill(supervisor.pid, signal.SIGKILL)
    if not wait_until(lambda: not runs(task), 30):
        end_process(task)
    settled, executed = case.delivered(), case.stub.executions()
    after = last_of(case.stub.requests(), CLIENT) - killed_at
    yield equal("orphan: it was sending when killed, and had more", (True, True), (has_sent, case.lost() > 0))
    yield at_most("orphan: seconds to its last request", 5.0, after)
    case.stub.plan(seed=case.seed)
    yield equal("orphan: the next try ends", "success", airflow.wait_for(case.name, "success", 120))
    yield none("orphan: settled records sent again", sent_again(case, settled, executed))
    yield none("orphan: records lost", case.lost())


def fence(case: Case, airflow: RealAirflow) -> Iterator[Check]:
    """Take the task instance's id away from a try that runs: mark it failed, and clear it in a paused Dag."""
    case.stub.plan(seed=case.seed, delay_ms=(60, 120))
    airflow.trigger(case.name)
    has_sent = case.has_sent(100)
    before = airflow.task(case.name)
    task = int(before["pid"])
    airflow.pause(case.name, is_paused=True)
    airflow.mark_failed(case.name)
    airflow.clear(case.name)
    cleared_at = time.monotonic()
    was_running = runs(task)
    if not wait_until(lambda: not runs(task), 40):
        end_process(task)
    ended_after = time.monotonic() - cleared_at
    settled, executed = case.delivered(), case.stub.executions()
    after = last_of(case.stub.requests(), CLIENT) - cleared_at
    log = airflow.log(case.name, 1)
    fired = (has_sent, was_running, case.lost() > 0)
    yield equal("fence: it was sending when cleared, and had more", (True, True, True), fired)
    yield equal("fence: the id of the task instance is another", True, airflow.task(case.name)["id"] != before["id"])
    yield equal("fence: a write of the old try was answered", 404, airflow.refusal_of(before["id"]))
    yield at_most("fence: seconds to the last request of the old try", 5.0, after)
    yield at_most("fence: seconds to its end", 5.0, ended_after)
    yield equal("fence: its log says why", True, "a later try of this task has begun" in log)
    case.stub.plan(seed=case.seed)
    airflow.pause(case.name, is_paused=False)
    yield equal("fence: the next try ends", "success", airflow.wait_for(case.name, "success"))
    yield none("fence: settled records sent again", sent_again(case, settled, executed))
    yield none("fence: records lost", case.lost())


CASES: Mapping[str, Callable[[Case, RealAirflow], Iterator[Check]]] = {
    "orphan": orphan,
    "fence": fence,
    "clear": clear,
    "retry": retry,
}
LONG = ("orphan", "fence")
"""Those in which the task must still run when something is done to it."""


def sent_again(case: Case, settled: set[str], executed: bytes) -> int:
    """Count the records that were sent after they were settled."""
    executions = case.stub.executions()
    return sum(executions[int(key)] > executed[int(key)] for key in settled)


def files_with(secret: str, folder: Path) -> int:
    """Count the files in which a secret stands."""
    return sum(secret.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


TRIALS = (Trial(name="airflow", run=airflow, full={"records": 300, "long": 4_000}),)
