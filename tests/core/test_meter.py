"""What a delivery measures: every name stands in the table, which the pages print."""

from __future__ import annotations

import re

from airflow_provider_openai_dest.delivery import meter
from airflow_provider_openai_dest.delivery.meter import METRICS, PREFIX, Meter, NoMeter


def test_every_name_stands_in_the_table() -> None:
    """A name that is counted under is one that the table explains."""
    names = {value for name, value in vars(meter).items() if name.isupper() and isinstance(value, str)} - {PREFIX}
    assert METRICS.keys() == names


def test_names_are_fit_for_every_backend() -> None:
    """A name is short, and made of letters, dots and underscores, as statsd and OpenTelemetry want it."""
    for name in METRICS:
        assert re.fullmatch(r"[a-z_.]{1,50}", PREFIX + name), name


def test_a_meter_may_drop_everything() -> None:
    """Where nobody listens, measuring does nothing and raises nothing."""
    nobody: Meter = NoMeter()
    nobody.incr(meter.TOKENS, 12)
    nobody.gauge(meter.IN_FLIGHT, 3)
    nobody.timing(meter.REQUEST_DURATION, 120.5, {"status": "200"})
