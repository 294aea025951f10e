"""Operators run as a worker runs them, without a scheduler: rendered, then executed, against a sandbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from glob import glob
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from airflow.sdk.types import NOTSET

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, Sandbox

KEY = "sk-proj-operatortests0123456789abcdef"
SECRET = DEMO_WEBHOOK_SECRET
EMBED = {"model": "text-embedding-3-small", "dimensions": 8}
ASK = {"url": "/responses", "body": {"model": "gpt-6-luna", "input": "{message.q}"}}

Row = dict[str, Any]


# -- a task ------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class TaskInstance:
    """Who runs, what it pushed, and what ``upstream`` tasks have left for it."""

    task_id: str
    dag_id: str = "delivery"
    run_id: str = "manual__2026-11-22T08:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    reschedules: int = 0
    upstream: Mapping[str, Any] = field(default_factory=dict)
    pushed: Row = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what is pushed, as it would be read back."""
        self.pushed[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, **_: Any) -> Any:
        """Give what an upstream task has left."""
        return self.upstream.get(task_ids, NOTSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one try of a task ended: what stands in its XCom, and what it raised."""

    xcom: Row
    error: BaseException | None


def attempt(operator: Any, *, clear_number: int = 0, **who: Any) -> Attempt:
    """Render and execute a copy of an operator, as a worker does; ``who`` are fields of :class:`TaskInstance`."""
    return _execute(copy(operator), clear_number, TaskInstance(task_id=operator.task_id, **who))


def attempt_in_place(operator: Any) -> Attempt:
    """Do the same with the operator itself, where the test wants to call its ``on_kill``."""
    return _execute(operator, 0, TaskInstance(task_id=operator.task_id))


def _execute(operator: Any, clear_number: int, ti: TaskInstance) -> Attempt:
    dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, clear_number=clear_number, conf={})
    context = {"ti": ti, "task_instance": ti, "task": operator, "dag_run": dag_run, "run_id": ti.run_id}
    context["task_reschedule_count"] = ti.reschedules
    operator.render_template_fields(context)
    error: BaseException | None = None
    try:
        ti.xcom_push("return_value", operator.execute(context))
    except Exception as raised:  # noqa: BLE001 - the caller says what it expects
        error = raised
    xcom = ti.pushed.get("return_value") or {}
    if xcom:
        assert xcom["delivered"] + xcom["rejected"] + xcom["pending"] == xcom["input"]
    return Attempt(xcom=xcom, error=error)


class RunningTask:
    """An operator that is executed in a thread of its own, and can be killed from this one."""

    def __init__(self, operator: Any) -> None:
        self._operator = copy(operator)
        self._ended: Attempt | None = None
        self._thread = threading.Thread(target=self._run, name="task")
        self._thread.start()

    def kill(self) -> None:
        """Do what Airflow does when the task is to end."""
        self._operator.on_kill()

    def result(self, timeout: float) -> Attempt:
        """Wait until the task has ended, so many seconds at most."""
        self._thread.join(timeout)
        assert self._ended is not None, f"the task had not ended after {timeout} s"
        return self._ended

    def _run(self) -> None:
        self._ended = _execute(self._operator, 0, TaskInstance(task_id=self._operator.task_id))


def run(operator: Any, **who: Any) -> Row:
    """Render and execute an operator, and give the manifest that it returned."""
    ended = attempt(operator, **who)
    if ended.error is not None:
        raise ended.error
    return ended.xcom


def fail(operator: Any, kind: type[BaseException], words: str = "", **who: Any) -> Attempt:
    """Render and execute an operator that must raise an error of exactly that type with those words in it."""
    ended = attempt(operator, **who)
    assert type(ended.error) is kind, ended.error
    assert words in str(ended.error)
    return ended


def refuse(make: Callable[[], Any], words: str = "") -> None:
    """Make and execute an operator that must fail without a retry: when the Dag is parsed, or when the task runs."""
    try:
        operator = make()
    except ConfigurationError as error:
        assert words in str(error)
    else:
        fail(operator, AirflowFailException, words)


def rows_of(pattern: str | None) -> list[Row]:
    """Read the rows that a manifest's ``results`` or ``quarantine`` names, by position."""
    lines = [line for path in sorted(glob(pattern or "")) for line in Path(path).read_bytes().splitlines()]  # noqa: PTH207
    return sorted(map(json.loads, lines), key=lambda row: row["position"])


def counts(manifest: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Give input, delivered, rejected and pending."""
    return manifest["input"], manifest["delivered"], manifest["rejected"], manifest["pending"]


# -- what it talks to --------------------------------------------------------------------------------


def openai_connection(host: str, **fields: Any) -> str:
    """Write a connection to OpenAI as Airflow reads it in the environment."""
    return json.dumps({"conn_type": "openai_dest", "password": KEY, "host": host} | fields)


def webhook_connection(host: str, **fields: Any) -> str:
    """Write a connection to a webhook on this machine."""
    extra = {"allowed_private_networks": ["127.0.0.0/8"]}
    return json.dumps({"conn_type": "openai_dest_webhook", "password": SECRET, "host": host, "extra": extra} | fields)


def requests_to(sandbox: Sandbox, operation: str = "POST /v1/responses") -> int:
    """Give how many requests of one operation the sandbox was sent."""
    return sum(sandbox.stats()["requests"].get(operation, {}).values())


def api_requests(sandbox: Sandbox) -> int:
    """Give how many requests the sandbox was sent in all, but for webhooks."""
    return sum(
        sum(outcomes.values())
        for operation, outcomes in sandbox.stats()["requests"].items()
        if not operation.endswith("/inbox")
    )


def file_content(sandbox: Sandbox, file_id: str) -> bytes:
    """Read an uploaded file back."""
    url = f"{sandbox.base_url}/files/{file_id}/content"
    return httpx.get(url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False).raise_for_status().content


def inbox_items(sandbox: Sandbox) -> list[Row]:
    """Give what the webhook inbox took in: items, or batches of them."""
    return [item["body"] for item in sandbox.inbox(limit=1000)["items"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it arrived; ``target`` is path and query as they were on the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Reply = tuple[int, str, bytes]


@contextmanager
def recording_server(answer: Callable[[Seen], Reply] | None = None) -> Iterator[tuple[str, list[Seen]]]:
    """Run a server that keeps what it is sent; gives its root URL and the list. It answers ``{"ok": true}``."""
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Seen(method=self.command, target=self.path, headers=headers, body=body)
            seen.append(request)
            status, content_type, content = answer(request) if answer else (200, "application/json", b'{"ok": true}')
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _reply  # noqa: N815 - http.server's own names

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()
