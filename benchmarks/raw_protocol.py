"""A bare client: asyncio.Protocol and a search for the end of the answer, no HTTP library. It shows the ceiling."""

from __future__ import annotations

import argparse
import asyncio
import json
from urllib.parse import urlsplit

from measured import Cost

BODY = json.dumps(
    {
        "model": "text-embedding-3-small",
        "input": "a short text of some forty characters long",
        "encoding_format": "base64",
    }
)


class Requests(asyncio.Protocol):
    """Sends the same request again and again over one connection.

    :param left: how many requests all connections together have left.
    """

    def __init__(self, request: bytes, left: list[int]) -> None:
        self._request = request
        self._left = left
        self._missing = 0
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first one."""
        self._transport = transport  # type: ignore[assignment]
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """End."""
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Count the answer's bytes, and send the next request when all are there."""
        if not self._missing:
            head, _, rest = data.partition(b"\r\n\r\n")
            self._missing = int(head.rpartition(b"content-length: ")[2]) - len(rest)
        else:
            self._missing -= len(data)
        if not self._missing:
            self._send()

    def _send(self) -> None:
        assert self._transport is not None  # noqa: S101 - it is connected
        if not self._left[0]:
            self._transport.close()
            return
        self._left[0] -= 1
        self._transport.write(self._request)


async def send(base_url: str, requests: int, concurrency: int) -> None:
    """Send so many requests over so many connections."""
    address = urlsplit(base_url)
    head = f"POST {address.path}/embeddings HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(BODY)}\r\n\r\n{BODY}".encode()
    left = [requests]
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Requests(request, left), address.hostname, address.port)
        for _ in range(concurrency)
    ]
    await asyncio.gather(*(protocol.closed for _, protocol in made))


def main() -> None:
    """Send, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--concurrency", type=int, default=64)
    arguments = parser.parse_args()
    cost = Cost()
    asyncio.run(send(arguments.base_url, arguments.requests, arguments.concurrency))
    print(json.dumps(cost.so_far() | {"done": arguments.requests, "lost": 0, "pending": 0, "errors": []}))


if __name__ == "__main__":
    main()
