"""Scene: one delivery under trial: its records, its stub, its folder, and the tries that are started and killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.chaos.worker import Try, asdict, run_in_child, supervise

REPOSITORY = Path(__file__).parents[2]
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""Keeps tokenizers from looking for a vocabulary elsewhere."""

LONGEST_SECONDS = 240.0
"""No try and no wait takes longer; a trial that would is a failed one."""

# Airflow forks its tasks from a process that has imported everything, too.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "tests.chaos.worker"])


@dataclass(frozen=True)
class Request:
    """One request as the stub saw it; the times are monotonic and the same for all processes."""

    came_at: float
    answered_at: float | None
    client: str
    first: int
    records: int
    word: str


class Stub:
    """The fault stub in a process of its own.

    :param records: how many records there are.
    """

    def __init__(self, records: int) -> None:
        command = [sys.executable, "-m", "tests.chaos.stub", "--records", str(records), "--max-seconds", "900"]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port, self.hook_port = map(int, self._process.stdout.readline().split())
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self.hook_url = f"http://127.0.0.1:{self.hook_port}/hook"

    def plan(self, **plan: Any) -> None:
        """Say what is done to the requests from now on."""
        self._ask("plan", plan)

    def hook(self, **plan: Any) -> dict[str, Any]:
        """Say what is done to the webhooks from now on, and give what came."""
        return msgspec.json.decode(self._ask("hook", plan or None))

    def wait_for(self, requests: int, worker: Worker, seconds: float = 60.0) -> bool:
        """Wait until so many requests came; False when they did not, in time or before the worker's end."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with suppress(TimeoutError):
                self._ask(f"wait?seen={requests}", seconds=1.0)
                return True
            if not worker.is_alive:
                break
        return False

    def executions(self) -> bytes:
        """Give how often the work of each record was done: a byte a record."""
        return self._ask("executions")

    def requests(self) -> list[Request]:
        """Give all requests in the order in which they came."""
        return [Request(*one) for one in msgspec.json.decode(self._ask("requests"))]

    def seen(self) -> int:
        """Give the number of requests."""
        return int(self._ask("wait?seen=0"))

    def lost(self) -> list[int]:
        """Give the records whose answers were lost in a reset after the work."""
        return msgspec.json.decode(self._ask("lost"))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, what: str, body: Any = None, seconds: float = 60.0) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            content = None if body is None else json.dumps(body)
            connection.request("GET" if content is None else "POST", f"/control/{what}", content)
            return connection.getresponse().read()
        finally:
            connection.close()


class Worker:
    """A try that runs as a process."""

    def __init__(self, one: Try, log: Path, *, pid_file: Path | None = None) -> None:
        self._report = Path(one.report)
        self.one = one
        self.began_at = time.monotonic()
        self._pid_file = pid_file
        arguments = (asdict(one), str(log)) + ((str(pid_file),) if pid_file else ())
        self.process: ForkServerProcess = _FORKS.Process(target=supervise if pid_file else run_in_child, args=arguments)
        self.process.start()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.is_alive()

    @property
    def pid(self) -> int:
        """Give its process id; that of the task, not of its supervisor."""
        if self._pid_file is None:
            assert self.process.pid is not None
            return self.process.pid
        wait_until(self._pid_file.exists, 20)
        return int(self._pid_file.read_text())

    def kill(self) -> None:
        """Kill it, or its supervisor when it has one, so that it has no time for anything."""
        self.process.kill()
        self.process.join()

    def terminate(self) -> float:
        """Ask it to end, as Airflow does; give the time."""
        at = time.monotonic()
        self.process.terminate()
        return at

    def wait(self, seconds: float = LONGEST_SECONDS) -> Report:
        """Wait for its end and read its report; one that takes longer is killed."""
        self.process.join(seconds)
        has_ended = not self.is_alive
        if not has_ended:
            self.kill()
        return self.report() if has_ended and self._report.exists() else Report(error="Killed")

    def memory(self) -> int:
        """Give the most bytes that it has held."""
        return peak_bytes(self.pid)

    def report(self) -> Report:
        """Read what it wrote at its end."""
        return msgspec.convert(json.loads(self._report.read_text()), Report)


class Report(msgspec.Struct, kw_only=True):
    """What a try said at its end."""

    manifest: dict[str, Any] | None = None
    error: str | None = None
    message: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    most_bytes: int = 0
    grown_bytes: int = 0

    def count(self, name: str) -> int:
        """Give a number of the manifest; -1 when there is none of it."""
        return -1 if self.manifest is None else int(self.manifest.get(name, -1))

    @property
    def adds_up(self) -> bool:
        """Whether each record has one end."""
        ends = sum(self.count(name) for name in ("delivered", "rejected", "pending"))
        return self.manifest is not None and ends == self.count("input")


class Scene:
    """A data set, a stub and a folder; used as a context, it leaves no process and no file.

    :param records: how many there are.
    :param settings: fields of :class:`Try` that are the same for all tries.
    """

    def __init__(self, records: int, **settings: Any) -> None:
        self.records = records
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.results = self.folder / "results"
        self.results.mkdir()
        self._settings = settings
        self._workers: list[Worker] = []
        self.tries = 0
        write_records(self.folder / "records.jsonl", records)
        self.stub = Stub(records)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if worker.is_alive:
                worker.kill()
            worker.process.close()
        self.stub.close()
        if os.environ.get("CHAOS_KEEP"):
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *, is_supervised: bool = False, **settings: Any) -> Worker:
        """Start the next try."""
        self.tries += 1
        one = Try(
            **{
                "source": str(self.folder / "records.jsonl"),
                "results": str(self.results),
                "base_url": self.stub.base_url,
                "report": str(self.folder / f"report-{self.tries}.json"),
                "number": self.tries,
            }
            | self._settings
            | settings
        )
        pid_file = self.folder / f"pid-{self.tries}" if is_supervised else None
        worker = Worker(one, self.folder / "log", pid_file=pid_file)
        self._workers.append(worker)
        return worker

    def finish(self, most_tries: int = 10, **settings: Any) -> Report:
        """Run tries to their ends until one of them says that nothing is left; give the last one's report."""
        report = Report(error="NotStarted")
        for _ in range(most_tries):
            report = self.start(**settings).wait()
            if report.error is None:
                break
        return report

    def log(self) -> str:
        """Give what the tries have logged."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


def write_records(path: Path, records: int) -> None:
    """Write the data set."""
    with path.open("w") as stream:
        stream.writelines(
            f'{{"key": "{number}", "text": "key-{number:07d} some words that are embedded"}}\n'
            for number in range(records)
        )


def peak_bytes(pid: int) -> int:
    """Give the most memory that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def end_process(pid: int) -> None:
    """End a process that outlived its parent."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(holds: Any, seconds: float, step: float = 0.02) -> bool:
    """Wait until something holds; False when it does not in time."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(step)
    return True


def repeats(executions: Iterable[int]) -> int:
    """Give how often work was done that had been done before."""
    return sum(times - 1 for times in executions if times > 1)
