"""Dialing: how connections are opened, and what becomes of those that nobody waits for any more."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
import uvloop
from msgspec.structs import replace

from airflow_provider_openai_dest.wire.dialing import KEEP_ALIVE_SECONDS, Dialing, Place
from airflow_provider_openai_dest.wire.wire import NoAnswerError, WireReply
from tests.core.scripted_server import ScriptedServer, said, says, says_bytes, served
from tests.core.tls_parts import CLIENT, self_signed
from tests.core.wire_parts import REQUEST, at, direct_wire, end_of

T = TypeVar("T")

NAME = "api.example"
LIVE, DEAD = "127.0.0.1", "127.0.0.2"
"""Servers listen on the first one only."""

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}


class NamingLoop(asyncio.SelectorEventLoop):
    """An event loop with a name service of its own.

    :param answers: the addresses that it gives, each time that it is asked; or why there is none.
    """

    def __init__(self, *answers: list[str] | OSError) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._answers = list(answers)

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        await asyncio.sleep(0.001)
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)) for address in answer]


class HastyLoop(asyncio.SelectorEventLoop):
    """An event loop in which something comes over each connection before anything is sent."""

    def __init__(self, comes: Callable[[asyncio.Protocol], None]) -> None:
        super().__init__()
        self._comes = comes

    async def create_connection(self, *arguments: Any, **settings: Any) -> Any:
        transport, protocol = await super().create_connection(*arguments, **settings)
        self._comes(protocol)
        return transport, protocol


def run_in(loop: asyncio.AbstractEventLoop, run: Coroutine[Any, Any, T]) -> T:
    """Run it in this event loop."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(run)


def place_of(server: ScriptedServer, host: str = NAME) -> Place:
    """Give where this server is, by this name."""
    scheme, _, rest = server.url.partition("://")
    return Place(scheme == "https", host, int(rest.rpartition(":")[2]), None)


