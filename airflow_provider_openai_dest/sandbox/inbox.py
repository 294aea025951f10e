"""Inbox: a receiver of signed webhooks, as Standard Webhooks 1.0 wants one to be."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError

# Base64 of the 32 characters "sandbox-demo-secret-not-a-secret": for demos on one's own machine and nothing else.
DEMO_WEBHOOK_SECRET = "whsec_c2FuZGJveC1kZW1vLXNlY3JldC1ub3QtYS1zZWNyZXQ="  # noqa: S105
MOST_ITEMS = 1_000
MOST_IDS = 100_000


@dataclass(slots=True, kw_only=True)
class Item:
    """One webhook that came in; ``deliveries`` counts how often it came."""

    id: str | None
    verified: bool
    deliveries: int
    body: Any


class Inbox:
    """The last items, and counts of all.

    :param secret: the signing secret; None takes everything in, unverified.
    """

    def __init__(self, secret: str | None) -> None:
        self._webhook = None if secret is None else _webhook_of(secret)
        self.forget()

    def forget(self) -> None:
        """Empty the inbox."""
        self._items: OrderedDict[object, Item] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._received = self._repeats = self._refused = 0

    def receive(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take one webhook in: 200, also for one that came before; 401 when its signature is wrong."""
        if self._webhook is not None:
            self._verify(self._webhook, headers, body)
        webhook_id = headers.get("webhook-id")
        self._received += 1
        if webhook_id is not None and webhook_id in self._seen:
            self._repeats += 1
            if webhook_id in self._items:
                self._items[webhook_id].deliveries += 1
            return Answer(content={"received": True, "repeat": True})
        key = webhook_id if webhook_id is not None else object()
        self._items[key] = Item(id=webhook_id, verified=self._webhook is not None, deliveries=1, body=_read(body))
        if webhook_id is not None:
            self._seen[webhook_id] = None
        _shorten(self._items, MOST_ITEMS)
        _shorten(self._seen, MOST_IDS)
        return Answer(content={"received": True, "repeat": False})

    def counts(self) -> dict[str, int]:
        """Give how many deliveries were taken, how many of them were new, repeated, and how many were refused."""
        return {
            "received": self._received,
            "distinct": self._received - self._repeats,
            "repeats": self._repeats,
            "refused": self._refused,
        }

    def as_json(self, limit: int) -> dict[str, Any]:
        """Give the counts and the last items, the oldest of them first."""
        items = list(self._items.values())[-limit:] if limit else []
        return {**self.counts(), "items": [asdict(item) for item in items]}

    def _verify(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> None:
        try:
            webhook.verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:  # ValueError: base64 or UTF-8 that can't be read
            self._refused += 1
            raise ApiError(401, f"The webhook was refused: {error}.", code="invalid_signature") from error


def _webhook_of(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise ConfigurationError("webhook_secret must be 'whsec_' and base64 of 24 to 64 bytes") from error


def _read(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def _shorten(kept: OrderedDict[Any, Any], limit: int) -> None:
    while len(kept) > limit:
        kept.popitem(last=False)
