"""Wire: the one place where requests leave. One object, one method that sends; under it whatever measures best."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from airflow_provider_openai_dest.connection.redaction import spellings_of
from airflow_provider_openai_dest.rendering.multipart import MultipartBody

CONNECT_SECONDS = 10.0

OK, REDIRECT = 200, 300

SHORTEST_SECRET = 8
"""A shorter text would be cut out of innocent answers."""


class WireRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request of one attempt, with every header that it leaves with.

    :param headers: by lower-case name.
    :param server_name: name for TLS where the URL holds an address.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | MultipartBody | None = None
    server_name: str | None = None


class Reply(Protocol):
    """An answer as far as anybody reads it; ``httpx.Response`` is one, and so is :class:`WireReply`."""

    @property
    def status_code(self) -> int:
        """Give the HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers; lower-case names are found."""

    @property
    def content(self) -> bytes:
        """Give the whole body, unpacked."""

    @property
    def reason_phrase(self) -> str:
        """Give the words beside the status."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""


def _holds_nothing() -> None:
    pass


class WireReply(msgspec.Struct):
    """An answer without the cost of a ``httpx.Response``, which each record would pay.

    :param headers: by lower-case name; the first where a name comes again.
    :param release: called when the answer is written and forgotten: the next large one may be read then.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    reason_phrase: str = ""
    release: Callable[[], None] = _holds_nothing

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return OK <= self.status_code < REDIRECT


class NoAnswerError(Exception):
    """No whole answer came.

    :param left: whether the request may have left, so that it may have been billed.
    """

    def __init__(self, reason: str, *, left: bool) -> None:
        super().__init__(reason)
        self.left = left


class UnreadableBodyError(NoAnswerError):
    """The request's own body can't be read, so the request never left whole."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, left=False)


class Wire(Protocol):
    """Sends a request and reads its whole answer, within a total time.

    Raises NoAnswerError when no whole answer came, and UnusableAnswerError when one came that can't be used.
    """

    async def send(self, request: WireRequest) -> WireReply:
        """Send once; no retry, no redirect."""

    async def aclose(self) -> None:
        """Close the connections, within the event loop that they were made in."""


class Secrets:
    """Texts that are cut out of every answer, should a server echo them: nobody after the wire sees them.

    :param secrets: cut out in each spelling; those shorter than :data:`SHORTEST_SECRET` are left.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[tuple[str, bytes, bytes], ...] = ()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Cut out this one as well, from now on; any thread may call it."""
        if len(secret) >= SHORTEST_SECRET:
            found = {*spellings_of(secret), *(known for known, *_ in self._secrets)}
            longest_first = sorted(found, key=len, reverse=True)
            self._secrets = tuple((text, text.encode(), _rare_sign(text.encode())) for text in longest_first)

    def cut_from_content(self, content: bytes) -> bytes:
        """Give the content without them."""
        for _, secret, rare in self._secrets:
            at = content.find(rare)  # a sign is found ten times as fast, and no vector in base64 has this one
            if at >= 0 and content.find(secret, max(0, at - len(secret))) >= 0:
                content = content.replace(secret, b"***")
        return content

    def cut_from_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Give the headers without them; the very same object where there is none."""
        values = "\n".join(headers.values())  # one search, for all of them and each answer
        for secret, *_ in self._secrets:
            if secret in values:
                return {name: self.cut_from_text(value) for name, value in headers.items()}
        return headers

    def cut_from_text(self, text: str) -> str:
        """Give a text, such as the reason of a failure, without them."""
        for secret, *_ in self._secrets:
            text = text.replace(secret, "***")
        return text


_RARE = re.compile(rb"[^A-Za-z0-9+/=]")


def _rare_sign(secret: bytes) -> bytes:
    """Give a sign of a secret that base64 has not, the dash of every key of OpenAI's; or else its first one."""
    found = _RARE.search(secret)
    return found[0] if found else secret[:1]


LOST = "the connection was lost before the answer was whole"
NO_HTTP = "the answer is no HTTP, is it https or another port"


def too_late(seconds: float) -> str:
    """Word the reason of a request whose total time is over."""
    return f"no whole answer within {seconds:g} s"


def reason_of(error: Exception) -> str:
    """Word the reason of a request that failed."""
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name
