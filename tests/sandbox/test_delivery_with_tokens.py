"""Deliveries to a sandbox that gives tokens, or plays another server that speaks the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_openai_dest.connection.client import account_headers, request_headers, ssl_context
from airflow_provider_openai_dest.connection.settings import ConnectionSettings, read_settings
from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.connection.token_exchange import new_fetch
from airflow_provider_openai_dest.delivery.addressing import ApiAddress
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.endpoints.catalogue import find_endpoint
from airflow_provider_openai_dest.exceptions import AbortError, TransientError
from airflow_provider_openai_dest.limits.rate_limit import Limits
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.rendering.dialect import Dialect
from airflow_provider_openai_dest.rendering.renderer import PackedRenderer, Renderer, SingleRenderer
from airflow_provider_openai_dest.rendering.request_form import RequestForm
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox
from airflow_provider_openai_dest.sources.values import ValuesSource
from airflow_provider_openai_dest.wire.direct_wire import new_wire
from airflow_provider_openai_dest.wire.reading import Reading
from airflow_provider_openai_dest.wire.token_wire import TokenWire

SUBJECT = "machine-token-0123456789"
AZURE_KEY = "azure-key-0123456789"
ASK = {"model": "gpt-6-luna", "input": "{message.q}"}
EMBED = {"model": "text-embedding-3-small", "dimensions": 8, "input": "{message.q}"}
EXCHANGE, RESPONSES, EMBEDDINGS = "POST /oauth/token", "POST /v1/responses", "POST /v1/embeddings"


class Kept:
    """A sink that keeps outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def write(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class Sent:
    """What a delivery came to."""

    manifest: Manifest
    outcomes: list[Outcome]
    destination: Destination

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Give input, delivered, rejected, pending."""
        return self.manifest.input, self.manifest.delivered, self.manifest.rejected, self.manifest.pending


def workload(sandbox: Sandbox, tmp_path: Path, **extra: Any) -> ConnectionSettings:
    """Read a connection that exchanges the subject of a cluster at this sandbox."""
    path = tmp_path / "token"
    path.write_text(SUBJECT)
    given = {
        "auth": "workload_identity",
        "identity_provider_id": "idp_1",
        "workload_account_id": "sa_1",
        "workload_identity_provider": "kubernetes",
        "subject_file": str(path),
        "exchange_url": sandbox.exchange_url,
    }
    return read_settings(conn_type="openai_dest", host=sandbox.base_url, extra=given | extra)


def send(
    settings: ConnectionSettings, records: int, *, endpoint: str = "create_response", concurrency: int = 64
) -> Sent:
    """Deliver so many texts, one a request, or packed where they are embedded."""
    dialect = Dialect(server=settings.server, can=settings.can, api_version=settings.api_version)
    form = RequestForm(dialect.spoken(find_endpoint(endpoint)), base_url=settings.base_url)
    renderer: Renderer = (
        PackedRenderer(form, BodyTemplate(EMBED)) if form.endpoint.packing else SingleRenderer(form, BodyTemplate(ASK))
    )
    reading = Reading(secrets=settings.secrets)
    wire = new_wire(10.0, ssl_context(settings), reading)
    fetch = new_fetch(settings)
    tokens = TokenSource(fetch, on_token=reading.secrets.add) if fetch else None
    sink = Kept()
    destination = Destination(
        endpoint=find_endpoint(endpoint),
        renderer=renderer,
        dispatcher=Dispatcher(
            TokenWire(wire, tokens, settings.credential) if tokens else wire,
            ApiAddress(request_headers(settings), account_headers(settings)),
            policy=RetryPolicy(give_up_after=1.0, first_pause=0.01),
            limits=Limits(),
            concurrency=concurrency,
            clock=SystemClock(),
            random=lambda: 0.5,
        ),
        sinks=[sink],
    )
    manifest = destination.run(ValuesSource([{"q": f"text {number}"} for number in range(records)]))
    return Sent(manifest, sink.outcomes, destination)


def test_a_token_that_expires_midway_loses_nothing(tmp_path: Path) -> None:
    """200 records, a token for 120 requests: each is worked once, and one further token is fetched for all."""
    with running_sandbox(subject=SUBJECT, token_requests=120) as sandbox:
        sent = send(workload(sandbox, tmp_path), 200)
        stats = sandbox.stats()
    assert (200, 200, 0, 0) == sent.counts
    assert {1} == {outcome.attempts for outcome in sent.outcomes}
    assert (200, 0) == (stats["executions"], stats["repeated_items"])
    assert {"200": 2} == stats["requests"][EXCHANGE]
    assert 200 == stats["requests"][RESPONSES]["200"]


def test_requests_at_once_share_the_first_token(tmp_path: Path) -> None:
    """64 requests at once make one fetch, however long it takes."""
    with running_sandbox(subject=SUBJECT, faults=["slow=0.05,path=/oauth/token"]) as sandbox:
        sent = send(workload(sandbox, tmp_path), 64)
        stats = sandbox.stats()
    assert (64, 64, 0, 0) == sent.counts
    assert ({"200": 1}, {"200": 64}) == (stats["requests"][EXCHANGE], stats["requests"][RESPONSES])


def test_a_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    """One that is good for a moment only is renewed in time, and no request sees a 401."""
    with running_sandbox(subject=SUBJECT, token_lifetime=0.6, latency=0.01) as sandbox:
        sent = send(workload(sandbox, tmp_path), 200, concurrency=4)
        stats = sandbox.stats()
    assert (200, 200, 0, 0) == sent.counts
    assert {"200": 200} == stats["requests"][RESPONSES]
    assert stats["requests"][EXCHANGE]["200"] > 1


def test_a_second_token_that_is_refused_stops_the_delivery(tmp_path: Path) -> None:
    """What was answered is kept, the rest is pending, and no third token is asked for by the same request."""
    with running_sandbox(subject=SUBJECT, token_requests=50, tokens_taken=1) as sandbox:
        sent = send(workload(sandbox, tmp_path), 200, concurrency=1)
        stats = sandbox.stats()
    assert (200, 50, 0, 150) == sent.counts
    assert ({"200": 50, "401": 2}, {"200": 2}) == (stats["requests"][RESPONSES], stats["requests"][EXCHANGE])
    with pytest.raises(AbortError, match="token_expired"):
        sent.destination.raise_failure(sent.manifest)


def test_a_subject_that_is_refused_stops_the_delivery(tmp_path: Path) -> None:
    """Nothing is sent to the API at all."""
    with running_sandbox(subject="another") as sandbox:
        sent = send(workload(sandbox, tmp_path), 8)
        stats = sandbox.stats()
    assert (8, 0, 0, 8) == sent.counts
    assert RESPONSES not in stats["requests"]
    with pytest.raises(AbortError, match="invalid_grant") as caught:
        sent.destination.raise_failure(sent.manifest)
    assert SUBJECT not in str(caught.value)


def test_an_exchange_in_trouble_is_asked_again(tmp_path: Path) -> None:
    """A 503 of the exchange is no refusal; the records wait for it."""
    with running_sandbox(subject=SUBJECT, faults=["status=503,path=/oauth/token,times=2"]) as sandbox:
        sent = send(workload(sandbox, tmp_path), 8, concurrency=1)
        assert {"503": 2, "200": 1} == sandbox.stats()["requests"][EXCHANGE]
    assert (8, 8, 0, 0) == sent.counts


def test_an_exchange_that_is_down_leaves_the_records(tmp_path: Path) -> None:
    """The run ends soon, with all of them pending for Airflow's next try."""
    with running_sandbox(subject=SUBJECT, faults=["status=503,path=/oauth/token"]) as sandbox:
        sent = send(workload(sandbox, tmp_path), 8)
    assert (8, 0, 0, 8) == sent.counts
    with pytest.raises(TransientError, match="no token"):
        sent.destination.raise_failure(sent.manifest)


def test_a_token_that_a_server_repeats_is_cut_out(tmp_path: Path) -> None:
    """As a key is, although nobody knew it when the delivery began."""
    fault = "status=400,message=You sent sandbox-issued-0001 to us"
    with running_sandbox(subject=SUBJECT, faults=[fault]) as sandbox:
        sent = send(workload(sandbox, tmp_path), 1)
    (outcome,) = sent.outcomes
    assert "You sent *** to us" in str(outcome.error)


def azure(sandbox: Sandbox, server: str, **extra: Any) -> ConnectionSettings:
    """Read a connection to Azure's API in this sandbox."""
    return read_settings(
        conn_type="openai_dest",
        host=sandbox.root_url,
        password="azure-key-0123456789",
        extra={"server": server} | extra,
    )


@pytest.mark.parametrize(("endpoint", "operation"), [("create_embedding", EMBEDDINGS), ("create_response", RESPONSES)])
@pytest.mark.parametrize("server", ["azure", "azure_classic"])
def test_azure_is_spoken_to(server: str, endpoint: str, operation: str) -> None:
    """Both of its APIs, with the key in its own header, and the model in the path where it belongs there."""
    with running_sandbox(api_key=AZURE_KEY, key_header="api-key") as sandbox:
        sent = send(azure(sandbox, server, api_version="2024-10-21"), 20, endpoint=endpoint)
        assert sandbox.stats()["requests"][operation].keys() == {"200"}
    assert (20, 20, 0, 0) == sent.counts


def test_a_wrong_azure_key_stops_the_delivery() -> None:
    """As OpenAI's does."""
    with running_sandbox(api_key="another-key", key_header="api-key") as sandbox:
        sent = send(azure(sandbox, "azure"), 8)
    with pytest.raises(AbortError, match="Incorrect API key"):
        sent.destination.raise_failure(sent.manifest)


def test_a_server_without_keys_is_sent_to_without_one() -> None:
    """The sandbox plays it with needs_key=False; one that needs a key refuses all."""
    connection = {"conn_type": "openai_dest", "extra": {"auth": "none"}}
    with running_sandbox(needs_key=False) as keyless, running_sandbox() as sandbox:
        sent = send(read_settings(**connection, host=keyless.base_url), 3)
        refused = send(read_settings(**connection, host=sandbox.base_url), 3)
    assert (3, 3, 0, 0) == sent.counts
    assert 0 == refused.manifest.delivered


def test_a_server_without_base64_gives_numbers() -> None:
    """The vectors are kept as they always are, and the server that has base64 gives the same ones."""
    with running_sandbox(base64=False, key_header="x-any") as plain, running_sandbox() as sandbox:
        key = {"password": "sk-any-key", "conn_type": "openai_dest"}
        other = {"server": "infinity", "key_header": "X-Any"}
        numbers = send(read_settings(**key, host=plain.base_url, extra=other), 20, endpoint="create_embedding")
        base64 = send(read_settings(**key, host=sandbox.base_url), 20, endpoint="create_embedding")
    assert (20, 20, 0, 0) == numbers.counts
    assert [outcome.answer for outcome in base64.outcomes] == [outcome.answer for outcome in numbers.outcomes]
