"""What a delivery puts on the wire against what the official SDK puts there, as one server gets both."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
from msgspec.structs import replace

from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.limits.rate_limit import Limits
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.file_references import FileReferences
from airflow_provider_openai_dest.rendering.renderer import SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.wire.direct_wire import new_wire
from airflow_provider_openai_dest.wire.reading import Reading
from tests.contract.sdk_calls import FOLDER, FORMS, REQUESTS, for_a_body, for_the_sdk, named

openai = pytest.importorskip("openai", reason="the official SDK is not installed")

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
BOUNDARY = re.compile(r"(?<=boundary=)\S+")
TOLD = ("authorization", "content-type", "content-length", "transfer-encoding")


@dataclass
class Recording:
    """A server that keeps what it gets, as far as it says what is asked for."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, request: BaseHTTPRequestHandler) -> None:
        """Keep one request: the form's boundary, which is random, is put out of the way."""
        headers = {name: request.headers[name] for name in TOLD if name in request.headers}
        body = request.rfile.read(int(headers.pop("content-length", 0)))
        if not body:
            headers.pop("content-type", None)  # the SDK says JSON of what is not there, too
        elif match := BOUNDARY.search(headers["content-type"]):
            body = body.replace(match[0].encode(), b"BOUNDARY")
            headers["content-type"] = BOUNDARY.sub("BOUNDARY", headers["content-type"])
        path, _, query = request.path.partition("?")
        is_json = headers.get("content-type") == "application/json"
        self.requests.append(
            {
                "method": request.command,
                "path": unquote(path),
                "query": sorted(parse_qsl(query)),
                "headers": headers,
                # JSON has its own order and blanks; of a form each part counts, and their order does not
                "body": json.loads(body) if is_json else sorted(body.split(b"--BOUNDARY")),
            }
        )

    def taken(self) -> list[dict[str, Any]]:
        """Give what came since the last time."""
        taken, self.requests = self.requests, []
        return taken


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    kept = Recording()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            kept.keep(self)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "11")
            self.end_headers()
            self.wfile.write(b'{"data":[]}')

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def client(recording: Recording) -> Iterator[Any]:
    with (
        httpx.Client(trust_env=False) as http,
        openai.OpenAI(api_key="made up", base_url=recording.url, http_client=http, max_retries=0) as client,
    ):
        yield client


def deliver(url: str, endpoint: str, body: dict[str, Any]) -> None:
    """Send one record with this body, all the way."""
    template = find_endpoint(endpoint)
    form = RequestForm(template, base_url=url, files=FileReferences([FOLDER], named))
    dispatcher = Dispatcher(
        new_wire(10.0, TLS, Reading()),
        ApiAddress({"Authorization": "Bearer made up"}),
        policy=RetryPolicy(),
        limits=Limits(),
        concurrency=1,
        clock=SystemClock(),
        random=lambda: 0.5,
    )
    renderer = SingleRenderer(form, BodyTemplate(body))

    def drop(outcome: Outcome) -> Outcome:
        return replace(outcome, answer=None)  # a file is kept by nobody

    Destination(endpoint=template, renderer=renderer, dispatcher=dispatcher, keep=drop).run(ValuesSource([{}]))


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word on translations
@pytest.mark.parametrize(
    ("endpoint", "method", "arguments"), [*FORMS.values(), *REQUESTS.values()], ids=[*FORMS, *REQUESTS]
)
def test_the_server_gets_the_same_of_both(
    endpoint: str, method: str, arguments: dict[str, Any], recording: Recording, client: Any
) -> None:
    """Method, path, query, key, content type and body of a delivery are those of the SDK's call."""
    attrgetter(method)(client)(**{name: for_the_sdk(argument) for name, argument in arguments.items()})
    (theirs,) = recording.taken()
    deliver(recording.url, endpoint, {name: for_a_body(argument) for name, argument in arguments.items()})

    assert recording.taken() == [theirs]
