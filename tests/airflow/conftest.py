"""Airflow for these tests: a home of its own, a database for those that ask, and Dags run in this process."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, Sandbox, running_sandbox
from demo.connections import as_environment
from tests.airflow_home import make_airflow_home

if TYPE_CHECKING:
    from airflow.sdk import DAG

REPOSITORY = Path(__file__).resolve().parents[2]
DAGS_EXAMPLES = REPOSITORY / "dags_examples"

AIRFLOW_HOME = make_airflow_home(DAGS_EXAMPLES)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """Give the folder that is AIRFLOW_HOME for these tests."""
    return AIRFLOW_HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """Make Airflow's database, once, and only when a test asks for it (5 CPU-s); gives its file."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True, timeout=120)
    return airflow_home / "airflow.db"


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """Run one sandbox for all tests of the session; :func:`sandbox` gives it cleared."""
    with running_sandbox(webhook_secret=DEMO_WEBHOOK_SECRET) as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Give a sandbox that has seen nothing, with the connections of the example Dags pointing to it."""
    shared_sandbox.set_faults()
    shared_sandbox.reset()
    for name, value in as_environment(shared_sandbox.root_url).items():
        monkeypatch.setenv(name, value)
    return shared_sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class DagRunResult:
    """What a Dag run did: its state, each task's, and each task's return value (a list for a mapped task)."""

    state: str
    task_states: Mapping[str, Any] = field(default_factory=dict)
    xcoms: Mapping[str, Any] = field(default_factory=dict)


@pytest.fixture
def run_dag(airflow_db: Path) -> Callable[..., DagRunResult]:
    """Give a function that runs a Dag here by ``dag.test()``: a file of dags_examples by its stem, or a Dag.

    Its keywords are those of ``dag.test()``: ``run_conf``, ``logical_date``, ... The first run in a process
    costs about 10 CPU-s, each one after it a quarter of a second. Give each Dag a dag_id of its own: Airflow 3.1
    keeps the first one of a name.
    """

    def run(dag: str | DAG, **keywords: Any) -> DagRunResult:
        found = _load_example(dag) if isinstance(dag, str) else _save_for_the_scheduler(dag)
        return _read_result(found.test(**keywords))

    return run


def _load_example(stem: str) -> DAG:
    """Read ``dags_examples/<stem>.py`` as the Dag processor does; its Dag is the one of that name, or the only one."""
    file = DAGS_EXAMPLES / f"{stem}.py"
    bag = _dag_bags().DagBag(str(file), bundle_path=DAGS_EXAMPLES)
    assert not bag.import_errors, bag.import_errors
    assert bag.dags, f"no Dag in {file}"
    dag: DAG = bag.dags[stem] if len(bag.dags) > 1 else next(iter(bag.dags.values()))
    return dag


def _save_for_the_scheduler(dag: DAG) -> DAG:
    """Write a Dag that a test made into the database: ``dag.test()`` runs only what it finds there."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    bag = _dag_bags().DagBag(os.devnull, bundle_path=DAGS_EXAMPLES, collect_dags=False)
    bag.bag_dag(dag)
    _dag_bags().sync_bag_to_db(bag, "dags-folder", None)
    return dag


def _dag_bags() -> ModuleType:
    """Give the module of DagBag; it moved in Airflow 3.2, and these tests run on 3.1 as well."""
    try:
        return importlib.import_module("airflow.dag_processing.dagbag")
    except ModuleNotFoundError:
        return importlib.import_module("airflow.models.dagbag")


def _read_result(dag_run: Any) -> DagRunResult:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    values: dict[str, Any] = {}
    with create_session() as session:
        tasks = sorted(dag_run.get_task_instances(session=session), key=lambda ti: (ti.task_id, ti.map_index))
        rows = session.scalars(
            XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id, key="return_value")
        ).all()
    for row in sorted(rows, key=lambda row: (row.task_id, row.map_index)):
        value = XComModel.deserialize_value(row)
        if row.map_index < 0:
            values[row.task_id] = value
        else:
            values.setdefault(row.task_id, []).append(value)
    states = {ti.task_id: str(ti.state) for ti in tasks}
    return DagRunResult(state=str(dag_run.state), task_states=states, xcoms=values)
