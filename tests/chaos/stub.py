"""The fault stub: a server of embeddings that does to each request what its plan says, and remembers all that came.

It counts executions by the record's number, which stands in its text (``key-0000123 some words``); gives each record
a vector that is its own; and keeps when each request came and when its answer was out. Control goes over the same
port below ``/control``. Next to it, on a port of its own, is a receiver of webhooks.

It listens on 127.0.0.1, prints both ports, and ends when its standard input is closed or after ``--max-seconds``. It
is not the package's sandbox, which takes 1.5 ms of CPU a request: a fifth of that is left beside a worker on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httptools
import msgspec

from tests.chaos.damage import DAMAGES, NO_WORK, Answer, chance, good_answer, refusal
from tests.chaos.receiver import Receiver

NUMBER = slice(4, 11)
"""Where the number stands in ``key-0000123 ...``."""


class Body(msgspec.Struct):
    """What is read of a request."""

    input: str | list[str]


_read_body = msgspec.json.Decoder(Body).decode


@dataclass(kw_only=True)
class Plan:
    """What is done to the requests.

    :param delay_ms: an answer's delay, from and to.
    :param slow_share: share of the requests that take ``slow_ms`` instead.
    :param reset_share: share of the executions whose answer is lost in a reset.
    :param bad: numbers of the records that are refused with a 400, and with them a pack that holds one.
    :param damaged: by the word of :data:`DAMAGES`, the numbers of the records whose answers are damaged.
    :param refuse_after: requests after which all are refused, with the word ``refuse_with`` of :data:`REFUSALS`.
    """

    seed: int = 1
    delay_ms: tuple[float, float] = (5.0, 20.0)
    slow_share: float = 0.0
    slow_ms: tuple[float, float] = (0.0, 0.0)
    reset_share: float = 0.0
    bad: list[int] = field(default_factory=list)
    damaged: dict[str, list[int]] = field(default_factory=dict)
    refuse_after: int | None = None
    refuse_with: str = "quota"

    def __post_init__(self) -> None:
        self.is_bad = set(self.bad)
        self.damage_of = {number: word for word, numbers in self.damaged.items() for number in numbers}

    def delay(self, number: int, time_s: int) -> float:
        """Give the seconds that the work takes."""
        is_slow = chance(self.seed, "slow", number, time_s) < self.slow_share
        least, most = self.slow_ms if is_slow else self.delay_ms
        return (least + (most - least) * chance(self.seed, "delay", number, time_s)) / 1000


class Stub:
    """The server: its plan, and what came.

    ``requests`` has ``[came at, answered at, client, first number, records, word]`` for each, with monotonic times;
    the second is None while it is not answered, or when the client had gone.
    """

    def __init__(self, records: int, receiver: Receiver) -> None:
        self.plan = Plan()
        self.receiver = receiver
        self.executions = bytearray(records)
        self.requests: list[list[Any]] = []
        self.lost: list[int] = []
        self._waiting: list[tuple[int, Connection]] = []

    def embed(self, connection: Connection, body: bytes, client: str) -> None:
        """Work on a request for embeddings."""
        texts = _read_body(body).input
        numbers = [int(text[NUMBER]) for text in ([texts] if isinstance(texts, str) else texts)]
        entry = [time.monotonic(), None, client, numbers[0], len(numbers), ""]
        self.requests.append(entry)
        self._tell_waiting()
        if self.plan.refuse_after is not None and len(self.requests) > self.plan.refuse_after:
            self._end(connection, entry, refusal(self.plan.refuse_with))
        elif any(number in self.plan.is_bad for number in numbers):
            self._end(connection, entry, refusal("bad"))
        else:
            self._work(connection, entry, numbers)

    def control(self, connection: Connection, url: bytes, body: bytes) -> None:
        """Answer the harness."""
        parts = urlsplit(url.decode())
        match parts.path.removeprefix("/control/"):
            case "wait":
                self._waiting.append((int(parse_qs(parts.query)["seen"][0]), connection))
                self._tell_waiting()
                return
            case "plan":
                self.plan = Plan(**json.loads(body))
                content = b"{}"
            case "executions":
                content = bytes(self.executions)
            case "requests":
                content = msgspec.json.encode(self.requests)
            case "lost":
                content = msgspec.json.encode(self.lost)
            case "hook":
                if body:
                    self.receiver.set_plan(json.loads(body))
                content = msgspec.json.encode(self.receiver.report())
            case _:
                content = b"there is no such control"
        connection.write(Answer(content=content, word="control").whole())

    def _work(self, connection: Connection, entry: list[Any], numbers: list[int]) -> None:
        first = numbers[0]
        damage = next((word for number in numbers if (word := self.plan.damage_of.get(number))), "")
        times = self.executions[first]
        if damage not in NO_WORK:
            for number in numbers:
                self.executions[number] = min(255, self.executions[number] + 1)
        if chance(self.plan.seed, "reset", first, times) < self.plan.reset_share:
            damage = "reset"
        if damage == "reset":
            self.lost += numbers
        after = self.plan.delay(first, times)
        asyncio.get_running_loop().call_later(after, self._finish, connection, entry, numbers, damage)

    def _finish(self, connection: Connection, entry: list[Any], numbers: list[int], damage: str) -> None:
        answer = good_answer(numbers)
        if damage == "reset":
            entry[5] = damage
            connection.reset()
            return
        self._end(connection, entry, DAMAGES[damage](answer, numbers) if damage else answer)

    def _end(self, connection: Connection, entry: list[Any], answer: Answer) -> None:
        entry[5] = answer.word
        if answer.drips:
            connection.drip(answer, lambda: self._gone(entry))
        elif connection.write(answer.whole(), ends=answer.is_cut):
            entry[1] = time.monotonic()

    def _gone(self, entry: list[Any]) -> None:
        entry[1] = time.monotonic()

    def _tell_waiting(self) -> None:
        if not self._waiting:
            return
        came = len(self.requests)
        for seen, connection in [one for one in self._waiting if one[0] <= came]:
            connection.write(Answer(content=b"%d" % came, word="control").whole())
            self._waiting.remove((seen, connection))


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._client = ""
        self._body = b""
        self._on_gone: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the transport: an answer that is due goes nowhere."""
        self._transport = None
        if self._on_gone is not None:
            self._on_gone()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._body = b""

    def on_url(self, url: bytes) -> None:
        """Take the URL."""
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read whose request it is: the worker's name is the end of its key."""
        if name.lower() == b"authorization":
            self._client = value.decode().rpartition("-")[2]

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        if self._url.startswith(b"/control/"):
            self._stub.control(self, self._url, self._body)
        else:
            self._stub.embed(self, self._body, self._client)

    def write(self, data: bytes, *, ends: bool = False) -> bool:
        """Send an answer; False when the client has gone."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        if ends:
            self._transport.close()
        return True

    def reset(self) -> None:
        """Break the connection off as a crashed server does: lingering for zero seconds makes it a reset."""
        if self._transport is not None:
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    def drip(self, answer: Answer, on_gone: Callable[[], None]) -> None:
        """Send a byte each tenth of a second, until the client has gone."""
        self._on_gone = on_gone
        self.write(answer.head())
        self._drop(answer.content)

    def _drop(self, left: bytes) -> None:
        if left and self.write(left[:1]):
            asyncio.get_running_loop().call_later(0.1, self._drop, left[1:])


async def serve(records: int, max_seconds: float) -> None:
    """Listen until standard input is closed, or for so long."""
    loop = asyncio.get_running_loop()
    receiver = Receiver()
    stub = Stub(records, receiver)
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=1024)
    await receiver.open()
    print(server.sockets[0].getsockname()[1], receiver.port, flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        await asyncio.wait_for(reader.read(), max_seconds)
    except TimeoutError:
        print(f"The stub ends after {max_seconds} s", file=sys.stderr)
    finally:
        receiver.close()
        server.close()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--max-seconds", type=float, default=900)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.records, arguments.max_seconds))


if __name__ == "__main__":
    main()
