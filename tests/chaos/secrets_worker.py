"""The worker of the secrets: runs an operator once for each mode, and writes down all that Airflow would get to see.

``python -m tests.chaos.secrets_worker '{"folder": ..., ...}'`` takes the fields of :class:`Told`. Its standard error is
the log, at DEBUG.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import resource
import sys
import threading
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from tests.airflow_home import make_airflow_home

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Modes that run at the same time: most of it they wait for an outage to end."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the worker is told.

    :param sources: by mode, the file of the records.
    :param connections: by mode, the connection to OpenAI and that to the webhook.
    :param keeps: whether records may stand in results and quarantine.
    """

    folder: str
    sources: dict[str, str]
    connections: dict[str, tuple[str, str]]
    keeps: bool


def main() -> None:
    """Run all modes, each in a process of its own."""
    told = Told(**json.loads(sys.argv[1]))
    make_airflow_home(Path(told.folder))
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    import tests.airflow.operator_context  # noqa: F401 - once, for all that are forked

    left = 0
    for mode in told.connections:
        if left == AT_ONCE:
            left -= bool(os.wait())
        if not os.fork():
            _run_and_exit(told, mode)
        left += 1
    for _ in range(left):
        os.wait()


def _run_and_exit(told: Told, mode: str) -> None:
    """Run a mode in a process of its own, which some of them end."""
    try:
        _run(told, mode)
    except BaseException:  # noqa: BLE001 - a child must not go on as its parent would
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(0)


def _run(told: Told, mode: str) -> None:
    from airflow_provider_openai_dest import OpenAISendRecordsOperator
    from airflow_provider_openai_dest.endpoints.embeddings import CREATE_EMBEDDING
    from tests.airflow.operator_context import attempt

    _log_everything()
    log.debug("Mode %s", mode)
    api, hook = told.connections[mode]
    os.environ |= {"AIRFLOW_CONN_API": api, "AIRFLOW_CONN_HOOK": hook}
    results = Path(told.folder) / mode.replace(" ", "_")
    results.mkdir()
    if mode == "disk":
        # The files that a test reads are written before the limit; the log is a pipe, which has none.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    packing = CREATE_EMBEDDING.packing
    assert packing is not None
    operator = OpenAISendRecordsOperator(
        task_id="send",
        endpoint=replace(CREATE_EMBEDDING, packing=replace(packing, max_records=1)),
        conn_id="api",
        webhook_conn_id="hook" if hook else None,
        source=told.sources[mode],
        key="key",
        body={"model": "text-embedding-3-small", "input": "{message.text}"},
        results=str(results),
        keep_records=told.keeps,
        quarantine_records=told.keeps,
        ambiguous_retries=0,
        concurrency=4,
    )
    if mode == "kill":
        _kill_soon(results)
    ended = attempt(operator, run_id=mode)
    log.warning("Mode %s ended with %s", mode, type(ended.error).__name__)
    if mode == "disk":
        print("".join(_shown(ended.error)), repr(ended.xcom), file=sys.stderr)
        return
    (results / "xcom.json").write_text(json.dumps(ended.xcom))
    (results / "error.txt").write_text("".join(_shown(ended.error)))


def _log_everything() -> None:
    """Log at DEBUG, whatever Airflow has set for itself and others."""
    names = list(logging.root.manager.loggerDict)
    for logger in map(logging.getLogger, names):
        logger.setLevel(logging.NOTSET)
        logger.propagate, logger.disabled = True, False
    logging.root.addHandler(logging.StreamHandler(sys.stderr))
    logging.root.setLevel(logging.DEBUG)


def _shown(error: BaseException | None) -> list[str]:
    """Give all that can be seen of an exception: its text with causes, its arguments, its pickle."""
    if error is None:
        return ["None"]
    pickled = repr(pickle.loads(pickle.dumps(error)).__dict__)  # noqa: S301 - it was pickled here
    return [*traceback.format_exception(error), repr(error), repr(getattr(error, "__dict__", {})), pickled]


def _kill_soon(results: Path) -> None:
    """End this process as the kernel does when memory is short, once rows are written."""

    def kill() -> None:
        while not any(path.stat().st_size for path in results.glob("outcomes-*")):
            time.sleep(0.01)
        os.kill(os.getpid(), 9)

    threading.Thread(target=kill, daemon=True).start()


if __name__ == "__main__":
    main()
