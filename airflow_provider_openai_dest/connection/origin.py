"""Origin: scheme, host and port of a URL, read so strictly that no two parsers can disagree about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import unquote

DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)([^?]*)(?:\?(.*))?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")

# What must never stand in a URL as it is sent; the first that is found is told.
REFUSED_CHARACTERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[^\x21-\x7e]"), "has a space, a control character or a letter beyond ASCII; percent-encode it"),
    (re.compile(r"\\"), "has a backslash, which some programs read as a slash"),
    (re.compile(r"#"), "has a fragment ('#'), which is never sent; percent-encode it as %23"),
    (re.compile(r"[\"<>^`{|}]"), 'has one of " < > ^ ` { | }; percent-encode it'),
    (re.compile(r"%(?![0-9A-Fa-f]{2})"), "has a '%' without two hexadecimal digits; write %25"),
)
_REFUSED_IN_SEGMENT = re.compile(r"[/\\\x00-\x1f\x7f]")
_MOST_DECODINGS = 4


class Origin(NamedTuple):
    """Where a request goes: the key of a connection is for exactly one origin."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """Give host and port as a URL has them: IPv6 in brackets, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True, slots=True)
class URLParts:
    """A complete http or https URL; ``path`` and ``query`` are as they were given, ``query`` None without a '?'."""

    origin: Origin
    path: str
    query: str | None


def split_url(url: str) -> URLParts:
    """Take a complete http or https URL apart; raises ``ValueError`` with what is wrong, never with the URL."""
    refuse_characters(url)
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("is no complete URL; write https://host/path")
    scheme, authority, path, query = match.groups()
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise ValueError(f"has the scheme {scheme!r}; only https and http are spoken")
    return URLParts(_read_origin(scheme, authority), path, query)


def refuse_characters(url: str) -> None:
    """Raise ``ValueError`` when a URL or a part of it has a character that must not stand there."""
    for pattern, reason in REFUSED_CHARACTERS:
        if pattern.search(url):
            raise ValueError(reason)


def refuse_segments(path: str) -> None:
    """Raise ``ValueError`` when a segment of a path could be read as a way out of it, however it is encoded."""
    if "//" in path:
        raise ValueError("has an empty segment or begins like another host ('//')")
    for segment in path.split("/"):
        if segment.startswith(".") or "%" in segment:
            refuse_segment(segment)


def refuse_segment(segment: str) -> None:
    """Raise ``ValueError`` when one segment is '.' or '..' or hides a slash, after any number of decodings."""
    for _ in range(_MOST_DECODINGS):
        if segment.split(";", 1)[0].strip() in (".", ".."):
            raise ValueError("has a segment '.' or '..'")
        decoded = _decode(segment)
        if decoded == segment:
            return
        if _REFUSED_IN_SEGMENT.search(decoded):
            raise ValueError("has a slash, a backslash or a control character inside a segment")
        segment = decoded
    raise ValueError("is percent-encoded too many times")


def _decode(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has percent-encoded bytes that are not UTF-8") from None


def _read_origin(scheme: str, authority: str) -> Origin:
    if "@" in authority:
        raise ValueError("has a user or password before '@'; leave them out")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError("has no proper host; write a name or an address, then :port if needed")
    port = int(match[2]) if match[2] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise ValueError(f"has the port {port}; ports go from 1 to 65535")
    return Origin(scheme, _read_host(match[1]), port)


def _read_host(text: str) -> str:
    """Give the host in its one spelling: lower case, an address as :mod:`ipaddress` writes it."""
    if text.startswith("["):
        return str(_read_address(text[1:-1], IPv6Address))
    if _ENDS_IN_NUMBER.fullmatch(text):
        return str(_read_address(text, IPv4Address))
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        raise ValueError("has no proper host name")
    return text.lower()


def _read_address(text: str, kind: type[IPv4Address | IPv6Address]) -> IPv4Address | IPv6Address:
    """Take four decimal numbers or plain IPv6; the short, hexadecimal, octal and one-number forms are refused."""
    try:
        return kind(text)
    except ValueError:
        raise ValueError("has an address in an unusual form; write it as 192.0.2.1 or [2001:db8::1]") from None


_LOOPBACK_V4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = IPv6Address("::1")


def is_loopback(host: str) -> bool:
    """Tell whether a host, as :class:`Origin` has it, is this machine by its name alone; nothing is resolved."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # Not is_loopback, which takes IPv6 forms of 127.0.0.1 on some Pythons and not on others.
    return address in _LOOPBACK_V4 or address == _LOOPBACK_V6
