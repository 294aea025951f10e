"""The command line as a part of Airflow's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_openai_dest.cli.commands import COMMANDS
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import api_requests

SCHEMA: dict[str, Any] = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())

pytestmark = pytest.mark.skipif("cli" not in SCHEMA["properties"], reason="Airflow before 3.2 takes no commands")


def test_airflow_has_each_command() -> None:
    """With its options, as its own parser reads them."""
    from airflow.cli.cli_parser import get_parser

    needed = ["--input", "x.jsonl", "--endpoint", "create_response"]
    for name, command in COMMANDS.items():
        words = needed if "input" in command.options else []
        words += ["--results", "out"] if "results" in command.options else []
        options = get_parser().parse_args(["openai-dest", name, *words])
        assert options.conn_id is None


def test_airflow_sends_a_file(sandbox: Sandbox, airflow_db: Path, tmp_path: Path) -> None:
    """The real command, with an Airflow connection; it prints the manifest and nothing else."""
    file = tmp_path / "questions.jsonl"
    file.write_text('{"q": "one"}\n{"q": "two"}\n')
    account = ("--conn-id", "openai_dest_default")
    body = ("--endpoint", "create_response", "--body", '{"model": "gpt-6-luna", "input": "{message.q}"}')
    words = ("--input", str(file), *body, "--results", str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "openai-dest", "send", *account, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert 0 == done.returncode, done.stderr
    assert (2, 2) == (json.loads(done.stdout)["delivered"], api_requests(sandbox))
