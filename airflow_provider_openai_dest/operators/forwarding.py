"""Forwarding: the delivery of items to a webhook, from the task that has the answers or from one after it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.connection.tls import new_ssl_context
from airflow_provider_openai_dest.connection.webhook_address import checked_address
from airflow_provider_openai_dest.connection.webhook_settings import WebhookSettings
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.clock import SystemClock
from airflow_provider_openai_dest.delivery.dispatcher import Dispatcher
from airflow_provider_openai_dest.delivery.outcome import Outcome
from airflow_provider_openai_dest.delivery.settled import outcome_digest
from airflow_provider_openai_dest.delivery.signing import WebhookAddress
from airflow_provider_openai_dest.delivery.verdict import WEBHOOK as WEBHOOK_VERDICTS
from airflow_provider_openai_dest.destination import Destination
from airflow_provider_openai_dest.exceptions import TransientError
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.sinks.results import QuarantineSink, ResultsSink
from airflow_provider_openai_dest.sinks.webhook_items import WEBHOOK, WebhookRenderer, as_item, webhook_id
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.wire.direct_wire import new_wire
from airflow_provider_openai_dest.wire.reading import Reading

FORWARDED = "forwarded"
UNDELIVERED = "undelivered"
WEBHOOK_CONCURRENCY = 8


def webhook_destination(
    settings: WebhookSettings,
    log: DeliveryLog,
    *,
    batch_size: int = 1,
    concurrency: int = WEBHOOK_CONCURRENCY,
    earlier: Iterable[Outcome] = (),
    intake_chunk: int = 1,
    keep_items: bool = True,
) -> Destination:
    """Make the destination that sends items to a webhook; what arrived and what did not is kept in ``log``.

    :param keep_items: False keeps of an item that was refused its id and the reason only; the next try makes it anew.
    """
    address = WebhookAddress(
        checked_address(settings.url, settings.allowed_networks),
        [secret.get_secret_value() for secret in settings.signing_secrets],
        settings.headers,
    )
    wire = new_wire(settings.timeout, new_ssl_context(settings.ca_bundle), Reading(secrets=settings.secrets))
    return Destination(
        endpoint=WEBHOOK,
        renderer=WebhookRenderer(settings.url, batch_size=batch_size),
        dispatcher=Dispatcher(
            wire,
            address,
            policy=RetryPolicy(table=WEBHOOK_VERDICTS, ambiguous_retries=4),
            limits=None,
            concurrency=concurrency,
            clock=SystemClock(),
            random=random.random,
        ),
        sinks=(
            QuarantineSink(log.rows(UNDELIVERED), keep_records=keep_items),
            ResultsSink(log.rows(FORWARDED), keep_records=False),
        ),
        earlier=earlier,
        max_inline_bytes=0,
        intake_chunk=intake_chunk,
    )


def item_maker(
    endpoint: str, origin: Mapping[str, Any], delivery: int, results: str | None
) -> Callable[[Outcome], Record]:
    """Give what makes the item of an outcome, with an id that is the same at every try, for the same data."""
    words = (*(str(value) for value in origin.values()), str(delivery))

    def make(outcome: Outcome) -> Record:
        record = outcome.record
        item = as_item(outcome, endpoint=endpoint, origin=origin, results=results)
        message_id = webhook_id(*words, record.key, outcome.status, outcome_digest(outcome))
        return Record(key=message_id, position=record.position, data=item)

    return make


def raise_if_undelivered(destination: Destination, manifest: Manifest | None) -> None:
    """Raise when an item did not arrive: AbortError when the receiver is gone for good, else TransientError."""
    if manifest is None:
        return
    destination.raise_failure(manifest)
    if manifest.rejected:
        first = manifest.rejections[0] if manifest.rejections else {}
        raise TransientError(
            f"{manifest.rejected} of {manifest.input} webhook items were refused "
            f"({first.get('code')}: {first.get('first_message')}); the next try sends just these, and "
            "nothing to OpenAI. webhook_required=False lets the task succeed without them"
        )
