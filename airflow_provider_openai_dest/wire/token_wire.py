"""Token wire: puts a token that expires on each request, and renews it once for all that are on their way.

A static key needs none of this: ``ApiAddress`` of ``delivery/`` has it among its headers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from airflow_provider_openai_dest.connection.token import TokenSource
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError
from airflow_provider_openai_dest.wire.wire import NoAnswerError, Wire, WireReply, WireRequest

UNAUTHORIZED = 401


class TokenWire:
    """A wire over another one.

    A request waits for the first token, and for the next one shortly before it expires. One that is answered with 401
    is sent again with a new token, once; that is no attempt of its own. When no token is given, the answer is a 401 of
    ours, which stops the delivery; when nobody answers, the request did not leave.

    :param wire: sends.
    :param tokens: gives the token.
    :param headers: makes the headers of a token, such as ``Authorization``.
    :param may_send: asked before a request is sent again; when it says no, its 401 stands.
    """

    def __init__(
        self,
        wire: Wire,
        tokens: TokenSource,
        headers: Callable[[str], Mapping[str, str]],
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._wire = wire
        self._tokens = tokens
        self._make = headers
        self._may_send = may_send
        self._headers: tuple[str, dict[str, str]] = ("", {})
        self._renewal: asyncio.Task[str] | None = None

    async def send(self, request: WireRequest) -> WireReply:
        """Send with the token in force, and once more with the next one when that is refused."""
        try:
            token = self._tokens.current() or await self._renewed(None)
            reply = await self._wire.send(self._signed(request, token))
            if reply.status_code != UNAUTHORIZED:
                return reply
            following = await self._renewed(token)
        except ConfigurationError as refusal:
            return _refused(str(refusal))
        except TransientError as trouble:
            raise NoAnswerError(f"no token: {trouble}", left=False) from trouble
        if following == token or not self._may_send():
            return reply
        reply.release()
        return await self._wire.send(self._signed(request, following))

    async def aclose(self) -> None:
        """Close the wire below."""
        await self._wire.aclose()

    async def _renewed(self, refused: str | None) -> str:
        """Wait for the one renewal that is under way, or begin it; another request's end does not break it off."""
        is_joined = self._renewal is not None and not self._renewal.done()
        if self._renewal is None or not is_joined:
            self._renewal = asyncio.create_task(asyncio.to_thread(self._tokens.renewed, refused))
        token = await asyncio.shield(self._renewal)
        return await self._renewed(refused) if is_joined and token == refused else token

    def _signed(self, request: WireRequest, token: str) -> WireRequest:
        if self._headers[0] != token:
            made = {name.lower(): value for name, value in self._make(token).items()}
            self._headers = (token, made)
        return replace(request, headers={**request.headers, **self._headers[1]})


def _refused(reason: str) -> WireReply:
    error = {"message": reason, "type": "token_refused", "code": "token_refused", "param": None}
    return WireReply(UNAUTHORIZED, {}, json.dumps({"error": error}).encode(), "Unauthorized")
