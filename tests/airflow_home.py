"""A home for Airflow that is thrown away with the process."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def make_airflow_home(dags_folder: Path) -> Path:
    """Make the folder and point Airflow to it; must come before Airflow is imported, which reads this only then."""
    if "airflow" in sys.modules:
        raise RuntimeError("Airflow was imported before it was given a home of its own")
    # What the caller's shell says of Airflow goes: its database may be a real one.
    for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "_AIRFLOW"))]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="openai-dest-airflow-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Tests count requests; those of the check turn it on.
        "AIRFLOW__OPENAI_DEST__CHECK_MODELS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    return home
