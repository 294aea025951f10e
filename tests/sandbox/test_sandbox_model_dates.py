"""The dates of models over a real connection to the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_openai_dest.connection.model_dates import check_model
from airflow_provider_openai_dest.connection.settings import ConnectionSettings
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox import running_sandbox

LAST_DAYS = datetime(2026, 11, 28, tzinfo=UTC).timestamp()
AFTERWARDS = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


def test_the_sandbox_is_asked_once_for_all_its_models(tmp_path: Path) -> None:
    """A model of today passes, one that ends soon is a warning, one that has ended is an error, by one GET."""
    with running_sandbox() as sandbox:
        settings = ConnectionSettings(api_key="sk-sandbox", base_url=sandbox.base_url)
        today, soon = (
            check_model(model, settings, tmp_path, now=LAST_DAYS) for model in ("gpt-image-2", "gpt-image-1.5")
        )
        with pytest.raises(ConfigurationError, match="-flare instead"):
            check_model("gpt-image-1", settings, tmp_path, now=LAST_DAYS)
        asked = sandbox.stats()["requests"]["GET /v1/models"]
        with pytest.raises(ConfigurationError, match="was shut down on 2026-12-01"):
            check_model("gpt-image-1.5", settings, tmp_path, now=AFTERWARDS)
    assert today is None
    assert soon is not None
    assert ("warning", True, {"200": 1}) == (soon.kind, "2026-12-01 (days left: 3)" in soon.text, asked)
