"""A real Airflow: scheduler, API server and Dag processor in a home of their own, driven over the REST API."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil  # Airflow brings it

from tests.chaos.scene import NO_NETWORK, REPOSITORY, wait_until

COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
READY_WITHIN = 150.0
HEARTBEAT_SECONDS = 15
"""Longer than Airflow's 5 s, so that what stops a try before is the package, and not the heartbeat."""


class RealAirflow:
    """Runs the Dags of a folder; used as a context, it leaves no process.

    :param home: becomes AIRFLOW_HOME; ``dags`` below it holds the Dag files.
    :param connections: by their ids, as JSON.
    """

    def __init__(self, home: Path, connections: Mapping[str, str]) -> None:
        self.home = home
        self._port = _free_port()
        self._environment = _environment(home, self._port, connections)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            subprocess.run(
                self._command("db", "migrate"), env=self._environment, check=True, capture_output=True, timeout=120
            )
            for name, command in COMPONENTS.items():
                with (self.home / f"{name}.log").open("wb") as log:
                    self._processes[name] = subprocess.Popen(
                        self._command(*command), env=self._environment, stdout=log, stderr=log, start_new_session=True
                    )
            if not wait_until(self._answers, READY_WITHIN, 0.5):
                raise TimeoutError(f"Airflow was not ready within {READY_WITHIN:g} s")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def trigger(self, dag: str) -> None:
        """Start the Dag's only run, once the Dag is known."""
        if not wait_until(lambda: self._ask("GET", f"dags/{dag}")[0] == 200, READY_WITHIN, 0.5):
            raise TimeoutError(f"the Dag {dag} was not there within {READY_WITHIN:g} s")
        self.pause(dag, is_paused=False)
        self._do("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "dag_run_id": "run"})

    def pause(self, dag: str, *, is_paused: bool) -> None:
        """Let the scheduler start nothing of the Dag, or let it again."""
        self._do("PATCH", f"dags/{dag}", {"is_paused": is_paused})

    def task(self, dag: str) -> dict[str, Any]:
        """Give the Dag's task instance."""
        return self._do("GET", f"dags/{dag}/dagRuns/run/taskInstances/send")

    def wait_for(self, dag: str, state: str, seconds: float = 100.0) -> str:
        """Wait until the task is in a state; gives the one that it is in at last."""
        wait_until(lambda: self.task(dag)["state"] == state, seconds, 0.3)
        return str(self.task(dag)["state"])

    def mark_failed(self, dag: str) -> None:
        """Say that the task has failed, whatever it does."""
        self._do("PATCH", f"dags/{dag}/dagRuns/run/taskInstances/send", {"new_state": "failed"})

    def clear(self, dag: str) -> None:
        """Clear the task over the REST API, as the button does."""
        body = {"dry_run": False, "only_failed": False, "dag_run_id": "run", "task_ids": ["send"]}
        self._do("POST", f"dags/{dag}/clearTaskInstances", body)

    def clear_by_command(self, dag: str) -> None:
        """Clear the task with ``airflow tasks clear``."""
        command = self._command("tasks", "clear", dag, "--task-regex", "send", "--yes")
        subprocess.run(command, env=self._environment, check=True, capture_output=True, timeout=60)

    def log(self, dag: str, attempt: int) -> str:
        """Read the log of a try."""
        paths = self.home.glob(f"logs/dag_id={dag}/**/attempt={attempt}.log")
        return "".join(path.read_text(errors="replace") for path in paths)

    def refusal_of(self, task_instance: str) -> int | None:
        """Give the status with which Airflow refused something to a task instance that is not there any more."""
        lines = (self.home / "scheduler.log").read_text(errors="replace").splitlines()
        refused = next((line for line in lines if f"{task_instance} not found" in line), "")
        status = re.search(r"status_code=(\d+)", refused)
        return int(status[1]) if status else None

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {"Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v2/{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _do(self, method: str, path: str, body: Any = None) -> Any:
        status, content = self._ask(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {content[:300]!r}")
        return json.loads(content or b"null")

    def _answers(self) -> bool:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}")
        try:
            return self._ask("GET", "version")[0] == 200
        except (OSError, HTTPException):
            return False

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *words]

    def _stop(self) -> None:
        """End all that was started, tasks included."""
        found = [psutil.Process(process.pid) for process in self._processes.values() if process.poll() is None]
        found += [child for process in found for child in process.children(recursive=True)]
        for signal_it in (psutil.Process.terminate, psutil.Process.kill):
            for process in found:
                try:
                    signal_it(process)
                except psutil.NoSuchProcess:
                    continue
            _, found = psutil.wait_procs(found, timeout=5)
        for started in self._processes.values():
            started.wait(5)


def _environment(home: Path, port: int, connections: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    page = f"http://127.0.0.1:{port}"
    sections = {
        "CORE__DAGS_FOLDER": f"{home}/dags",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__PARALLELISM": "4",
        "CORE__EXECUTION_API_SERVER_URL": f"{page}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": page,
        "API__WORKERS": "1",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "LOGGING__LOGGING_LEVEL": "DEBUG",
        "OPENAI_DEST__CHECK_MODELS": "False",  # the stub counts requests, and has no models
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(2 * HEARTBEAT_SECONDS + 5),
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "WORKERS__MIN_HEARTBEAT_INTERVAL": str(HEARTBEAT_SECONDS),
    }
    return (
        kept
        | {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
        | NO_NETWORK
        | {f"AIRFLOW__{name}": value for name, value in sections.items()}
        | {f"AIRFLOW_CONN_{name.upper()}": text for name, text in connections.items()}
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
