"""Run Airflow's web page with the example Dags and the sandbox, on 127.0.0.1, until Ctrl-C (`make ui`).

These are the four processes of ``airflow standalone``, started one by one for two reasons: standalone's log servers
listen on every network interface, and it leaves processes behind when it is stopped.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil  # Airflow brings it
from connections import as_environment

COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
READY_WITHIN = 300  # seconds; the first start compiles Airflow's modules, and machines may be slow
STOPPED_WITHIN = 5  # seconds after SIGTERM until SIGKILL

HOME = Path(os.environ["AIRFLOW_HOME"])
PAGE = os.environ["AIRFLOW__API__BASE_URL"]
PORT = int(os.environ["AIRFLOW__API__PORT"])
SANDBOX_PORT = PORT + 1


def main() -> int:
    """Start all, wait until the page answers, then until one of them ends or Ctrl-C."""
    for port in (PORT, SANDBOX_PORT):
        if is_taken(port):
            print(f"Port {port} of 127.0.0.1 is taken: make ui PORT={PORT + 10}")
            return 1
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    try:
        return run()
    except KeyboardInterrupt:
        return 0
    finally:
        print("\nStopping ...", flush=True)
        stop_children()


def run() -> int:
    """Give the exit code of a session that was not interrupted: something ended that should not have."""
    environment = os.environ | as_environment(f"http://127.0.0.1:{SANDBOX_PORT}")
    sandbox = ["-m", "airflow_provider_openai_dest.sandbox", "--port", str(SANDBOX_PORT)]
    processes = {"sandbox": start("sandbox", sandbox, environment)}
    for name, command in COMPONENTS.items():
        processes[name] = start(name, ["-m", "airflow", *command], environment)

    print("Starting Airflow ...", flush=True)
    give_up = time.monotonic() + READY_WITHIN
    announced = False
    while time.monotonic() < give_up or announced:
        for name, process in processes.items():
            if process.poll() is not None:
                print(f"{name} ended with {process.returncode}; the end of {log_of(name)}:\n{log_tail(name)}")
                return 1
        if not announced and answers(f"{PAGE}/api/v2/version"):
            announced = True
            print(f"Open {PAGE}   (sandbox on port {SANDBOX_PORT}, logs in {HOME}; Ctrl-C stops all)", flush=True)
        time.sleep(1)
    print(f"{PAGE} did not answer within {READY_WITHIN} s; see {log_of('api-server')}:\n{log_tail('api-server')}")
    return 1


def start(name: str, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that Ctrl-C does not reach: this one stops it, and its children."""
    with log_of(name).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def stop_children() -> None:
    """End every descendant of this process, tasks that run included; a second Ctrl-C does not cut this short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.terminate()
    _, alive = psutil.wait_procs(children, timeout=STOPPED_WITHIN)
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=STOPPED_WITHIN)


def is_taken(port: int) -> bool:
    """Tell whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Tell whether a page answers 200."""
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def log_of(name: str) -> Path:
    """Name the log file of a process."""
    return HOME / f"ui-{name}.log"


def log_tail(name: str) -> str:
    """Give the last lines of a process' log."""
    return "\n".join(log_of(name).read_text(errors="replace").splitlines()[-15:])


if __name__ == "__main__":
    sys.exit(main())
