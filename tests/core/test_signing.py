"""A webhook request of one attempt, verified by the reference library."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from airflow_provider_openai_dest.delivery.signing import WebhookAddress
from airflow_provider_openai_dest.wire.wire import WireRequest
from tests.core.delivery_parts import request

NEW, OLD, OTHER = (f"whsec_{b64encode(letter * 32).decode()}" for letter in (b"n", b"o", b"x"))
BODY = json.dumps({"type": "openai_dest.record", "data": {"answer": "grüß 👩‍🚀"}}, ensure_ascii=False).encode()
HOOK = "https://hooks.example/openai?team=search"


def signed(
    *secrets: str, url: str = HOOK, address: str = "203.0.113.7", now: datetime | None = None, **headers: str
) -> WireRequest:
    """Sign one item."""
    moment = now or datetime.now(UTC)
    make = WebhookAddress(address, secrets or [NEW], headers, now=lambda: moment)
    return make(request(url=url, content=BODY, headers=(("webhook-id", "msg_1"),)))


def content(made: WireRequest) -> bytes:
    """Give what is sent."""
    assert isinstance(made.content, bytes)
    return made.content


def test_the_reference_library_verifies_the_signature() -> None:
    """With the very bytes that are sent."""
    made = signed()
    assert json.loads(BODY) == Webhook(NEW).verify(content(made), dict(made.headers))


def test_an_item_is_posted_with_its_length() -> None:
    """The bytes that are signed are those that are sent, and no more."""
    made = signed()
    assert ("POST", BODY, str(len(BODY))) == (made.method, made.content, made.headers["content-length"])


def test_two_secrets_give_two_signatures() -> None:
    """While a secret is changed, receivers with the old and with the new one both verify it."""
    made = signed(NEW, OLD)
    for secret in (NEW, OLD):
        Webhook(secret).verify(content(made), dict(made.headers))
    assert len(made.headers["webhook-signature"].split()) == 2


def test_another_secret_does_not_verify_it() -> None:
    """The test itself can fail."""
    made = signed(NEW, OLD)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(content(made), dict(made.headers))


@pytest.mark.parametrize("offset", [-8, 0, 5.5])
def test_the_zone_of_the_clock_is_no_matter(offset: float) -> None:
    """The library would take any time for UTC."""
    made = signed(now=datetime.now(timezone(timedelta(hours=offset))))
    Webhook(NEW).verify(content(made), dict(made.headers))


def test_each_attempt_is_signed_anew_with_the_same_id() -> None:
    """The timestamp is that of the attempt; the receiver tells repeats by the id."""
    moments = iter([datetime(2026, 11, 22, 12, 0, second, tzinfo=UTC) for second in (0, 9)])
    make = WebhookAddress("203.0.113.7", [NEW], {}, now=lambda: next(moments))
    first, second = (make(request(url=HOOK, content=BODY, headers=(("webhook-id", "msg_1"),))) for _ in range(2))
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg_1"
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 9
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


# URL, address -> where it connects, Host header, TLS server name
PLACES = [
    (HOOK, "203.0.113.7", "https://203.0.113.7/openai?team=search", "hooks.example", "hooks.example"),
    ("http://hook.example:80/", "10.0.0.9", "http://10.0.0.9/", "hook.example", "hook.example"),
    ("http://hook.example:8080/", "10.0.0.9", "http://10.0.0.9:8080/", "hook.example:8080", "hook.example"),
    ("https://hook.example/", "2001:db8::7", "https://[2001:db8::7]/", "hook.example", "hook.example"),
    ("http://127.0.0.1:8081/", "127.0.0.1", "http://127.0.0.1:8081/", "127.0.0.1:8081", "127.0.0.1"),
    ("https://bücher.example/", "10.0.0.9", "https://10.0.0.9/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("url", "address", "target", "host", "server_name"), PLACES)
def test_the_checked_address_is_called_by_the_hosts_name(
    url: str, address: str, target: str, host: str, server_name: str
) -> None:
    """Nothing is resolved again; the receiver and its certificate are those of the name."""
    made = signed(url=url, address=address)
    assert (target, host, server_name) == (made.url, made.headers["host"], made.server_name)


def test_the_connections_headers_do_not_replace_what_is_signed() -> None:
    """They are added to it."""
    made = signed(**{"X-Team": "search", "webhook-id": "mine", "Content-Type": "text/plain"})
    assert ("search", "msg_1", "application/json") == tuple(
        made.headers[name] for name in ("x-team", "webhook-id", "content-type")
    )
