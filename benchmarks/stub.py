"""A stub of OpenAI's embeddings, images, files and uploads endpoints that is faster than any Python client.

It listens on 127.0.0.1, prints its port, and ends when its standard input is closed or after ``--max-seconds``, so
that it never outlives who started it. Answers are encoded beforehand. ``GET /stub/stats`` tells what came,
``POST /stub/reset`` forgets it and fills the buckets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import struct
import sys
import zlib
from array import array
from base64 import b64encode
from collections import deque
from functools import lru_cache
from typing import Any

import httptools
import msgspec
from stub_account import Account, Refusal

MODEL = "text-embedding-3-small"
REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}


class EmbeddingBody(msgspec.Struct):
    """What is read of a request for embeddings."""

    input: str | list[str]
    encoding_format: str = "float"


_read_body = msgspec.json.Decoder(EmbeddingBody).decode


class Answers:
    """The JSON answers, with the same vector for each input.

    :param dimensions: length of the vector.
    """

    def __init__(self, dimensions: int) -> None:
        numbers = random.Random(7)  # noqa: S311 - any numbers will do
        vector = array("f", (numbers.uniform(-0.1, 0.1) for _ in range(dimensions)))
        self.image = json.dumps({"created": 1, "data": [{"b64_json": b64encode(_png()).decode()}]}).encode()
        self._vectors = {"base64": json.dumps(b64encode(vector.tobytes()).decode()), "float": json.dumps(list(vector))}

    @lru_cache(maxsize=64)  # noqa: B019 - there is one, for the life of the process
    def embeddings(self, inputs: int, tokens: int, encoding: str) -> bytes:
        """Give the answer to so many inputs."""
        usage = f'"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}'
        return b"".join((self._items(inputs, encoding), f'],"model":"{MODEL}",{usage}}}'.encode()))

    @lru_cache(maxsize=8)  # noqa: B019 - as above
    def _items(self, inputs: int, encoding: str) -> bytes:
        vector = self._vectors[encoding]
        items = (f'{{"object":"embedding","index":{i},"embedding":{vector}}}' for i in range(inputs))
        return ('{"object":"list","data":[' + ",".join(items)).encode()


def _png() -> bytes:
    """Give a PNG of 24x24 random pixels, 1.8 kB."""
    pixels = b"".join(b"\0" + random.Random(line).randbytes(24 * 3) for line in range(24))  # noqa: S311 - noise
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 24, 24, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    ]
    body = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


class Stub:
    """The server: what all connections share.

    :param latency: seconds from a request's arrival to its answer; refusals are answered at once.
    :param hides_limits: whether the answers say nothing of limits, as servers that only resemble OpenAI's do.
    """

    def __init__(self, account: Account, answers: Answers, latency: float, *, hides_limits: bool = False) -> None:
        self.account = account
        self.answers = answers
        self.latency = latency
        self._due: deque[tuple[float, Connection, bytes, int, str]] = deque()
        self._number = 0
        self._hides_limits = hides_limits
        self._tell_limits()

    def embed(self, connection: Connection, body: bytes, client: str) -> None:
        """Answer a request for embeddings."""
        request = _read_body(body)
        texts = [request.input] if isinstance(request.input, str) else request.input
        tokens = sum(max(1, (len(text) + 3) // 4) for text in texts)
        self._enter()
        match self.account.judge(tokens, [hash(text) for text in texts]):
            case Refusal() as refusal:
                self._send(connection, self._refused(refusal), 429, client)
            case 503:
                error = {"message": "The server is overloaded.", "type": "server_error", "param": None, "code": None}
                self._later(connection, self._answer(503, json.dumps({"error": error}).encode()), 503, client)
            case _:
                content = self.answers.embeddings(len(texts), tokens, request.encoding_format)
                self._later(connection, self._answer(200, content), 200, client)

    def draw(self, connection: Connection, client: str) -> None:
        """Answer a request for one image: a PNG of noise, always the same."""
        self._enter()
        self._later(connection, self._answer(200, self.answers.image), 200, client)

    def take_file(self, connection: Connection, size: int, client: str) -> None:
        """Answer an upload whose body was read and thrown away."""
        self._enter()
        self.account.counts.uploaded_bytes += size
        file = {"id": "file-bench", "object": "file", "bytes": size, "created_at": 1, "expires_at": None}
        more = {"filename": "bench.jsonl", "purpose": "user_data", "status": "processed", "status_details": None}
        self._later(connection, self._answer(200, json.dumps(file | more).encode()), 200, client)

    def take_upload(self, connection: Connection, step: str, size: int, client: str) -> None:
        """Answer a request of an upload in parts; a part was read and thrown away."""
        self._enter()
        self._number += 1
        answer: dict[str, Any] = {"id": "upload_bench", "object": "upload", "created_at": 1, "expires_at": 1 << 40}
        match step:
            case "parts":
                self.account.counts.uploaded_bytes += size
                answer = {"id": f"part_{self._number}", "object": "upload.part", "created_at": 1, "upload_id": "u"}
            case "complete":
                file = {"id": "file-bench", "object": "file", "bytes": self.account.counts.uploaded_bytes}
                more = {"filename": "bench.jsonl", "purpose": "user_data", "status": "processed", "created_at": 1}
                answer |= {"status": "completed", "file": file | more}
        answer |= {"filename": "bench.jsonl", "purpose": "user_data", "bytes": 0} if step != "parts" else {}
        self._later(connection, self._answer(200, json.dumps({"status": "pending"} | answer).encode()), 200, client)

    def control(self, connection: Connection, path: bytes) -> None:
        """Answer a request for the counts; it is not counted itself."""
        if path == b"/stub/reset":
            self.account.reset()
        connection.write(self._answer(200, json.dumps(self.account.stats()).encode()))

    def not_found(self, connection: Connection) -> None:
        """Answer a request for anything else."""
        connection.write(self._answer(404, b'{"error": {"message": "The stub has no such path", "type": "stub"}}'))

    def _enter(self) -> None:
        counts = self.account.counts
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)

    def _later(self, connection: Connection, answer: bytes, status: int, client: str) -> None:
        if not self.latency:
            self._send(connection, answer, status, client)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + self.latency
        self._due.append((due, connection, answer, status, client))
        if len(self._due) == 1:
            loop.call_at(due, self._send_due)

    def _send_due(self) -> None:
        """Send what is due, in order; all wait equally long, so that one timer serves."""
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.0005
        while self._due and self._due[0][0] <= now:
            _, *answer = self._due.popleft()
            self._send(*answer)
        if self._due:
            loop.call_at(self._due[0][0], self._send_due)

    def _send(self, connection: Connection, answer: bytes, status: int, client: str) -> None:
        self.account.count(status, client)
        self.account.counts.in_flight -= 1
        connection.write(answer)

    def _refused(self, refusal: Refusal) -> bytes:
        message = f"Rate limit reached for {MODEL} on {refusal.kind} per min. Please try again in {refusal.wait_ms}ms."
        error = {"message": message, "type": refusal.kind, "param": None, "code": "rate_limit_exceeded"}
        seconds = max(1, -(-refusal.wait_ms // 1000))
        extra = f"retry-after-ms: {refusal.wait_ms}\r\nretry-after: {seconds}\r\n"
        return self._answer(429, json.dumps({"error": error}).encode(), extra)

    def _answer(self, status: int, content: bytes, extra: str = "") -> bytes:
        self._number += 1
        if self.account.is_limited:
            self._tell_limits()
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}\r\ncontent-type: application/json\r\n"
            f"x-request-id: req_{self._number:032x}\r\nopenai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\n"
            f"{self._limits}{extra}content-length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def _tell_limits(self) -> None:
        if self._hides_limits:
            self._limits = ""
            return
        buckets = {"requests": self.account.requests, "tokens": self.account.tokens}
        self._limits = "".join(
            f"x-ratelimit-limit-{name}: {bucket.limit}\r\nx-ratelimit-remaining-{name}: {int(bucket.level)}\r\n"
            f"x-ratelimit-reset-{name}: {bucket.reset_in()}\r\n"
            for name, bucket in buckets.items()
        )


class Connection(asyncio.Protocol):
    """One connection; the body of an upload is counted and not kept."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._path = b""
        self._client = ""
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the transport: an answer that is due for it goes nowhere."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def write(self, data: bytes) -> None:
        """Send an answer, unless the client is gone."""
        if self._transport is not None:
            self._transport.write(data)

    def on_url(self, url: bytes) -> None:
        """Begin a request."""
        self._path, self._body, self._size = url, [], 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._path == b"/v1/embeddings":
            self._body.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """Answer."""
        match self._path:
            case b"/v1/embeddings":
                self._stub.embed(self, b"".join(self._body), self._client)
            case b"/v1/images/generations":
                self._stub.draw(self, self._client)
            case b"/v1/files":
                self._stub.take_file(self, self._size, self._client)
            case path if path.startswith(b"/v1/uploads"):
                self._stub.take_upload(self, path.decode().rpartition("/")[2], self._size, self._client)
            case b"/stub/stats" | b"/stub/reset":
                self._stub.control(self, self._path)
            case _:
                self._stub.not_found(self)


