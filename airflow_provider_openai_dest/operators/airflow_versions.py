"""What stands in another place from one Airflow to the next: probed for, never read from a version number."""

from __future__ import annotations

try:
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
except ImportError:  # Airflow 3.1
    from airflow.exceptions import AirflowFailException, AirflowSkipException  # type: ignore[no-redef]

__all__ = ["AirflowFailException", "AirflowSkipException", "airflow_home", "read_option"]


def read_option(name: str) -> str:
    """Read an option of the section ``[openai_dest]`` of Airflow's configuration; empty when it is not set."""
    from airflow.configuration import conf

    return str(conf.get("openai_dest", name, fallback="") or "")


def airflow_home() -> str:
    """Give the folder of this Airflow."""
    from airflow.configuration import AIRFLOW_HOME

    return str(AIRFLOW_HOME)
