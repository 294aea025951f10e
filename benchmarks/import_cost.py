"""Measure what importing each operator adds to ``import airflow.sdk``, in CPU seconds; exit 1 above the bound.

A Dag file pays this each time Airflow parses it. Each round is a new interpreter that imports ``airflow.sdk`` and then
forks one child for each operator, which times its own import: 0.1 s would be lost in the noise of two whole
interpreters' 1.3 to 2.6 s. The figures are medians over the rounds; the first round only readies the bytecode.
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from statistics import median

from section import Demand, Section

OPERATORS = "airflow_provider_openai_dest.operators"

_TIME_EACH = """
import gc, importlib, json, os, sys, time

began = time.process_time()
import airflow.sdk
print(json.dumps(["airflow.sdk", time.process_time() - began]), flush=True)
gc.freeze()
for name in sys.argv[1:]:
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, name
        continue
    began = time.process_time()
    importlib.import_module(name)
    print(json.dumps([name, time.process_time() - began]), flush=True)
    os._exit(0)
"""


def main() -> int:
    """Print the figures, worst first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bound", type=float, default=0.10, help="CPU seconds an operator may add (default: 0.10)")
    parser.add_argument("--rounds", type=int, default=7, help="interpreters to measure in (default: 7)")
    arguments = parser.parse_args()

    medians = medians_of(arguments.rounds)
    print(f"{medians.pop('airflow.sdk'):6.3f} CPU-s  import airflow.sdk (median of {arguments.rounds})")
    for name, seconds in sorted(medians.items(), key=lambda item: -item[1]):
        print(f"{seconds:+6.3f} CPU-s  import {name}")
    worst = max(medians.values())
    print(f"{'OVER' if worst > arguments.bound else 'within'} the bound of {arguments.bound:.2f} CPU-s: {worst:.3f}")
    return int(worst > arguments.bound)


def measure(*, quick: bool = False) -> Section:
    """Measure, as the other scripts do."""
    medians = medians_of(1 if quick else 7)
    seconds = medians.pop("airflow.sdk")
    return Section(
        title="Parsing a Dag file",
        about=f"CPU seconds that importing each operator adds to `import airflow.sdk` ({seconds:.2f} s).",
        rows=[
            {"operator's module": name.rpartition(".")[2], "CPU s": f"{added:+.3f}"}
            for name, added in sorted(medians.items(), key=lambda item: -item[1])
        ],
        demands=[
            Demand(what="import of an operator, the dearest", bound=0.10, measured=max(medians.values()), unit=" CPU s")
        ],
    )


def medians_of(rounds: int) -> dict[str, float]:
    """Give the CPU seconds of each import; one more round is run first, which only readies the bytecode."""
    names = operator_modules()
    times = [one_round(names) for _ in range(rounds + 1)][1:]
    return {name: median(each[name] for each in times) for name in ["airflow.sdk", *names]}


def operator_modules() -> list[str]:
    """Name the modules of operators/."""
    spec = find_spec(OPERATORS)
    if spec is None or spec.submodule_search_locations is None:
        sys.exit(f"{OPERATORS} is not installed here")
    return [module.name for module in pkgutil.iter_modules(spec.submodule_search_locations, f"{OPERATORS}.")]


def one_round(names: list[str]) -> dict[str, float]:
    """Give the CPU seconds of ``import airflow.sdk``, and of each operator's import after it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-W", "ignore", "-c", _TIME_EACH, *names]
    run = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(line) for line in run.stdout.splitlines() if line.startswith("["))


if __name__ == "__main__":
    sys.exit(main())
