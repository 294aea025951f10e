"""Metrics: what a delivery measures, in Airflow's own metrics."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_openai_dest.delivery.meter import PREFIX, Meter, NoMeter, Tags
from airflow_provider_openai_dest.operators.airflow_versions import find_stats

log = logging.getLogger(__name__)

_NO_TAG_VALUE = re.compile(r"[^\w./-]", re.ASCII)


def meter_of(context: Mapping[str, Any], *, endpoint: str, model: str | None = None) -> Meter:
    """Make the meter of a task: Airflow's metrics with the task's tags, or one that drops all when they are off.

    :param context: the task's.
    :param endpoint: name of the endpoint.
    :param model: the model, where one is the same for all records.
    """
    try:
        stats = find_stats()
    except Exception as error:  # noqa: BLE001 - metrics never fail a delivery
        log.warning("No metrics are sent: %s: %s", type(error).__name__, error)
        stats = None
    return NoMeter() if stats is None else AirflowMeter(stats, task_tags(context, endpoint, model))


def task_tags(context: Mapping[str, Any], endpoint: str, model: str | None) -> dict[str, str]:
    """Give the tags of all measurements of a task: those that Airflow's own metrics of it have, and ours."""
    ti = context["ti"]
    tags = dict(getattr(ti, "stats_tags", None) or {"dag_id": ti.dag_id, "task_id": ti.task_id})
    return {**tags, "endpoint": endpoint, **({"model": model} if model else {})}


class AirflowMeter:
    """Sends measurements to Airflow's metrics, as best it can: at the first failure it says so and sends no more.

    :param stats: Airflow's ``Stats``.
    :param tags: of every measurement.
    """

    def __init__(self, stats: Any, tags: Tags) -> None:
        self._stats = stats
        self._tags = _as_tags(tags)
        self._is_off = False

    def incr(self, name: str, count: float = 1, tags: Tags | None = None) -> None:
        """Add to a counter."""
        self._send(self._stats.incr, name, count, tags)

    def gauge(self, name: str, value: float, tags: Tags | None = None) -> None:
        """Set a gauge."""
        self._send(self._stats.gauge, name, value, tags)

    def timing(self, name: str, milliseconds: float, tags: Tags | None = None) -> None:
        """Add one duration."""
        self._send(self._stats.timing, name, milliseconds, tags)

    def _send(self, send: Callable[..., None], name: str, value: float, tags: Tags | None) -> None:
        if self._is_off:
            return
        try:
            send(PREFIX + name, value, tags=self._tags | _as_tags(tags) if tags else self._tags)
        except Exception as error:  # noqa: BLE001 - metrics never fail a delivery
            self._is_off = True
            log.warning("No more metrics are sent: %s: %s", type(error).__name__, error)


def _as_tags(tags: Tags) -> dict[str, str]:
    """Replace what ends a tag in one of the protocols, such as the colons of a fine-tuned model's name."""
    return {name: _NO_TAG_VALUE.sub("_", value) for name, value in tags.items()}
