"""Signing: a webhook request of one attempt, signed as Standard Webhooks 1.0 says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import httpx
from standardwebhooks.webhooks import Webhook

from airflow_provider_openai_dest.rendering.request import RenderedRequest
from airflow_provider_openai_dest.wire.wire import WireRequest

WEBHOOK_ID = "webhook-id"


class WebhookAddress:
    """Makes the signed request of one attempt: the timestamp is the attempt's, the id stays.

    :param address: IP address to connect to: it was checked, and asking the name service again could give another.
    :param secrets: one secret, or two while they are being changed; each gives a signature.
    :param now: the wall clock.
    """

    def __init__(
        self,
        address: str,
        secrets: Sequence[str],
        headers: Mapping[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._address = address
        self._signers = [Webhook(secret) for secret in secrets]
        self._headers = dict(headers)
        self._now = now

    def __call__(self, request: RenderedRequest) -> WireRequest:
        """Sign and address one attempt."""
        url = httpx.URL(request.url)
        body = request.content if isinstance(request.content, bytes) else b""
        moment = self._now().astimezone(UTC)  # the library takes any time for UTC
        message_id = dict(request.headers)[WEBHOOK_ID]
        signatures = [signer.sign(message_id, moment, body.decode()) for signer in self._signers]
        headers = {name.lower(): value for name, value in self._headers.items()} | {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "host": url.netloc.decode("ascii"),
            WEBHOOK_ID: message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        return WireRequest(
            method="POST",
            url=str(url.copy_with(host=self._address)),
            headers=headers,
            content=body,
            server_name=url.raw_host.decode("ascii"),
        )
