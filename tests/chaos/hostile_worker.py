"""The worker of hostile addresses: real deliveries with a key in use, to addresses, along redirects and to webhooks.

In a process of its own, since it hears of every connection and every name that is asked for, and lets none leave the
machine. Its arguments are the statuses of the redirects. It prints what it found, as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.connection.webhook_settings import WebhookSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators.assembly import Delivery, Speed, Storage, new_dispatcher
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.values import ValuesSource
from tests.chaos.receiver import SECRET
from tests.chaos.worker import SCOPE
from tests.core.test_connection_url import HOSTILE
from tests.core.test_connection_webhook_address import NOT_PUBLIC, ODD_HOSTS

KEY = "sk-chaos-hostile-Zk7Qm2Wp9Xv4Lr8Tn3"
OFFICIAL = "https://api.openai.com/v1"

VALUES = ["", ".", "..", "a/b", "/", "a\\b", "..;x", "%2e%2e", "%2f", "%252e", "a\nb", "\x00", "//ELSEWHERE", "a/../.."]
"""Values of records that would be more or less than one part of a path."""

LOCATIONS = [
    "http://ELSEWHERE/v1/x",
    "https://ELSEWHERE/v1/x",
    "//ELSEWHERE/v1/x",
    "http://API@ELSEWHERE/x",
    "http://sk:x@ELSEWHERE/",
    "http://API\\@ELSEWHERE/",
    "http://[::1]:PORT/x",
    "http://localhost:PORT/x",
    "http://2130706433:PORT/x",
    "http://0x7f.1:PORT/x",
    "/v1/elsewhere",
    "../elsewhere",
    "http://API/v1/elsewhere",
    "http://API/v1/x\r\n\tElsewhere",
    "file:///etc/passwd",
    "",
]
NAMES = ["localhost", "LOCALHOST", "localhost."]
"""Names that lead inside: they must be asked for, and are refused then."""


@dataclass
class Heard:
    """What the process did, and what came to the servers."""

    connects: list[tuple[str, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    api: list[tuple[str, bool]] = field(default_factory=list)
    elsewhere: list[bool] = field(default_factory=list)

    def listen(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of a connection or a question for a name; a connection to another machine is not let out."""
        if event == "socket.getaddrinfo":
            self.names.append(str(arguments[0]))
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host, port = arguments[1][:2]
            self.connects.append((str(host), port))
            if not ip_address(host.partition("%")[0]).is_loopback:
                raise ConnectionRefusedError(f"{host} is another machine")


@dataclass
class Found:
    """How deliveries of one kind ended.

    :ivar astray: connections to anything but the API.
    :ivar off_path: requests to the API outside of the paths that it serves.
    """

    tried: int = 0
    distinct: int = 0
    refused: int = 0
    sent: int = 0
    astray: int = 0
    names: int = 0
    off_path: int = 0
    with_key: int = 0
    key_elsewhere: int = 0


class Trial:
    """Runs deliveries beside two servers: the API's, and another that nothing may reach."""

    def __init__(self, heard: Heard, api: int, elsewhere: int) -> None:
        self._heard = heard
        self._api = api
        self._elsewhere = elsewhere

    def told(self, kind: Sequence[str], run: Callable[[str], bool]) -> Found:
        """Run each of a kind; ``run`` tells whether it was refused."""
        heard = self._heard
        for held in (heard.connects, heard.names, heard.api, heard.elsewhere):
            held.clear()
        refused = sum(map(run, kind))
        return Found(
            tried=len(kind),
            distinct=len(set(kind)),
            refused=refused,
            sent=len(heard.api),
            astray=sum(connect != ("127.0.0.1", self._api) for connect in heard.connects),
            names=len(heard.names),
            off_path=sum(not path.startswith(("/v1/", "/hook")) for path, _ in heard.api),
            with_key=sum(has_key for _, has_key in heard.api),
            key_elsewhere=sum(heard.elsewhere),
        )

    def here(self, text: str) -> str:
        """Put the servers of this machine into an address."""
        hosts = {"ELSEWHERE": f"127.0.0.1:{self._elsewhere}", "API": f"127.0.0.1:{self._api}"}
        hosts |= {"PORT": str(self._elsewhere), "evil.example": hosts["ELSEWHERE"], "api.openai.com": hosts["API"]}
        for word, host in hosts.items():
            text = text.replace(word, host)
        return text

    @property
    def base_url(self) -> str:
        """Give the API's."""
        return self.here("http://API/v1")


