"""Processes: runs the stub and the clients, each on a core of its own.

The client has core 0 and the stub core 1; where there is only one core they share it. Every process that is started
here ends by itself, or is killed by its number after ``seconds``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CLIENT_CORE, STUB_CORE = 0, 1

Figures = dict[str, Any]


class ClientError(Exception):
    """A client could not be run, or broke; its row in the table says why."""


class RunningStub:
    """A stub that runs now."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self._root}/v1"

    def stats(self) -> Figures:
        """Read the counts."""
        return self._call("GET", "/stub/stats")

    def reset(self) -> None:
        """Forget the counts and fill the buckets."""
        self._call("POST", "/stub/reset")

    def _call(self, method: str, path: str) -> Figures:
        request = urllib.request.Request(self._root + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            figures: Figures = json.load(answer)
        return figures


@contextlib.contextmanager
def running_stub(**options: Any) -> Iterator[RunningStub]:
    """Run a stub for the length of a block; the options are those of stub.py, None and False leave them out."""
    command = [sys.executable, str(HERE / "stub.py"), *as_arguments(options)]
    with on_core(STUB_CORE):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield RunningStub(int(process.stdout.readline()))
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)  # closes its standard input, which ends it
        if process.poll() is None:
            process.kill()
            process.communicate()


def run_client(
    command: Sequence[str], *, seconds: float = 300, environment: Mapping[str, str] | None = None
) -> Figures:
    """Run one client to its end and give the JSON of its last line."""
    return run_clients([command], seconds=seconds, environment=environment)[0]


def run_clients(
    commands: Sequence[Sequence[str]], *, seconds: float = 300, environment: Mapping[str, str] | None = None
) -> list[Figures]:
    """Run clients beside each other on the client's core, and give the JSON of the last line of each."""
    # Bytecode is kept, as users have it; PYTHONPATH makes the package of this checkout the one that is measured.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = inherited | {"PYTHONPATH": str(ROOT)} | dict(environment or {})
    with contextlib.ExitStack() as stack:
        running = []
        for command in commands:
            errors = stack.enter_context(tempfile.TemporaryFile("w+"))
            with on_core(CLIENT_CORE):
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
            running.append((process, errors))
        return [_end_of(process, errors, seconds) for process, errors in running]


def _end_of(process: subprocess.Popen[str], errors: Any, seconds: float) -> Figures:
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise ClientError(f"took longer than {seconds:g} s") from None
    if process.returncode:
        errors.seek(0)
        lines = errors.read().strip().splitlines() or [f"exit code {process.returncode}"]
        raise ClientError(lines[-1][:200])
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Start processes on one core within the block: they inherit it."""
    allowed = os.sched_getaffinity(0)
    if core not in allowed:
        yield
        return
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def as_arguments(options: Mapping[str, Any]) -> list[str]:
    """Write options as a command line has them: ``latency_ms=50`` becomes ``--latency-ms 50``."""
    arguments = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        arguments.append(f"--{name.replace('_', '-')}")
        if value is not True:
            arguments.append(str(value))
    return arguments


def ours_command(what: str, base_url: str, results: Path, **options: Any) -> list[str]:
    """Give the command line of ours.py."""
    script = str(HERE / "ours.py")
    return [sys.executable, script, what, *as_arguments({"base_url": base_url, "results": results, **options})]


@contextlib.contextmanager
def results_folder() -> Iterator[Path]:
    """Give an empty folder for results on the disk of this checkout, and remove it afterwards."""
    place = ROOT / ".bench"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix="results-") as folder:
        yield Path(folder)
