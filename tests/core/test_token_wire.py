"""TokenWire: a token on each request, renewed once for all of them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable

import pytest

from airflow_provider_openai_dest.connection.token import Token, TokenSource
from airflow_provider_openai_dest.delivery.verdict import OPENAI, Verdict, judge
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.wire.token_wire import TokenWire
from airflow_provider_openai_dest.wire.wire import NoAnswerError, WireReply, WireRequest

REQUEST = WireRequest(method="POST", url="https://api.example/v1/x", headers={"x-team": "search"}, content=b"{}")


class Server:
    """A wire that takes some tokens, and keeps what was sent."""

    def __init__(self, takes: Callable[[str], bool]) -> None:
        self._takes = takes
        self.sent: list[WireRequest] = []
        self.is_closed = False

    async def send(self, request: WireRequest) -> WireReply:
        """Answer 200 or 401, one turn of the event loop later."""
        self.sent.append(request)
        await asyncio.sleep(0)
        return WireReply(200 if self._takes(request.headers["authorization"]) else 401, {}, b"{}")

    async def aclose(self) -> None:
        self.is_closed = True


class Issuer:
    """Gives token after token."""

    def __init__(self) -> None:
        self.given = 0
        self.fault: Exception | None = None
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self) -> Token:
        """Give the next one, when it may go."""
        self.may_go.wait(5)
        if self.fault:
            raise self.fault
        self.given += 1
        return Token(value=f"token-{self.given}", expires_in=3600)


def send(server: Server, issuer: Issuer, times: int = 1, source: TokenSource | None = None) -> list[WireReply]:
    """Send so many requests at once."""

    async def run() -> list[WireReply]:
        wire = TokenWire(server, source or TokenSource(issuer), lambda token: {"Authorization": f"Bearer {token}"})
        try:
            return await asyncio.gather(*(wire.send(REQUEST) for _ in range(times)))
        finally:
            await wire.aclose()

    return asyncio.run(run())


def test_a_token_is_put_on_the_request() -> None:
    """The token is fetched before the first request, beside the headers that are there."""
    server = Server(lambda _: True)
    (reply,) = send(server, Issuer())
    assert reply.status_code == 200
    assert {"x-team": "search", "authorization": "Bearer token-1"} == server.sent[0].headers
    assert server.is_closed


def test_requests_at_once_share_the_first_token() -> None:
    """64 requests without a token make one fetch."""
    server, issuer = Server(lambda _: True), Issuer()
    send(server, issuer, 64)
    assert (1, 64) == (issuer.given, len(server.sent))


def test_requests_at_once_share_the_next_token() -> None:
    """64 requests whose token is refused make one more fetch, and are sent again, each once."""
    server, issuer = Server(lambda value: value.endswith("-2")), Issuer()
    replies = send(server, issuer, 64)
    assert {200} == {reply.status_code for reply in replies}
    assert (2, 128) == (issuer.given, len(server.sent))


def test_a_second_refusal_is_final() -> None:
    """A request whose second token is refused is not sent a third time, and its 401 stops the delivery."""
    server, issuer = Server(lambda _: False), Issuer()
    (reply,) = send(server, issuer)
    assert (2, 2) == (issuer.given, len(server.sent))
    assert judge(reply, OPENAI).verdict is Verdict.ABORT


def test_the_same_token_is_not_sent_again() -> None:
    """Where the new token is the old one, as of a function that keeps it, a second request could only be refused."""
    server = Server(lambda _: False)
    send(server, Issuer(), source=TokenSource(lambda: Token(value="same")))
    assert len(server.sent) == 1


def test_a_refused_exchange_stops_the_delivery() -> None:
    """Nothing is sent, and the reason stands in the error."""
    server, issuer = Server(lambda _: True), Issuer()
    issuer.fault = ConfigurationError("the exchange refused: invalid_grant")
    (reply,) = send(server, issuer)
    judgement = judge(reply, OPENAI)
    assert (Verdict.ABORT, []) == (judgement.verdict, server.sent)
    assert "invalid_grant" in str(judgement.error)
    assert json.loads(reply.content)["error"]["code"] == "token_refused"


def test_a_silent_exchange_is_tried_again_later() -> None:
    """The request did not leave, so trying again costs nothing."""
    issuer = Issuer()
    issuer.fault = TransientError("no answer")
    with pytest.raises(NoAnswerError) as caught:
        send(Server(lambda _: True), issuer)
    assert not caught.value.left


def test_one_that_gives_up_does_not_break_the_renewal_off() -> None:
    """A cancelled request leaves the shared fetch to the others."""
    server, issuer = Server(lambda _: True), Issuer()
    issuer.may_go.clear()

    async def run() -> int:
        wire = TokenWire(server, TokenSource(issuer), lambda token: {"Authorization": f"Bearer {token}"})
        first, second = (asyncio.create_task(wire.send(REQUEST)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first})
        issuer.may_go.set()
        return (await second).status_code

    assert 200 == asyncio.run(run())
    assert issuer.given == 1


def test_waiting_requests_hold_no_threads() -> None:
    """While one fetch takes its time, the threads of the event loop are there for others."""
    server, issuer = Server(lambda _: True), Issuer()
    issuer.may_go.clear()

    async def run() -> None:
        wire = TokenWire(server, TokenSource(issuer), lambda token: {"Authorization": f"Bearer {token}"})
        sends = [asyncio.create_task(wire.send(REQUEST)) for _ in range(64)]
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(asyncio.to_thread(int), 2)
        finally:
            issuer.may_go.set()
        await asyncio.gather(*sends)

    asyncio.run(run())
    assert issuer.given == 1


def test_a_try_that_may_not_send_does_not_send_again() -> None:
    """Where a later try has begun meanwhile, the request is that one's to send."""
    server = Server(lambda _: False)

    async def run() -> int:
        wire = TokenWire(server, TokenSource(Issuer()), lambda token: {"Authorization": token}, lambda: False)
        return (await wire.send(REQUEST)).status_code

    assert (401, 1) == (asyncio.run(run()), len(server.sent))
