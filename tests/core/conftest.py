"""The core's tests: no Airflow, no network but loopback, no sleeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE_TESTS = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _airflow_stays_away(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a run of the core's tests alone that loads Airflow: the core must not need it."""
    yield
    if all(CORE_TESTS in item.path.parents for item in request.session.items):
        loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "airflow")
        assert loaded == [], "the core's tests imported Airflow"
