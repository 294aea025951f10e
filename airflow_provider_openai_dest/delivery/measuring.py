"""Measuring: tells a meter what has changed since it was told last, so that no record costs a call of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_provider_openai_dest.delivery import meter
from airflow_provider_openai_dest.delivery.meter import Meter
from airflow_provider_openai_dest.delivery.traffic import Traffic
from airflow_provider_openai_dest.limits.rate_limit import Use


class Measuring:
    """Sends the differences of what is counted.

    :param to: who takes the measurements.
    :param traffic: what went over the wire; it goes on counting.
    """

    def __init__(self, to: Meter, traffic: Traffic) -> None:
        self._meter = to
        self._traffic = traffic
        self._told = replace(traffic)
        self._told_records: Mapping[str, int] = {}
        self._told_billed = 0

    def tell(self, records: Mapping[str, int], maybe_billed: int, use: Use | None) -> None:
        """Tell what is new.

        :param records: the records so far, by status.
        :param use: of the account's limit; None when it is not known.
        """
        now, before = replace(self._traffic), self._told
        for name, amount in (
            (meter.REQUESTS, now.requests - before.requests),
            (meter.RETRIES, now.again - before.again),
            (meter.RATE_LIMITED, now.limited - before.limited),
            (meter.TOKENS, now.tokens - before.tokens),
            (meter.WAITS_SECONDS, now.waited_seconds - before.waited_seconds),
            (meter.MAYBE_BILLED, maybe_billed - self._told_billed),
        ):
            if amount:
                self._meter.incr(name, amount)
        for status, number in records.items():
            if new := number - self._told_records.get(status, 0):
                self._meter.incr(meter.RECORDS, new, {"status": status})
        if answers := now.answers - before.answers:
            self._meter.timing(meter.REQUEST_DURATION, 1000 * (now.seconds - before.seconds) / answers)
        self._meter.gauge(meter.IN_FLIGHT, now.in_flight)
        if use is not None:
            self._meter.gauge(meter.ALLOWANCE_SHARE, use.share)
        self._told, self._told_records, self._told_billed = now, dict(records), maybe_billed
