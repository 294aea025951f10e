"""Run the whole flow once and print what came of it (`make demo`).

It goes to the sandbox or, with REAL=1, to OpenAI.
Writes ``.demo/report.json``, which continuous integration checks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from connections import as_environment

ROOT = Path(__file__).resolve().parent.parent
DAG_FILE = ROOT / "dags_examples" / "whole_flow.py"
REPORT = ROOT / ".demo" / "report.json"
IS_REAL = os.environ.get("REAL") == "1"
TASKS = ("upload", "embed", "embed_wishes", "draw", "ask", "forward")
FORWARDED_TASKS = ("embed", "ask")
CHARACTERS_A_TOKEN = 4


@contextmanager
def sandbox() -> Iterator[str]:
    """Run the sandbox beside this process and give its root URL."""
    command = [sys.executable, "-m", "airflow_provider_openai_dest.sandbox"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if "http" not in line:
            raise SystemExit("demo: the sandbox did not start")
        yield line.split()[-1].removesuffix("/v1")
    finally:
        process.terminate()
        process.wait(timeout=10)


def agree_to_pay(module: dict[str, Any]) -> None:
    """Say what REAL=1 will send, and go on only when somebody says yes (or nobody can be asked)."""
    texts = [f"{text['name']}: {text['text']}" for text in module["docstrings"]()] + module["WISHES"]
    tokens = sum(map(len, texts)) // CHARACTERS_A_TOKEN
    print(f"This sends 5 requests or a few more to OpenAI: 1 file, {len(texts)} texts of about {tokens:,} tokens to")
    print(f"{module['MODEL']}, 1 image of low quality to gpt-image-2, 1 question to gpt-6-luna (200 tokens at most).")
    if sys.stdin.isatty() and input("Send it? [y/N] ").strip().lower() != "y":
        raise SystemExit("demo: nothing was sent")


def run_dag(module: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Run the Dag in this process and give its state and what each task returned."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    dag_run = module["DAG"].test()
    with create_session() as session:
        rows = session.scalars(
            XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id, key="return_value")
        ).all()
    return str(dag_run.state), {row.task_id: XComModel.deserialize_value(row) for row in rows}


def load_dag() -> dict[str, Any]:
    """Read the Dag as Airflow's Dag processor does, and give its module's names."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAG_FILE), bundle_path=DAG_FILE.parent)
    if bag.import_errors:
        raise SystemExit(f"demo: {bag.import_errors}")
    module = next(module for name, module in sys.modules.items() if getattr(module, "__file__", None) == str(DAG_FILE))
    return {**vars(module), "DAG": bag.dags["whole_flow"]}


def read_inbox(root_url: str) -> dict[str, Any]:
    """Ask the inbox what it got."""
    with urlopen(f"{root_url}/sandbox/inbox", timeout=10) as answer:
        inbox: dict[str, Any] = json.load(answer)
    return inbox


def report(state: str, returned: dict[str, Any], inbox: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Add up what continuous integration checks."""
    manifests = [returned[task] for task in TASKS if task in returned]
    counts = {
        name: sum(manifest[name] for manifest in manifests) for name in ("input", "delivered", "rejected", "pending")
    }
    images = [
        image["path"]
        for outcome in returned.get("draw", {}).get("outcomes") or ()
        for image in outcome["answer"]["data"]
    ]
    return {
        "state": state,
        **counts,
        "requests": sum(manifest["requests"] for manifest in manifests),
        "webhooks_expected": sum(returned[task]["delivered"] for task in FORWARDED_TASKS if task in returned),
        "webhooks_received": inbox["distinct"],
        "webhooks_verified": inbox["distinct"] if not inbox["refused"] else 0,
        "webhooks_refused": inbox["refused"],
        "images": images,
        "nearest": {wish: list(best) for wish, best in returned.get("nearest", {}).items()},
        "seconds": round(seconds, 1),
    }


def show(returned: dict[str, Any], figures: dict[str, Any]) -> None:
    """Print what happened."""
    print(f"\n{'task':14}{'records':>9}{'delivered':>11}{'rejected':>10}{'requests':>10}{'tokens':>10}")
    for task in TASKS:
        manifest = returned.get(task)
        if manifest:
            usage = manifest["usage"].get("total_tokens", "")
            print(
                f"{task:14}{manifest['input']:>9}{manifest['delivered']:>11}{manifest['rejected']:>10}"
                f"{manifest['requests']:>10}{usage:>10}"
            )
    print(f"\nwebhook inbox: {figures['webhooks_received']} items, {figures['webhooks_refused']} bad signatures")
    print(f"image: {', '.join(figures['images'])}")
    print(f"answers: {returned.get('embed', {}).get('results')}")
    print("\nWhat do you want to do?        The nearest of the installed operators")
    for wish, best in returned.get("nearest", {}).items():
        print(f"  {wish:30}" + ", ".join(f"{name} ({score:.2f})" for name, score in best.items()))
    print(f"\n{figures['state']} in {figures['seconds']} s")


def main() -> int:
    """Run the demo; 0 when the Dag run succeeded."""
    started = time.monotonic()
    if IS_REAL and not os.environ.get("OPENAI_API_KEY"):
        raise SystemExit("demo: REAL=1 needs the key in OPENAI_API_KEY")
    with sandbox() as root_url:
        os.environ |= as_environment(root_url, os.environ["OPENAI_API_KEY"] if IS_REAL else None)
        module = load_dag()
        if IS_REAL:
            agree_to_pay(module)
        print(
            f"Running {DAG_FILE.relative_to(ROOT)} against {'OpenAI' if IS_REAL else f'the sandbox at {root_url}'} ..."
        )
        state, returned = run_dag(module)
        figures = report(state, returned, read_inbox(root_url), time.monotonic() - started)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=2))
    show(returned, figures)
    return 0 if state == "success" else 1


if __name__ == "__main__":
    raise SystemExit(main())
