"""Run all benchmarks in turn and write benchmarks/RESULTS.md: about 40 minutes, with ``--quick`` less than 5.

``--quick`` shows only that they work; it leaves RESULTS.md as it is and writes .bench/RESULTS-quick.md. ``--only``
takes some anew and leaves the others as they were measured last, each with its date.
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
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import breakdown
import image_memory
import import_cost
import memory
import one_record
import packed
import rate_limit
import sharing
import storm
import upload
import uploads
from processes import ROOT
from rounds import say
from section import Section, table

MEASURES: dict[str, Callable[..., Section]] = {
    "one_record": one_record.measure,
    "packed": packed.measure,
    "breakdown": breakdown.measure,
    "rate_limit": rate_limit.measure,
    "sharing": sharing.measure,
    "storm": storm.measure,
    "memory": memory.measure,
    "image_memory": image_memory.measure,
    "upload": upload.measure,
    "uploads": uploads.measure,
    "import_cost": import_cost.measure,
}
OF_OURS = ("apache-airflow", "httpx", "aiohttp", "uvloop", "httptools", "msgspec", "pybase64", "pydantic")
OF_PEERS = {
    "venv": ("apache-airflow-providers-openai", "openai", "aiohttp", "httpx", "httpx-aiohttp", "pyreqwest"),
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
    parser.add_argument(
        "--only", nargs="*", choices=MEASURES, default=list(MEASURES), help="some of them; the others stay as they were"
    )
    arguments = parser.parse_args()
    found = ROOT / ".bench" / ("found-quick" if arguments.quick else "found")
    found.mkdir(parents=True, exist_ok=True)
    target = ROOT / ".bench/RESULTS-quick.md" if arguments.quick else ROOT / "benchmarks/RESULTS.md"

    os.environ["PYTHONPATH"] = str(ROOT)  # this checkout is what is measured
    sys.path.insert(0, str(ROOT))
    broken, commit = False, _commit()  # before the first page is written, which would be a change
    for name in arguments.only:
        say(f"--- {name}")
        began, load = time.monotonic(), os.getloadavg()[0]
        section = measured(name, quick=arguments.quick)
        broken |= section.is_broken
        minutes = (time.monotonic() - began) / 60
        date = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        section.measured = f"{date} at commit {commit}, in {minutes:.0f} minutes, load before {load:.2f}"
        (found / f"{name}.json").write_text(json.dumps(asdict(section)))
        target.write_text(page([*_kept(found)], is_quick=arguments.quick))
    print(target.read_text())
    return int(broken)


def _kept(found: Path) -> Iterator[Section]:
    """Give what was measured last of each script."""
    for name in MEASURES:
        if (found / f"{name}.json").exists():
            yield Section.from_row(json.loads((found / f"{name}.json").read_text()))


def measured(name: str, *, quick: bool) -> Section:
    """Run one script; where it breaks, the page says so."""
    try:
        return MEASURES[name](quick=quick)
    except Exception as error:  # noqa: BLE001 - half an hour's figures of the others are not thrown away
        traceback.print_exc()
        return Section(title=name, about=f"**It broke: {type(error).__name__}.**", is_broken=True)


def page(sections: list[Section], *, is_quick: bool) -> str:
    """Write the page: what is asked beside what was measured, where it was measured, and each table."""
    demands = [{"of": section.title} | demand.row() for section in sections for demand in section.demands]
    parts = [
        "# Results of the benchmarks",
        "Printed by `make bench`; how it is measured, and how fair it is, stands in [README.md](README.md).",
        *(["**A part or a quick run: figures to look at, not to quote.**"] if is_quick else []),
        "## What is asked, and what was measured",
        table(demands),
        "## Where",
        table([{"what": what, "is": value} for what, value in surroundings().items()]),
        *(section.as_markdown(with_demands=False).strip() for section in sections),
    ]
    return "\n\n".join(parts).replace(str(ROOT), ".") + "\n"


def surroundings() -> dict[str, str]:
    """Tell the machine and the versions."""
    ours = ", ".join(f"{name} {version(name)}" for name in OF_OURS if _is_installed(name))
    return {
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores; client on core 0, stub on core 1, loopback only",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "this package": f"{version('airflow-provider-openai-dest')}",
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