def deliver(
    base_url: str, path: str, records: Sequence[dict[str, str]] = ({"n": "0"},), webhook: str | None = None
) -> Manifest:
    """Send records to a path, and what came of them to a webhook."""
    settings = ConnectionSettings(api_key=KEY, base_url=base_url, timeout=5)
    endpoint = EndpointTemplate(name="manual", path=path, method="POST", content="json", answer="any")
    with TemporaryDirectory() as folder:
        return Delivery(
            endpoint=endpoint,
            renderer=SingleRenderer(RequestForm(endpoint, base_url=settings.base_url), BodyTemplate({"input": "x"})),
            dispatcher=new_dispatcher(settings, Speed(), RetryPolicy()),
            log=DeliveryLog(Path(folder), SCOPE),
            storage=Storage(max_xcom_bytes=0),
            webhook=_webhook(webhook) if webhook else None,
        ).run(ValuesSource(records))


def _webhook(url: str) -> WebhookSettings:
    allowed = "127.0.0.0/8" if url.startswith("http:") else ""
    return WebhookSettings(signing_secrets=SECRET, allowed_networks=allowed, url=url, timeout=5)


def is_refused(*arguments: Any, **settings: Any) -> bool:
    """Tell whether a delivery is refused before it begins, or none of it is delivered."""
    try:
        manifest = deliver(*arguments, **settings)
    except (ConfigurationError, ValidationError):
        return True
    arrived = manifest.webhook["delivered"] if manifest.webhook else manifest.delivered
    return not arrived


def trials(trial: Trial, redirects: list[str]) -> dict[str, Found]:
    """Run all kinds."""
    hosts = [f"[{one}]" if ":" in one else one for one in NOT_PUBLIC] + ODD_HOSTS
    web = trial.here("https://HOST:PORT/x")
    return {
        "control": trial.told(["/ok"], lambda path: is_refused(trial.base_url, path)),
        "URLs": trial.told(HOSTILE, lambda target: is_refused(OFFICIAL, target)),
        "URLs of this machine": trial.told(
            [trial.here(target).replace("https:", "http:") for target in HOSTILE],
            lambda target: is_refused(trial.base_url, target),
        ),
        "values": trial.told(
            VALUES, lambda value: is_refused(trial.base_url, "/files/{message.n}/content", [{"n": trial.here(value)}])
        ),
        "redirects": trial.told(
            redirects, lambda to: is_refused(trial.base_url, f"/redirect/{redirects.index(to)}", [{"n": "0"}])
        ),
        "addresses": trial.told(
            hosts, lambda host: is_refused(trial.base_url, "/ok", webhook=web.replace("HOST", host))
        ),
        "names": trial.told(NAMES, lambda host: is_refused(trial.base_url, "/ok", webhook=web.replace("HOST", host))),
        "redirects of webhooks": trial.told(
            redirects,
            lambda to: is_refused(trial.base_url, "/ok", webhook=trial.here(f"http://API/hook/{redirects.index(to)}")),
        ),
    }


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[ThreadingHTTPServer]:
    """Answer on a port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


def main() -> None:
    """Run all, and print what was found."""
    logging.disable(logging.CRITICAL)
    heard = Heard()
    redirects: list[str] = []

    def api(request: BaseHTTPRequestHandler) -> None:
        heard.api.append((request.path, KEY in str(request.headers)))
        number = request.path.rpartition("/")[2]
        status, _, location = redirects[int(number)].partition(" ") if number.isdecimal() else ("200", "", "")
        content = b'{"ok": true}'
        head = f"HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
        head += f"location: {location}\r\n" if number.isdecimal() else ""
        request.wfile.write(f"{head}\r\n".encode() + content)

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        heard.elsewhere.append(KEY in f"{request.path} {request.headers}")
        request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with serving(api) as first, serving(elsewhere) as other:
        trial = Trial(heard, first.server_address[1], other.server_address[1])
        redirects += [f"{status} {trial.here(to)}" for status in map(int, sys.argv[1:]) for to in LOCATIONS]
        sys.addaudithook(heard.listen)
        print(json.dumps({kind: asdict(found) for kind, found in trials(trial, redirects).items()}))


if __name__ == "__main__":
    main()
