"""All trials by their names, in the order in which they are run."""

from __future__ import annotations

from tests.chaos import (
    airflow_trials,
    answer_trials,
    hostile_trials,
    kill_trials,
    secrets_trials,
    size_trials,
    stop_trials,
    storage_trials,
    webhook_trials,
)
from tests.chaos.trial import Trial

ROOMS = (
    kill_trials,
    stop_trials,
    answer_trials,
    storage_trials,
    webhook_trials,
    secrets_trials,
    hostile_trials,
    airflow_trials,
    size_trials,
)

TRIALS: dict[str, Trial] = {trial.name: trial for room in ROOMS for trial in room.TRIALS}
