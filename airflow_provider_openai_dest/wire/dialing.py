"""Dialing: opens connections to one place, over IPv6 or IPv4, whichever answers first.

https://www.rfc-editor.org/rfc/rfc8305 by https://github.com/aio-libs/aiohappyeyeballs, which aiohttp dials with.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import NamedTuple, TypeVar

import aiohappyeyeballs

from airflow_provider_openai_dest.wire.wire import CONNECT_SECONDS, NoAnswerError

NAME_SECONDS = 10.0
"""How long the addresses of a name are kept: hundreds of connections begin at once, and names move."""

NEXT_ADDRESS_SECONDS = 0.25
"""How long an address has before the next one is tried beside it."""

KEEP_ALIVE_SECONDS = 60
"""How often a silent connection shows that it lives: an answer may take ten minutes, and a NAT gateway of AWS forgets a
connection after 350 s: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html."""

Addresses = Sequence[aiohappyeyeballs.AddrInfoType]

P = TypeVar("P", bound=asyncio.Protocol)


class Place(NamedTuple):
    """Where a connection leads.

    :param server_name: name for TLS where ``host`` is an address.
    """

    is_tls: bool
    host: str
    port: int
    server_name: str | None

    def __str__(self) -> str:
        """Word it for a message."""
        return f"{self.host}:{self.port}"


class Dialing:
    """Opens connections.

    :param verify: the TLS context.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._verify = verify
        self._asked: dict[Place, tuple[float, asyncio.Future[Addresses]]] = {}
        self._turns = count()

    async def dialled(self, place: Place, new_protocol: Callable[[], P]) -> P:
        """Open a connection; NoAnswerError when that fails, or takes longer than :data:`~.wire.CONNECT_SECONDS`.

        The search for the name's addresses is not counted.
        """
        try:
            addresses = await self._found(place)
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._dialled(place, addresses, new_protocol)
        except TimeoutError as error:
            reason = f"no connection within {CONNECT_SECONDS:g} s"
            raise NoAnswerError(f"Cannot connect to {place}: {reason}", left=False) from error
        except (OSError, ValueError, RuntimeError) as error:  # uvloop has a RuntimeError for some addresses
            raise NoAnswerError(f"Cannot connect to {place}: {reason_of_dialing(error)}", left=False) from error

    async def _dialled(self, place: Place, addresses: Addresses, new_protocol: Callable[[], P]) -> P:
        dialled = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1, socket_factory=new_socket
        )
        opening = asyncio.create_task(self._opened(dialled, place, new_protocol))
        try:
            await asyncio.wait([opening])
        except asyncio.CancelledError:
            opening.add_done_callback(_abandon)
            with suppress(OSError):
                dialled.shutdown(socket.SHUT_RDWR)
            raise
        _, protocol = opening.result()
        return protocol

    async def _opened(
        self, dialled: socket.socket, place: Place, new_protocol: Callable[[], P]
    ) -> tuple[asyncio.Transport, P]:
        """Give the socket to a transport, with TLS where the place has it.

        It is never cancelled, but ends at once when the socket is shut down. Cancelled before the handshake, asyncio's
        transport would go on with a file descriptor that by then is another connection's.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_connection(
                new_protocol,
                sock=dialled,
                ssl=self._verify if place.is_tls else None,
                server_hostname=(place.server_name or place.host).rstrip(".") if place.is_tls else None,
                ssl_handshake_timeout=CONNECT_SECONDS if place.is_tls else None,
            )
        except BaseException:
            if isinstance(loop, asyncio.BaseEventLoop):
                dialled.close()
            else:  # uvloop has closed the descriptor itself, and a second time would close another connection
                dialled.detach()
            raise

    async def _found(self, place: Place) -> Addresses:
        """Give the addresses of a name, asked for once, and each time from another one on: so all get a share."""
        loop = asyncio.get_running_loop()
        asked_at, asked = self._asked.get(place, (0.0, None))
        is_old = loop.time() - asked_at > NAME_SECONDS
        if asked is None or (asked.done() and (is_old or asked.exception() is not None)):
            asked = loop.create_task(_addresses(loop, place))
            self._asked[place] = (loop.time(), asked)
        addresses = await asyncio.shield(asked)
        first = next(self._turns) % len(addresses)
        return [*addresses[first:], *addresses[:first]]


def new_socket(address: aiohappyeyeballs.AddrInfoType) -> socket.socket:
    """Make the socket of a connection, which shows that it lives."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    with suppress(OSError):  # not every system has all of these
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            if (option := getattr(socket, name, None)) is not None:
                made.setsockopt(socket.IPPROTO_TCP, option, KEEP_ALIVE_SECONDS)
    return made


def _abandon(opening: asyncio.Task[tuple[asyncio.Transport, P]]) -> None:
    """Close what nobody waits for any more, should it have been opened."""
    if not opening.cancelled() and opening.exception() is None:
        transport, _ = opening.result()
        transport.abort()


async def _addresses(loop: asyncio.AbstractEventLoop, place: Place) -> Addresses:
    found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    if not found:
        raise OSError(f"the name {place.host} has no address")
    return found


def reason_of_dialing(error: BaseException) -> str:
    """Word why a connection could not be opened, and what that means for the settings."""
    from airflow_provider_openai_dest.connection.diagnosis import failure_meaning

    _, _, meaning = failure_meaning(error).partition(": ")
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}; {meaning}"
    return f"{str(error) or type(error).__name__}; {meaning}"
