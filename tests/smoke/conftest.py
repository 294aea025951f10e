"""What the smoke test stands on: the installed package, the Airflow that is there, and a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, Sandbox, running_sandbox
from demo.connections import as_environment
from tests.airflow_home import make_airflow_home

AIRFLOW_HOME = make_airflow_home(Path(__file__).resolve().parents[2] / "dags_examples")


def pytest_report_header() -> list[str]:
    """Tell what is tested here."""
    from importlib.metadata import version

    import airflow_provider_openai_dest

    return [
        f"Airflow {version('apache-airflow')}",
        f"package {airflow_provider_openai_dest.__version__} from {Path(airflow_provider_openai_dest.__file__).parent}",
    ]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Give a running sandbox, and the default connections pointing to it, as Airflow reads them in the environment."""
    with (
        running_sandbox(webhook_secret=DEMO_WEBHOOK_SECRET) as running,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in as_environment(running.root_url).items():
            environment.setenv(name, value)
        yield running


@pytest.fixture
def execute(sandbox: Sandbox) -> Callable[[Any], Mapping[str, Any]]:
    """Give a function that executes an operator with the least context a task can have."""

    def run(operator: Any) -> Mapping[str, Any]:
        ti = SimpleNamespace(
            dag_id="smoke",
            run_id="manual__smoke",
            task_id=operator.task_id,
            map_index=-1,
            try_number=1,
            xcom_push=lambda **_: None,
        )
        dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, clear_number=0, logical_date=None, conf={})
        context = {"ti": ti, "task_instance": ti, "task": operator, "dag_run": dag_run, "run_id": ti.run_id}
        manifest: Mapping[str, Any] = operator.execute(context)
        return manifest

    return run