async def dialled(dialing: Dialing, place: Place) -> str:
    """Open a connection and close it; tell how that went."""
    opened: list[asyncio.BaseTransport] = []

    class Opened(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            opened.append(transport)

    try:
        await dialing.dialled(place, Opened)
    except NoAnswerError as error:
        assert not error.left
        return str(error).replace(str(place.port), "80")
    opened[0].close()
    return "open"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_silent_connection_shows_that_it_lives(loop: str) -> None:
    """Else a gateway on the way forgets it while an answer takes its minutes."""

    class Opened(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

    async def run() -> list[int]:
        async with served(says()) as server:
            opened = await Dialing(CLIENT).dialled(place_of(server, LIVE), Opened)
            options = opened.transport.get_extra_info("socket")
            told = [
                options.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                options.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            ]
            opened.transport.abort()
            return told

    assert [1, KEEP_ALIVE_SECONDS] == run_in(LOOPS[loop](), run())


def dialled_by_name(*answers: list[str] | OSError, at_once: int = 1) -> tuple[list[str], list[str]]:
    """Dial so often at once for each answer of the name service; tell how that went, and what it was asked for."""
    loop = NamingLoop(*answers)

    async def run() -> list[str]:
        async with served(says()) as server:
            dialing = Dialing(CLIENT)
            ends = [
                await asyncio.gather(*(dialled(dialing, place_of(server)) for _ in range(at_once))) for _ in answers
            ]
            await asyncio.gather(*server.tasks)
            return [end for some in ends for end in some]

    return run_in(loop, run()), loop.asked


NO_NAME = socket.gaierror(socket.EAI_NONAME, "no such name")


def test_a_name_is_asked_for_once_by_many_connections() -> None:
    """By those that wait for it at the same time, and by those that follow soon after."""
    ends, asked = dialled_by_name([LIVE], [], at_once=20)
    assert (["open"] * 40, [NAME]) == (ends, asked)


def test_a_name_that_was_not_found_is_asked_for_again() -> None:
    """Whoever waited is told; nothing left."""
    ends, asked = dialled_by_name(NO_NAME, [LIVE], at_once=2)
    reason = (
        f"Cannot connect to {NAME}:80: [Errno {NO_NAME.errno}] no such name; "
        "the host name can't be resolved on this machine"
    )
    assert ([reason, reason, "open", "open"], [NAME, NAME]) == (ends, asked)


def test_a_dead_address_is_passed_over() -> None:
    """The name has another one."""
    assert (["open"], [NAME]) == dialled_by_name([DEAD, LIVE])


def test_the_addresses_of_a_name_share_the_connections() -> None:
    """Behind them are the servers of a cluster, and a connection is kept for a whole delivery."""
    addresses = [LIVE, DEAD]

    async def run() -> list[str]:
        came: list[str] = []

        async def comes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append(writer.get_extra_info("sockname")[0])
            writer.close()

        async with await asyncio.start_server(comes, LIVE, 0) as first:
            port = first.sockets[0].getsockname()[1]
            async with await asyncio.start_server(comes, DEAD, port):
                dialing, place = Dialing(CLIENT), Place(is_tls=False, host=NAME, port=port, server_name=None)
                for _ in range(6):
                    await dialled(dialing, place)
                    await asyncio.sleep(0.001)
        return came

    assert addresses * 3 == run_in(NamingLoop(addresses), run())


def test_a_name_with_dead_addresses_only_is_told_so() -> None:
    """Nothing left."""
    ((reason,), _) = dialled_by_name([DEAD])
    assert f"Cannot connect to {NAME}:80: [Errno {errno.ECONNREFUSED}]" in reason


def test_whoever_waits_for_a_name_may_go() -> None:
    """The others still get it."""
    loop = NamingLoop([LIVE])

    async def run() -> str:
        async with served(says()) as server:
            dialing = Dialing(CLIENT)
            first, second = (asyncio.ensure_future(dialled(dialing, place_of(server))) for _ in range(2))
            await asyncio.sleep(0)
            first.cancel()
            return await second

    assert ("open", [NAME]) == (run_in(loop, run()), loop.asked)


def test_a_name_that_ends_with_a_dot_has_the_certificate_of_the_one_without() -> None:
    """The dot says only that the name is whole."""
    server_context, client_context = self_signed(NAME)

    async def run() -> str:
        async with served(says(), tls=server_context) as server:
            return await dialled(Dialing(client_context), place_of(server, f"{NAME}."))

    assert "open" == run_in(NamingLoop([LIVE]), run())


def has_ipv6() -> bool:
    """Tell whether this machine has a loopback of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no loopback of IPv6")
def test_an_ipv6_address_is_dialled_as_the_url_has_it() -> None:
    """The brackets stay in the Host header."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(said())
        writer.close()

    async def run() -> str:
        async with await asyncio.start_server(serve, "::1", 0) as server:
            url = f"http://[::1]:{server.sockets[0].getsockname()[1]}"
            wire = direct_wire()
            await wire.send(replace(REQUEST, url=url))
            await wire.aclose()
            return url

    assert f"host: {asyncio.run(run())[7:]}" in heads[0].decode()


@pytest.mark.parametrize("loop", LOOPS)
def test_the_time_is_over_while_keys_are_exchanged(loop: str) -> None:
    """Nothing left, and the connection is closed."""

    async def run() -> WireReply | Exception:
        async with served(says()) as server:
            wire = direct_wire(0.03)
            end = await end_of(wire, at(server, replace(REQUEST, url=server.url.replace("http:", "https:"))))
            await asyncio.gather(*server.tasks)
            await wire.aclose()
            return end

    lost = run_in(LOOPS[loop](), run())
    assert isinstance(lost, NoAnswerError), repr(lost)
    assert ("no whole answer within 0.03 s", False) == (str(lost), lost.left)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_dialing_may_be_cancelled_at_any_moment(loop: str, scheme: str) -> None:
    """Each connection is closed, and no other one with it."""
    server_context, client_context = self_signed(LIVE)

    async def run() -> None:
        async with (
            served(says()) as silent,
            served(says(b"well"), server_context if scheme == "https" else None) as server,
        ):
            dialing = Dialing(client_context)
            asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
            for ticks in range(40):
                place = place_of(silent, LIVE)._replace(is_tls=scheme == "https")
                cancelled = asyncio.ensure_future(dialled(dialing, place))
                for _ in range(ticks):
                    await asyncio.sleep(0)
                cancelled.cancel()
                await asyncio.wait([cancelled])
                assert "open" == await dialled(dialing, place_of(server, LIVE))
            await asyncio.gather(*silent.tasks)

    complaints: list[dict[str, Any]] = []
    run_in(LOOPS[loop](), run())
    gc.collect()
    assert [] == complaints


TOO_EARLY: dict[str, Callable[[Any], None]] = {
    "it is closed": lambda connection: connection.close(),
    "an answer": lambda connection: connection.data_received(said()),
    "half an answer": lambda connection: connection.data_received(said()[:9]),
}


@pytest.mark.parametrize("case", TOO_EARLY)
def test_what_comes_before_the_request_is_no_answer_to_it(case: str) -> None:
    """Nothing is sent any more."""

    async def run() -> tuple[Any, int]:
        async with served(says_bytes()) as server:
            wire = direct_wire(1.0)
            end = await end_of(wire, at(server))
            await asyncio.gather(*server.tasks)
            await wire.aclose()
            return end, len(server.requests)

    lost, requests = run_in(HastyLoop(TOO_EARLY[case]), run())
    assert isinstance(lost, NoAnswerError), repr(lost)
    assert (False, True, 0) == (lost.left, "before a request was sent" in str(lost), requests)
