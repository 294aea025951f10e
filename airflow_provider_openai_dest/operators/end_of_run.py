"""End of run: what the log says when a delivery is over, for whoever reads it at 3 a.m."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from airflow_provider_openai_dest.prices import worded_dollars


class Logger(Protocol):
    """What is needed of Airflow's task logger."""

    def info(self, message: str, /, *values: Any) -> Any:
        """Log a line."""

    def warning(self, message: str, /, *values: Any) -> Any:
        """Log a line that somebody should see."""


def log_end(log: Logger, manifest: Mapping[str, Any]) -> None:
    """Log the counts, folded with the places and the traffic below them, and then what somebody should look at."""
    log.info("::group::%s", _headline(manifest))
    for line in (*_traffic(manifest), *_places(manifest)):
        log.info("%s", line)
    log.info("::endgroup::")
    for kind in manifest["rejections"]:
        log.warning("%s", worded_kind(kind))
    if (webhook := manifest["webhook"]) and webhook["delivered"] < webhook["input"]:
        for kind in webhook["rejections"]:
            log.warning("Webhook: %s", worded_kind(kind))
        if webhook["undelivered"]:
            log.warning("What did not arrive: %s (OpenAIWebhookOperator(source=...) sends it)", webhook["undelivered"])
    for line in (*_billed(manifest), *_next_steps(manifest)):
        log.warning("%s", line)


def _headline(manifest: Mapping[str, Any]) -> str:
    return (
        f"{manifest['endpoint']}: {counted(manifest['input'], 'record')} in {manifest['seconds']:.1f} s: "
        f"{manifest['delivered']:,} delivered, {manifest['rejected']:,} rejected, {manifest['pending']:,} pending"
    )


def _traffic(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Say what went over the wire, and what held it back."""
    again = f", {manifest['retries']:,} of them sent again" if manifest["retries"] else ""
    yield f"Requests: {manifest['requests']:,}{again}"
    if equal := manifest["deduplicated"]:
        yield f"{counted(equal, 'record')} got the answer to an equal request, without one of their own"
    seconds = manifest["waited_seconds"]
    if manifest["waits"]:
        yield f"Rate limit: {counted(manifest['waits'], 'refusal')} (429)"
    if seconds >= 1:
        yield f"Held back by rate limits, or by a server that was down: {seconds:,.1f} s in all"
    if (tokens := manifest["usage"].get("total_tokens")) is not None:
        yield f"Tokens: {tokens:,}"
    if (cost := manifest.get("cost")) is not None:
        yield f"Cost: {worded_dollars(cost)} over all tries, by the price list"


def _billed(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Say what may have been paid twice, and why."""
    if manifest["maybe_billed"]:
        unknown = f", {manifest['unknown']:,} of them since an earlier try died" if manifest["unknown"] else ""
        records = counted(manifest["maybe_billed"], "record")
        yield f"At most {records} may be billed without an answer, or twice{unknown} (maybe_billed in their rows)"
    if manifest["duplicates"]:
        records = counted(manifest["duplicates"], "record")
        yield f"{records} delivered by two tries, and paid twice; the first answer holds"


def _places(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Say where everything is."""
    if manifest["results"]:
        yield f"Results: {manifest['results']}"
    if manifest["quarantine"]:
        yield f"Quarantine: {manifest['quarantine']} (give it as source= to send just these again)"
    if webhook := manifest["webhook"]:
        yield (
            f"Webhook: {webhook['delivered']:,} of {counted(webhook['input'], 'item')} arrived, "
            f"{webhook['rejected']:,} refused, {webhook['pending']:,} pending"
        )


def _next_steps(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Say what is left, and how it is sent."""
    unread = "" if manifest.get("whole_input", True) else ", and the source was not read to its end"
    if manifest["pending"] or unread:
        yield (
            f"Left: {counted(manifest['pending'], 'record')} pending{unread}; "
            "the next try of this task, or a clear of it, sends just the rest"
        )


def worded_kind(kind: Mapping[str, Any]) -> str:
    """Word one of a manifest's ``rejections``."""
    return (
        f"{kind['count']:,} {kind['status']} with {kind['code']}: {kind['first_message']} "
        f"(the first is record {kind['first_key']!r})"
    )


def counted(number: int, noun: str) -> str:
    """Word a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
