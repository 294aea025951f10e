"""Each trial in its short form, of a few seconds. ``make chaos`` runs the full forms."""

from __future__ import annotations

import pytest

from tests.chaos.trials import TRIALS


@pytest.mark.parametrize("name", [name for name, trial in TRIALS.items() if trial.short is not None])
def test_a_short_trial_meets_every_demand(name: str) -> None:
    """Nothing is lost and nothing is paid twice, whatever happens."""
    trial = TRIALS[name]
    missed = [check for check in trial.run(1, **trial.short or {}) if not check.holds]
    assert [] == missed
