"""The address of a webhook: nothing inside the network is called unless it is allowed."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from airflow_provider_openai_dest.connection.webhook_address import checked_address
from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError


class Names:
    """Stands in for ``socket.getaddrinfo``: every name has these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Give the addresses and remember the question."""
        self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


NOT_PUBLIC = [
    # IPv4
    "0.0.0.0",  # not to bind to
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    # IPv6
    "::",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001::1",
    "2001:0:c000:201::1",
    "3fff::1",
    "5f00::1",
    "64:ff9b:1::808:808",
    # IPv4 inside IPv6
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:7f00:1",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "::169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "2a00:1450::5efe:10.0.0.1",
    "2a00:1450::200:5efe:7f00:1",
]

# Forms in which some programs read an address, and others a name: refused as they stand.
ODD_HOSTS = [
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "017700000001",
    "1.2.3.4.5",
    "256.1.1.1",
    "3232235777",
    "example.123",
    "example.0x7f",
    "[::ffff:127.0.0.1%25lo]",
    "[fe80::1%25eth0]",
    "[::1",
    "[127.0.0.1]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost%00.example.com",
    "127.0.0.1%2f",
    "evil.example@127.0.0.1",
    "hooks.example\\@127.0.0.1",
]

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.169.0.1",
    "223.255.255.255",
    "2a00:1450:4001:831::200e",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_with_an_address_inside_is_refused(address: str) -> None:
    """A name that leads to a loopback, private, link-local or otherwise special address is not called."""
    with pytest.raises(ConfigurationError, match="allowed_private_networks"):
        checked_address("https://hooks.example/x", (), Names(address))


@pytest.mark.parametrize("address", [address for address in NOT_PUBLIC if "%" not in address])
def test_an_address_inside_is_refused(address: str) -> None:
    """The same address written into the URL is not called, and no name is asked for."""
    names = Names("8.8.8.8")
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ConfigurationError, match="allowed_private_networks"):
        checked_address(f"https://{host}/x", (), names)
    assert names.asked == []


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_odd_forms_of_an_address_are_refused(host: str) -> None:
    """Decimal, hexadecimal, octal, short and disguised addresses are refused before a name is asked for."""
    names = Names("8.8.8.8")
    with pytest.raises(ConfigurationError):
        checked_address(f"https://{host}/x", (), names)
    assert names.asked == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_given(address: str) -> None:
    """A public address is the one to connect to, by name or written out."""
    expected = str(ip_address(address))
    assert expected == checked_address("https://hooks.example/x", (), Names(address))
    host = f"[{address}]" if ":" in address else address
    assert expected == checked_address(f"https://{host}:8443/x")


@pytest.mark.parametrize("addresses", [("8.8.8.8", "10.0.0.1"), ("2606:4700:4700::1111", "8.8.8.8", "::1")])
def test_every_address_is_checked(addresses: tuple[str, ...]) -> None:
    """One address inside is enough to refuse the name."""
    with pytest.raises(ConfigurationError):
        checked_address("https://hooks.example/x", (), Names(*addresses))


def test_the_name_is_asked_for_once() -> None:
    """A name is resolved once, so that it can't mean another address when it is called."""
    names = Names("8.8.8.8", "1.1.1.1")
    assert checked_address("https://hooks.example/x", (), names) == "8.8.8.8"
    assert names.asked == ["hooks.example"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.2.3.4", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("::1", "::1/128"),
        ("fd00::5", "fd00::/8"),
        ("::ffff:10.2.3.4", "10.0.0.0/8"),
        ("64:ff9b::10.2.3.4", "10.0.0.0/8"),
    ],
)
def test_an_allowed_network_may_be_called(address: str, network: str) -> None:
    """What the connection allows is called, and nothing beside it."""
    assert str(ip_address(address)) == checked_address("https://hooks.lan/x", (ip_network(network),), Names(address))
    with pytest.raises(ConfigurationError):
        checked_address("https://hooks.lan/x", (ip_network("192.168.7.0/24"),), Names(address))
    with pytest.raises(ConfigurationError):
        checked_address("https://hooks.lan/x", (ip_network(network),), Names(address, "169.254.169.254"))


@pytest.mark.parametrize(
    ("address", "is_called"),
    [
        ("10.2.3.4", True),
        ("::ffff:10.2.3.4", True),
        ("8.8.8.8", False),
        ("192.168.1.1", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_plain_http_stays_inside_the_allowed_networks(address: str, is_called: bool) -> None:  # noqa: FBT001
    """Without TLS, not even a public address is called."""
    networks = (ip_network("10.0.0.0/8"),)
    if is_called:
        assert str(ip_address(address)) == checked_address("http://hooks.lan/x", networks, Names(address))
    else:
        with pytest.raises(ConfigurationError, match="allowed_private_networks"):
            checked_address("http://hooks.lan/x", networks, Names(address))


def test_a_link_local_address_keeps_its_interface() -> None:
    """Where link-local addresses are allowed, the interface is part of where to connect."""
    assert checked_address("https://h.lan/", (ip_network("fe80::/10"),), Names("fe80::1%eth0")) == "fe80::1%eth0"


def test_a_name_that_cant_be_resolved_is_tried_again() -> None:
    """A name server that fails is no fault of the connection."""

    def fail(*_: object, **__: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    for resolve in (fail, Names()):
        with pytest.raises(TransientError, match=r"'hooks\.example'"):
            checked_address("https://hooks.example/x?token=abcdefgh", (), resolve)


def test_the_fault_does_not_show_the_url() -> None:
    """Path and query of a webhook's URL may hold its token."""
    with pytest.raises(ConfigurationError) as caught:
        checked_address("https://hooks.example/t0ken?token=t0ken", (), Names("10.0.0.1"))
    assert "t0ken" not in str(caught.value)


def test_the_table_does_not_shrink() -> None:
    """At least forty forms are tried."""
    assert len({*NOT_PUBLIC, *ODD_HOSTS}) >= 75
