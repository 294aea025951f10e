"""What stands in another place from one Airflow to the next: probed for, never read from a version number."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSkipException,
        TaskDeferred,
    )
except ImportError:  # Airflow 3.1
    from airflow.exceptions import (  # type: ignore[no-redef,attr-defined,unused-ignore]
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSkipException,
        TaskDeferred,
    )

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowSkipException",
    "TaskDeferred",
    "airflow_home",
    "default_deferrable",
    "find_stats",
    "is_supervised",
    "read_option",
    "reschedule_is_honoured",
]

METRICS_BACKENDS = ("statsd_on", "statsd_datadog_enabled", "otel_on")
"""The options of the section ``[metrics]`` that turn metrics on."""

_GATE = "airflow.ti_deps.deps.ready_to_reschedule"
_ASKS_SENSORS_ONLY = 'not is_mapped and not getattr(ti.task, "reschedule", False)'


def read_option(name: str) -> str:
    """Read an option of the section ``[openai_dest]`` of Airflow's configuration; empty when it is not set."""
    from airflow.configuration import conf

    return str(conf.get("openai_dest", name, fallback="") or "")


def default_deferrable() -> bool:
    """Read ``[operators] default_deferrable``: whether what can wait without a worker does so."""
    from airflow.configuration import conf

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def airflow_home() -> str:
    """Give the folder of this Airflow."""
    from airflow.configuration import AIRFLOW_HOME

    return str(AIRFLOW_HOME)


def reschedule_is_honoured() -> bool:
    """Tell whether a task that frees its worker comes back at the moment it asks for, and not before.

    ``airflow tasks test`` runs a task once, so that it would never come back; it says so in ``AIRFLOW_TEST_MODE``.
    """
    return os.environ.get("AIRFLOW_TEST_MODE") != "True" and _scheduler_reads_the_date()


@cache
def _scheduler_reads_the_date() -> bool:
    """Tell whether the scheduler looks at the moment that was asked for, for tasks that are no sensors as well.

    Airflow 3.1.0 to 3.1.6 let these pass at once, with the server still saying no. The source is read and not
    imported, since it would bring the whole database model into the worker.
    """
    spec = find_spec(_GATE)
    read = getattr(spec.loader if spec else None, "get_source", None)
    return gate_asks_all(read(_GATE) if read else None)


def gate_asks_all(source: str | None) -> bool:
    """Read from the scheduler's gate whether it asks all tasks for the moment they wait for; unknown is no."""
    return source is not None and _ASKS_SENSORS_ONLY not in source


def is_supervised() -> bool:
    """Tell whether the parent process is the task's supervisor, as on a worker; in ``dag.test()`` it is any process."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(runner, "SUPERVISOR_COMMS", None)
    return comms is not None and "InProcess" not in type(comms).__name__


def find_stats() -> Any | None:
    """Give Airflow's metrics, an object with ``incr``, ``gauge`` and ``timing``; None when they are turned off."""
    from airflow.configuration import conf

    if not any(conf.getboolean("metrics", name, fallback=False) for name in METRICS_BACKENDS):
        return None
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats  # type: ignore[no-redef,unused-ignore]
    return Stats
