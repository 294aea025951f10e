"""The address of a webhook: resolved once, every address checked, and the checked one connected to.

A Dag author or whoever can edit a connection must not be able to make a worker call the cloud's metadata service or
the inside of its network (SSRF); and a name must not mean one address when checked and another when called.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from airflow_provider_openai_dest.connection.origin import split_url
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[..., Sequence[tuple[Any, ...]]]

# The special-purpose registries of IANA (RFC 6890 and its updates), and multicast: not one is a public receiver.
# Python's own is_global differs from one patch release to the next, so the list is here and nothing else decides.
NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; the metadata services of AWS, GCP and Azure
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/128",  # unspecified
        "::1/128",  # loopback
        "64:ff9b:1::/48",  # local NAT64
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)

# IPv6 networks whose addresses carry an IPv4 one, and how far that is from the right, in bits.
_CARRIERS = tuple(
    (IPv6Network(network), shift)
    for network, shift in (
        ("::ffff:0:0/96", 0),  # v4-mapped
        ("::/96", 0),  # v4-compatible
        ("::ffff:0:0:0/96", 0),  # v4-translated
        ("64:ff9b::/96", 0),  # NAT64
        ("2002::/16", 80),  # 6to4
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)  # the third quarter of fe80::5efe:10.0.0.1, in any network


def checked_address(url: str, allowed_networks: Sequence[Network] = (), resolve: Resolve = socket.getaddrinfo) -> str:
    """Give the address to connect to for a webhook's URL, after checking every address that its host has.

    Raises :class:`ConfigurationError` when one of them is not public and not in ``allowed_networks``, or when a plain
    http URL leads outside of those; :class:`TransientError` when the name can't be resolved now. Connect to the
    returned address with the URL's host as Host header and TLS server name, and resolve nothing again.

    :param allowed_networks: of :class:`~.webhook_settings.WebhookSettings`.
    :param resolve: :func:`socket.getaddrinfo`, or what stands in for it in tests.
    """
    try:
        origin = split_url(url).origin
    except ValueError as fault:
        raise ConfigurationError(f"The webhook's URL {fault}") from None
    addresses = _addresses(origin.host, origin.port, resolve)
    for address in addresses:
        is_allowed = _is_inside(address, allowed_networks)
        if not is_allowed and not _is_public(address, allowed_networks):
            raise ConfigurationError(
                f"The webhook's host {origin.host!r} has the address {address}, which is not public. If that is meant, "
                f'add its network to "allowed_private_networks" in the extra of the webhook connection'
            )
        if not is_allowed and origin.scheme == "http":
            raise ConfigurationError(
                f"The webhook's URL is plain http and its host {origin.host!r} has the address {address} outside of "
                f'"allowed_private_networks" in the extra of the webhook connection; use https'
            )
    return str(addresses[0])


def _addresses(host: str, port: int, resolve: Resolve) -> list[Address]:
    """Read an address from the host itself, or resolve the name; always gives one at least."""
    with suppress(ValueError):
        return [ip_address(host)]
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except OSError as fault:
        raise TransientError(f"The webhook's host {host!r} can't be resolved: {fault}") from fault
    if not found:
        raise TransientError(f"The webhook's host {host!r} has no address")
    return [ip_address(entry[4][0]) for entry in found]


def _is_inside(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether an address, or the IPv4 address that a v4-mapped one is, lies in one of the networks."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any(address in network or (mapped is not None and mapped in network) for network in networks)


def _is_public(address: Address, allowed_networks: Sequence[Network]) -> bool:
    """Tell whether an address is public, and so is every IPv4 address inside of it or else allowed."""
    carried = list(_carried(address))
    if any(not _is_inside(inner, allowed_networks) and not _is_public(inner, ()) for inner in carried):
        return False
    if carried and isinstance(address, IPv6Address) and address.ipv4_mapped:
        return True
    return not any(address in network for network in NOT_PUBLIC)


def _carried(address: Address) -> Iterator[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    for network, shift in _CARRIERS:
        if address in network:
            yield IPv4Address(number >> shift & 0xFFFFFFFF)
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
