"""A server that costs next to nothing: answers embeddings requests from memory, after a latency, on one core.

Run by the benchmarks in a process of its own. It reads just enough of a request to find its end and the number of its
inputs, and sends one base64 vector of 1,536 numbers for each.
"""

from __future__ import annotations

import asyncio
import re
import sys
from base64 import b64encode

import httptools

DIMENSIONS = 1536
_VECTOR = b64encode(b"\x00\x00\x80\x3c" * DIMENSIONS)
_ITEM = b'{"object":"embedding","index":%d,"embedding":"' + _VECTOR + b'"}'
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_stub\r\n"
    b"openai-processing-ms: 1\r\nopenai-version: 2020-10-01\r\nContent-Length: %d\r\n\r\n"
)
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"')


def answer(inputs: int) -> bytes:
    """Give the whole answer for so many inputs."""
    items = b",".join(_ITEM % index for index in range(inputs))
    body = (
        b'{"object":"list","model":"text-embedding-3-small","data":[' + items + b'],"usage":{"prompt_tokens":%d,"total_tokens":%d}}'
    ) % (inputs * 8, inputs * 8)
    return _HEAD % len(body) + body


class Stub(asyncio.Protocol):
    """One connection."""

    latency = 0.0
    answers: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        start = self.body.find(b'"input":[')
        inputs = len(_TEXTS.findall(self.body[start + 9 : self.body.find(b"]", start)])) if start >= 0 else 1
        self.body = b""
        content = self.answers.get(inputs) or self.answers.setdefault(inputs, answer(inputs))
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, content)
        else:
            self.transport.write(content)


async def main(latency: float) -> None:
    """Serve until the parent ends this process."""
    Stub.latency = latency
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
