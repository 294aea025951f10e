# ruff: noqa: INP001 - no package: a script's module beside the pages that it prints into
"""What the examples give back, printed by running them against the sandbox (`make docs`); this needs Airflow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from airflow.sdk import DAG

from airflow_provider_openai_dest.rendering.tokens import estimate_tokens
from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, Sandbox, running_sandbox
from demo.connections import as_environment
from docs.examples import LAKE, REPOSITORY, examples, make_lake

RUN_ID = "manual__2026-11-22T08:00:00+00:00"

# What differs from run to run, and what stands for it.
_STEADY: Mapping[str, Any] = {
    "seconds": 1.7,
    "created": 1795334401,
    "created_at": 1795334401,
    "completed_at": 1795334402,
    "expires_at": 1795420801,
    "timestamp": "2026-11-22T08:00:01+00:00",
    "request_id": "req_6f1c0a5be2d94c3f",
    "crc32": "5d3f0c7a",
}
_ID = re.compile(r"^([a-z]+[-_])[0-9a-f]{16,}$")
_LONGEST = 60
_FILE_BYTES = 48_211  # what a picture compresses to differs from one zlib to the next

Take = Callable[[Sandbox, dict[str, Any]], Any]


def manifest(page: str, task_id: str) -> str:
    """Print the manifest that a task of a page returns."""
    return _sample(page, task_id, lambda _, manifest: manifest)


def estimate(page: str, task_id: str) -> str:
    """Print what a task of a page returns with ``estimate_only``; its tokens are estimated, whatever is installed."""
    with patch("airflow_provider_openai_dest.rendering.input_tokens.token_counter", lambda _: estimate_tokens):
        return _sample(page, task_id, lambda _, found: found, estimate_only=True)


def part(page: str, task_id: str, name: str) -> str:
    """Print one field of that manifest; of ``outcomes``, the first."""
    return _sample(page, task_id, lambda _, manifest: manifest["outcomes"][0] if name == "outcomes" else manifest[name])


def answer(page: str, task_id: str) -> str:
    """Print the answer that the first record of a task gets."""
    return _sample(page, task_id, lambda _, manifest: manifest["outcomes"][0]["answer"])


def row(page: str, task_id: str, kind: str = "results", status: str = "rejected") -> str:
    """Print the first row with a status, of the files that a manifest names as its ``kind``."""
    return _sample(
        page, task_id, lambda _, manifest: next(row for row in _rows(manifest[kind]) if row["status"] == status)
    )


def webhook(page: str, task_id: str) -> str:
    """Print the webhook of the first record of a task."""
    return _sample(page, task_id, lambda sandbox, _: min(_webhooks(sandbox), key=lambda body: body["data"]["position"]))


def _sample(page: str, task_id: str, take: Take, *, estimate_only: bool = False) -> str:
    with TemporaryDirectory() as folder, _sandbox() as sandbox:
        lake = make_lake(Path(folder) / "lake")
        results = {"AIRFLOW__OPENAI_DEST__RESULTS_PATH": str(lake / "openai_dest")}
        with patch.dict(os.environ, as_environment(sandbox.root_url) | results):
            task = _task(page, task_id, lake)
            task.estimate_only = estimate_only
            taken = take(sandbox, _execute(task))
        steady = json.dumps(_steadied(taken), indent=2).replace(str(lake), LAKE)
    return f"\n```json\n{steady}\n```\n\n"


@contextmanager
def _sandbox() -> Iterator[Sandbox]:
    with running_sandbox(webhook_secret=DEMO_WEBHOOK_SECRET) as sandbox:
        yield sandbox


def _task(page: str, task_id: str, lake: Path) -> Any:
    """Build the example that has this task, and give the task."""
    example = next(each for each in examples(REPOSITORY / page) if f'task_id="{task_id}"' in each.text)
    with DAG("shop", schedule=None) as dag:
        exec(example.with_lake(lake), {})  # noqa: S102 - the pages are this repository's own
    return dag.task_dict[task_id]


def _execute(operator: Any) -> dict[str, Any]:
    """Render and run a task; its manifest is given also when the task fails."""
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id="shop",
        run_id=RUN_ID,
        task_id=operator.task_id,
        map_index=-1,
        try_number=1,
        xcom_push=lambda key, value: pushed.update({key: value}),
    )
    context = {"ti": ti, "dag_run": SimpleNamespace(run_id=RUN_ID, clear_number=0), "run_id": RUN_ID}
    operator.render_template_fields(context)
    try:
        done: dict[str, Any] = operator.execute(context)
    except Exception:
        if not pushed:
            raise
        done = pushed["return_value"]
    return done


def _webhooks(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [item["body"] for item in sandbox.inbox()["items"]]


def _rows(pattern: str) -> list[dict[str, Any]]:
    folder, _, name = pattern.rpartition("/")
    return [json.loads(line) for path in sorted(Path(folder).glob(name)) for line in path.read_text().splitlines()]


def _steadied(value: Any, name: str = "") -> Any:
    if name in _STEADY and value is not None:
        return _STEADY[name]
    if isinstance(value, Mapping):
        size = {"bytes": _FILE_BYTES} if "path" in value else {}
        return {inner: _steadied(item, inner) for inner, item in value.items()} | size
    if isinstance(value, list):
        return [_steadied(item) for item in value]
    if name == "id" and isinstance(value, str) and (found := _ID.match(value)):
        return f"{found[1]}8c1e0f7a2b"
    if isinstance(value, str) and len(value) > _LONGEST and " " not in value and "/" not in value[:1]:
        return f"{value[:12]}..."
    return value
