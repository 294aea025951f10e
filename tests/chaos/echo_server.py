"""The echo: a broken server whose answers repeat the key and the path that it was sent, each in the way of a mode."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from urllib.parse import quote

from tests.chaos.damage import DAMAGES, Answer, good_answer


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A request: what an answer may repeat of it."""

    path: str
    key: str
    number: int

    @property
    def echo(self) -> str:
        """Repeat it, as error pages of proxies do."""
        spellings = (self.key, quote(self.key, safe=""), quote(self.key), json.dumps(self.key).replace("/", "\\/"))
        return f"{self.path} {quote(self.path, safe='')} {' '.join(spellings)}"


def _json(status: int, code: str, message: str) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(content=json.dumps({"error": error}).encode(), status=status)


def _raw(head: str, content: str) -> bytes:
    return f"{head}\r\ncontent-length: {len(content)}\r\n\r\n{content}".encode()


def _damaged(word: str, heard: Heard) -> bytes:
    return DAMAGES[word](good_answer([heard.number]), [heard.number]).whole()


ANSWERS: dict[str, Callable[[Heard], bytes]] = {
    "ok": lambda heard: good_answer([heard.number]).whole(),
    "reset": lambda heard: b"",
    "half": lambda heard: Answer(content=f'{{"data": [{{"note": {heard.echo!r}, "embedding": "AAA'.encode()).whole(),
    "html": lambda heard: Answer(content=f"<html>{heard.echo}</html>".encode(), content_type="text/html").whole(),
    "400": lambda heard: _json(400, "bad", f"Bad request: {heard.echo}").whole(),
    "401": lambda heard: _json(401, "invalid_api_key", f"Incorrect API key provided: {heard.key}.").whole(),
    "403": lambda heard: _raw(f"HTTP/1.1 403 No {heard.echo}", f"no JSON: {heard.echo}"),
    "503": lambda heard: _raw("HTTP/1.1 503 Down\r\nx-request-id: " + heard.key, heard.echo),
    "redirect": lambda heard: _raw(f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/{heard.key}{heard.path}", ""),
    "bomb": lambda heard: _damaged("bomb", heard),
    "drip": lambda heard: b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + heard.echo.encode(),
    "status line": lambda heard: f"HTTP/{heard.echo} 200\r\n\r\n".encode(),
    "header": lambda heard: f"HTTP/1.1 200 OK\r\n{heard.echo}\x00: {heard.key}\r\n\r\n".encode(),
}
"""The bytes of an answer by mode; ``reset`` breaks off before it, ``drip`` never ends."""


class EchoServer:
    """Answers in the mode that stands in the path, ``/MODE/...``; counts by mode what came to the API and the hook."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.ends = threading.Event()
        self.port = 0

    def url(self, mode: str, rest: str) -> str:
        """Give the address at which it answers in a mode."""
        return f"http://127.0.0.1:{self.port}/{mode.replace(' ', '_')}/{rest}"


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            while heard := self._read():
                if not self._answer(heard):
                    break
        except OSError:
            pass

    def _read(self) -> Heard | None:
        line = self.rfile.readline().split()
        if len(line) < 2:
            return None
        headers = {}
        while (header := self.rfile.readline().strip()) and b":" in header:
            name, _, value = header.partition(b":")
            headers[name.lower().decode()] = value.strip().decode()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        text = json.loads(body or b"{}").get("input", "key-0000000")
        number = int((text if isinstance(text, str) else text[0])[4:11])
        key = headers.get("authorization") or headers.get("webhook-signature") or ""
        return Heard(path=line[1].decode(), key=key.removeprefix("Bearer "), number=number)

    def _answer(self, heard: Heard) -> bool:
        mode = heard.path.split("/")[1].replace("_", " ")
        echo = self.server.echo
        echo.requests[mode if "/v1/" in heard.path else f"hook {mode}"] += 1
        if mode == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if mode == "kill":
            echo.ends.wait(0.05)
        self.wfile.write(ANSWERS.get(mode, ANSWERS["ok"])(heard))
        if mode == "drip":
            echo.ends.wait(30)
        return mode in {"ok", "kill", "disk", "400"}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    echo: EchoServer


@contextmanager
def running_echo() -> Iterator[EchoServer]:
    """Run it in threads of this process."""
    echo = EchoServer()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.echo = echo
        echo.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield echo
        finally:
            echo.ends.set()
            server.shutdown()
            thread.join()