class NamedConnection(Connection):
    """A connection that tells clients apart by their key, so that each one's share is counted."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read whose request it is."""
        if name.lower() == b"authorization":
            self._client = value.decode()[-8:]


async def serve(arguments: argparse.Namespace) -> None:
    """Listen until standard input is closed, or for ``--max-seconds``."""
    storm = (
        (arguments.storm_after, arguments.storm_after + arguments.storm_seconds) if arguments.storm_seconds else None
    )
    account = Account(
        rpm=arguments.rpm,
        tpm=arguments.tpm,
        burst_seconds=arguments.burst_seconds,
        charge_failed=arguments.charge_failed,
        storm=storm,
    )
    stub = Stub(account, Answers(arguments.dimensions), arguments.latency_ms / 1000, hides_limits=arguments.hide_limits)
    kind = NamedConnection if arguments.tell_clients_apart else Connection
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: kind(stub), "127.0.0.1", arguments.port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    try:
        await asyncio.wait_for(_closed_input(loop), arguments.max_seconds)
    except TimeoutError:
        print(f"The stub ends after {arguments.max_seconds} s", file=sys.stderr)
    finally:
        server.close()


async def _closed_input(loop: asyncio.AbstractEventLoop) -> None:
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose (default)")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--dimensions", type=int, default=1536, help="length of the vectors")
    parser.add_argument("--rpm", type=int, help="requests a minute; no limit unless given")
    parser.add_argument("--tpm", type=int, help="tokens a minute; no limit unless given")
    parser.add_argument("--burst-seconds", type=float, default=1.0, help="how many seconds of a limit a bucket holds")
    parser.add_argument("--charge-failed", action="store_true", help="a 429 costs one request, too")
    parser.add_argument("--hide-limits", action="store_true", help="send no x-ratelimit headers")
    parser.add_argument("--storm-after", type=float, default=0, help="seconds from the first request to the 503s")
    parser.add_argument("--storm-seconds", type=float, default=0, help="how long every answer is a 503")
    parser.add_argument("--tell-clients-apart", action="store_true", help="count for each key")
    parser.add_argument("--max-seconds", type=float, default=900, help="end after so long in any case")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(serve(_arguments()))
