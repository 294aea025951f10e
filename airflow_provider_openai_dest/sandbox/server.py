"""Running the sandbox on a real socket of this machine, in a thread of this process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from airflow_provider_openai_dest.sandbox.app import create_app
from airflow_provider_openai_dest.sandbox.faults import FaultRule
from airflow_provider_openai_dest.sandbox.settings import SandboxSettings
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.wire import TRANSPORT

HOST = "127.0.0.1"  # never another: the sandbox takes any key and keeps what it is sent
LONGEST_START, LONGEST_STOP = 10.0, 5.0


class Sandbox:
    """A running sandbox: its addresses, and its own operations as methods."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.root_url = f"http://{HOST}:{port}"
        self.base_url = f"{self.root_url}/v1"
        self.exchange_url = f"{self.root_url}/oauth/token"
        self.inbox_url = f"{self.root_url}/sandbox/inbox"

    def stats(self) -> dict[str, Any]:
        """Give what was asked for and done: requests by status, executions, items, tokens, faults that fired."""
        return self._ask("GET", "/sandbox/stats")

    def inbox(self, limit: int = 20) -> dict[str, Any]:
        """Give the counts of the webhook inbox and its last items."""
        return self._ask("GET", f"/sandbox/inbox?limit={limit}")

    def set_faults(self, *rules: FaultRule | str, seed: int = 0) -> None:
        """Replace the fault rules; none at all ends the faults."""
        wanted = [rule.as_json() if isinstance(rule, FaultRule) else rule for rule in rules]
        self._ask("POST", "/sandbox/faults", {"faults": wanted, "seed": seed})

    def reset(self) -> None:
        """Clear counters, buckets and the inbox."""
        self._ask("POST", "/sandbox/reset")

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.load(response)
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"]["message"])
        return answer


@contextmanager
def running_sandbox(
    *,
    latency: float = 0.0,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    burst_seconds: float = 1.0,
    faults: Sequence[FaultRule | str] = (),
    seed: int = 0,
    api_key: str | None = None,
    needs_key: bool = True,
    key_header: str = "authorization",
    base64: bool = True,
    subject: str | None = None,
    token_lifetime: float = 3600.0,
    token_requests: int | None = None,
    tokens_taken: int | None = None,
    webhook_secret: str | None = None,
    processing_reads: int = 0,
    batch_reads: int = 0,
    port: int = 0,
) -> Iterator[Sandbox]:
    """Run a sandbox while the ``with`` block lasts, in a thread, on a free port unless one is named.

    The other arguments are those of :class:`.settings.SandboxSettings`.
    """
    settings = SandboxSettings(
        latency=latency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        burst_seconds=burst_seconds,
        faults=faults,
        seed=seed,
        api_key=api_key,
        needs_key=needs_key,
        key_header=key_header,
        base64=base64,
        subject=subject,
        token_lifetime=token_lifetime,
        token_requests=token_requests,
        tokens_taken=tokens_taken,
        webhook_secret=webhook_secret,
        processing_reads=processing_reads,
        batch_reads=batch_reads,
    )
    server = _Server(SandboxState(settings))
    with socket.create_server((HOST, port)) as listener:
        # Inherited by each connection. Python's own loop sets it only on sockets made with an explicit protocol
        # number, and without it each answer on a kept-alive connection waits 40 ms for the client's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=server.run, args=([listener],), name="openai-sandbox", daemon=True)
        thread.start()
        try:
            if not server.ready.wait(LONGEST_START):
                raise RuntimeError("the sandbox did not start; see the thread's error above")
            yield Sandbox(listener.getsockname()[1])
        finally:
            server.stop()
            thread.join(LONGEST_STOP)


class _ConnectionProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at import
    """uvicorn's HTTP protocol, which hands the connection to the application for the faults that break it."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """uvicorn, which tells when it listens and can be stopped at once."""

    def __init__(self, state: SandboxState) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(state),
                http=_ConnectionProtocol,
                ws="none",
                lifespan="off",
                proxy_headers=False,
                log_config=None,  # the process' own logging stays as it is
                access_log=False,
                server_header=False,
                date_header=False,  # uvicorn writes it in the loop that is replaced below
                timeout_keep_alive=75,  # uvicorn's 5 s would close connections under a client that waits for its limit
            )
        )
        self.ready = threading.Event()
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn's own looks for it ten times a second, which a test suite would feel."""
        self._loop = asyncio.get_running_loop()
        self.ready.set()
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port and break all connections off."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def stop(self) -> None:
        """End the server from another thread; answers that are still on their way are lost."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
