"""Run all benchmarks in turn and write benchmarks/RESULTS.md: about 35 minutes, with ``--quick`` less than 5.

``--quick`` shows only that they work; it leaves RESULTS.md as it is and writes .bench/RESULTS-quick.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import import_cost
import memory
import one_record
import packed
import rate_limit
import sharing
import storm
import upload
from processes import ROOT
from rounds import say
from section import Section, table

MEASURES: dict[str, Callable[..., Section]] = {
    "one_record": one_record.measure,
    "packed": packed.measure,
    "rate_limit": rate_limit.measure,
    "sharing": sharing.measure,
    "storm": storm.measure,
    "memory": memory.measure,
    "upload": upload.measure,
    "import_cost": import_cost.measure,
}
OF_OURS = ("apache-airflow", "httpx", "aiohttp", "httptools", "msgspec", "pydantic")
OF_PEERS = {
    "venv": ("apache-airflow-providers-openai", "openai", "aiohttp", "httpx", "httpx-aiohttp"),
    "venv-litellm": ("litellm", "openai"),
}
_PRINT_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
print(json.dumps({name: of(name) for name in sys.argv[1:]}))
"""


def main() -> int:
    """Measure and write; 1 when a script broke, which does not stop the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="one round, fewer records: figures to look at, not to quote"
    )
    parser.add_argument("--only", nargs="*", choices=MEASURES, default=list(MEASURES), help="some of them")
    arguments = parser.parse_args()
    whole = not arguments.quick and set(arguments.only) == set(MEASURES)
    target = ROOT / "benchmarks/RESULTS.md" if whole else ROOT / ".bench/RESULTS-quick.md"

    os.environ["PYTHONPATH"] = str(ROOT)  # this checkout is what is measured
    sys.path.insert(0, str(ROOT))
    began, load = time.monotonic(), os.getloadavg()[0]
    sections: list[Section] = []
    for name in arguments.only:
        say(f"--- {name}, after {(time.monotonic() - began) / 60:.0f} minutes")
        sections.append(measured(name, quick=arguments.quick))
        text = page(sections, minutes=(time.monotonic() - began) / 60, load=load, is_quick=not whole)
        (ROOT / ".bench/RESULTS-part.md").write_text(text)
    target.write_text(text)
    print(text)
    return int(any(section.is_broken for section in sections))


def measured(name: str, *, quick: bool) -> Section:
    """Run one script; where it breaks, the page says so."""
    try:
        return MEASURES[name](quick=quick)
    except Exception as error:  # noqa: BLE001 - half an hour's figures of the others are not thrown away
        traceback.print_exc()
        return Section(title=name, about=f"**It broke: {type(error).__name__}.**", is_broken=True)


def page(sections: list[Section], *, minutes: float, load: float, is_quick: bool) -> str:
    """Write the page: what is asked beside what was measured, where it was measured, and each table."""
    demands = [{"of": section.title} | demand.row() for section in sections for demand in section.demands]
    parts = [
        "# Results of the benchmarks",
        "Printed by `make bench`; how it is measured, and how fair it is, stands in [README.md](README.md).",
        *(["**A part or a quick run: figures to look at, not to quote.**"] if is_quick else []),
        "## What is asked, and what was measured",
        table(demands),
        "## Where",
        table([{"what": what, "is": value} for what, value in surroundings(minutes, load).items()]),
        *(section.as_markdown(with_demands=False).strip() for section in sections),
    ]
    return "\n\n".join(parts).replace(str(ROOT), ".") + "\n"


def surroundings(minutes: float, load: float) -> dict[str, str]:
    """Tell the machine and the versions."""
    ours = ", ".join(f"{name} {version(name)}" for name in OF_OURS if _is_installed(name))
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes",
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores; client on core 0, stub on core 1, loopback only",
        "load average before": f"{load:.2f}",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "this package": f"{version('airflow-provider-openai-dest')}, commit {_commit()}",
        "with": ours,
        "peers": "; ".join(_peer_versions(venv, names) for venv, names in OF_PEERS.items()),
    }


def _peer_versions(venv: str, names: tuple[str, ...]) -> str:
    python = ROOT / ".bench" / venv / "bin" / "python"
    if not python.exists():
        return f"{names[0]}: not installed"
    run = subprocess.run([python, "-c", _PRINT_VERSIONS, *names], check=True, capture_output=True, text=True)
    versions = json.loads(run.stdout)
    return ", ".join(f"{name} {versions[name] or '(not installed)'}" for name in names)


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
