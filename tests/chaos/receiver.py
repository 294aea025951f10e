"""Receiver: a server of webhooks that is down, slow, broken or forgetful as its plan says, and keeps all that came."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from typing import Any

import httptools
from standardwebhooks import Webhook, WebhookVerificationError

from tests.chaos.damage import chance

SECRET = "whsec_Y2hhb3MtdGVzdC1zZWNyZXQtbm90LWEtc2VjcmV0ISE="  # made of the words "chaos-test-secret-not-a-secret!!"


class Receiver:
    """Takes webhooks on a port of its own.

    An item is taken before its answer may be lost, so that it comes again: a duplicate.
    """

    def __init__(self) -> None:
        self._webhook = Webhook(SECRET)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._plan: dict[str, Any] = {}
        self._came: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._digests: dict[str, set[str]] = {}
        self._unverified = 0
        self.port = 0

    async def open(self) -> None:
        """Listen, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Be down: no port is open, and every connection is gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()

    def set_plan(self, plan: dict[str, Any]) -> None:
        """Take ``is_down``, ``fail_share``, ``slow_share``, ``slow_seconds``, ``lost_share`` and ``seed``."""
        self._plan = plan
        if plan.get("is_down"):
            self.close()
        elif self._server is None:
            self._opening = asyncio.ensure_future(self.open())

    def report(self) -> dict[str, Any]:
        """Give how often each id came and was taken, how many signatures were wrong, and whether a body changed."""
        return {
            "came": sum(self._came.values()),
            "taken": dict(self._taken),
            "unverified": self._unverified,
            "changed_bodies": sum(len(digests) > 1 for digests in self._digests.values()),
        }

    def receive(self, connection: _Connection, headers: dict[str, str], body: bytes) -> None:
        """Take one item, or do what the plan says."""
        item = headers.get("webhook-id", "")
        self._came[item] += 1
        seed, times = self._plan.get("seed", 1), self._came[item]
        try:
            self._webhook.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            self._unverified += 1
        if chance(seed, "fail", item, times) < self._plan.get("fail_share", 0.0):
            connection.answer(500)
            return
        self._taken[item] += 1
        self._digests.setdefault(item, set()).add(hashlib.sha256(body).hexdigest())
        if chance(seed, "lost", item, times) < self._plan.get("lost_share", 0.0):
            connection.abort()
        elif chance(seed, "late", item, times) < self._plan.get("slow_share", 0.0):
            asyncio.get_running_loop().call_later(self._plan.get("slow_seconds", 1.0), connection.answer, 200)
        else:
            connection.answer(200)

    def add(self, connection: _Connection) -> None:
        """Know a connection."""
        self._connections.add(connection)

    def remove(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._headers: dict[str, str] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._receiver.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._receiver.remove(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._receiver.receive(self, self._headers, self._body)

    def answer(self, status: int) -> None:
        """Answer without content."""
        if self._transport is not None:
            self._transport.write(f"HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n".encode())

    def abort(self) -> None:
        """Break off."""
        if self._transport is not None:
            self._transport.abort()
