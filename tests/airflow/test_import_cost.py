"""What a Dag file loads when it imports an operator. How long that takes is for benchmarks/import_cost.py."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys

import pytest

from airflow_provider_openai_dest import operators

# Heavy, and of no use until a task runs. Airflow parses each Dag file again every half minute.
TOO_HEAVY = {"aiohttp", "numpy", "openai", "pandas", "pyarrow", "tiktoken"}

ROOM = "airflow_provider_openai_dest.operators"
OPERATOR_MODULES = [module.name for module in pkgutil.iter_modules(operators.__path__, f"{ROOM}.")]

# Airflow's SDK is imported once; then each module of operators/ into a fork of that interpreter.
_LOAD_EACH = """
import importlib, os, sys

import airflow.sdk

heavy = set(sys.argv[1].split(","))
for name in sys.argv[2:]:
    before = set(sys.modules)
    sys.stdout.flush()
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, name
        continue
    importlib.import_module(name)
    for loaded in sorted(heavy & (set(sys.modules) - before)):
        print(f"{name} loads {loaded}", flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_parsing_a_dag_loads_nothing_heavy() -> None:
    """Importing any operator brings in neither openai nor numpy, pandas, aiohttp, pyarrow or tiktoken."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOAD_EACH, ",".join(sorted(TOO_HEAVY)), *OPERATOR_MODULES],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stderr


def test_there_are_operators_to_look_at() -> None:
    """The list above is not empty by a mistake of its own."""
    assert len(OPERATOR_MODULES) >= 6
