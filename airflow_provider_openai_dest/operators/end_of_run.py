"""End of run: what the log says when a delivery is over, for whoever reads it at 3 a.m."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol


class Logger(Protocol):
    """What is needed of Airflow's task logger."""

    def info(self, message: str, /, *values: Any) -> Any:
        """Log a line."""

    def warning(self, message: str, /, *values: Any) -> Any:
        """Log a line that somebody should see."""


def log_end(log: Logger, manifest: Mapping[str, Any]) -> None:
    """Log the counts, the places, and each kind of rejection with its first record."""
    for line in _summary(manifest):
        log.info("%s", line)
    for kind in manifest["rejections"]:
        log.warning("%s", _kind(kind))
    if (webhook := manifest["webhook"]) and webhook["delivered"] < webhook["input"]:
        for kind in webhook["rejections"]:
            log.warning("Webhook: %s", _kind(kind))
        if webhook["undelivered"]:
            log.warning("What did not arrive: %s (OpenAIWebhookOperator(source=...) sends it)", webhook["undelivered"])


def _kind(kind: Mapping[str, Any]) -> str:
    return (
        f"{kind['count']:,} {kind['status']} with {kind['code']}: {kind['first_message']} "
        f"(the first is record {kind['first_key']!r})"
    )


def _summary(manifest: Mapping[str, Any]) -> Iterator[str]:
    tokens = manifest["usage"].get("total_tokens")
    yield (
        f"{manifest['endpoint']}: {_count(manifest['input'], 'record')} in {manifest['seconds']:.1f} s: "
        f"{manifest['delivered']:,} delivered, {manifest['rejected']:,} rejected, {manifest['pending']:,} pending; "
        f"{_count(manifest['requests'], 'request')}"
        + (f", {tokens:,} tokens" if tokens is not None else "")
        + (f", {_count(manifest['waits'], 'wait')} for the rate limit" if manifest["waits"] else "")
    )
    if manifest["maybe_billed"]:
        yield f"{_count(manifest['maybe_billed'], 'record')} may have been billed more than once: an answer was lost"
    if manifest["results"]:
        yield f"Results: {manifest['results']}"
    if manifest["quarantine"]:
        yield f"Quarantine: {manifest['quarantine']} (give it as source= to send just these again)"
    if webhook := manifest["webhook"]:
        yield (
            f"Webhook: {webhook['delivered']:,} of {_count(webhook['input'], 'item')} arrived, "
            f"{webhook['rejected']:,} refused, {webhook['pending']:,} pending"
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
