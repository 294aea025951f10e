"""The installed package on the Airflow that is here, old or new: it is found, its connections are read, it delivers."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_openai_dest as package
from airflow_provider_openai_dest.provider_info import get_provider_info
from airflow_provider_openai_dest.sandbox import Sandbox

NAME = "airflow-provider-openai-dest"
MODULES = [
    module
    for section in ("hooks", "operators", "triggers", "sensors")
    for entry in get_provider_info().get(section, [])
    for module in entry["python-modules"]
]

# Each operator with its class's public name and the least it needs; the sandbox answers.
PRODUCTS = [{"sku": "a-1", "title": "a red bicycle"}, {"sku": "b-2", "title": "a blue tent"}]
OPERATORS: dict[str, dict[str, Any]] = {
    "OpenAICreateImageOperator": {"model": "gpt-image-2", "prompt": "{message.title}", "size": "1024x1024"},
    "OpenAIEmbeddingOperator": {"model": "text-embedding-3-small", "input": "{message.title}", "dimensions": 64},
    "OpenAIManualRequestOperator": {"url": "/moderations", "body": {"input": "{message.title}"}},
    "OpenAISendRecordsOperator": {"endpoint": "create_moderation", "body": {"input": "{message.title}"}},
    "OpenAIUploadFileOperator": {"purpose": "user_data"},
    "OpenAIWebhookOperator": {},
}


@pytest.mark.parametrize("name", package.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """What the package names as public can be imported."""
    assert getattr(package, name) is not None


@pytest.mark.parametrize("module", MODULES)
def test_every_module_of_the_metadata_is_there(module: str) -> None:
    """What the provider's metadata names can be imported."""
    assert importlib.import_module(module)


def test_airflow_finds_the_provider() -> None:
    """Airflow discovers the provider by its entry point and takes its metadata."""
    from airflow.providers_manager import ProvidersManager

    found = ProvidersManager().providers[NAME]
    assert found.version == package.__version__


@pytest.mark.parametrize("conn_type", ["openai_dest", "openai_dest_webhook"])
def test_airflow_knows_the_connection_type(conn_type: str) -> None:
    """Airflow offers the connection type, and loads its hook."""
    from airflow.providers_manager import ProvidersManager

    hook = ProvidersManager().hooks[conn_type]
    assert hook is not None
    assert hook.connection_type == conn_type


def test_the_hook_reads_the_connection(sandbox: Sandbox) -> None:
    """A connection from the environment becomes settings, and its test asks the API."""
    hook = package.OpenAIDestHook()
    works, message = hook.test_connection()
    assert works, message
    assert str(hook.settings.base_url) == sandbox.base_url


def test_every_operator_is_executed_below() -> None:
    """No public operator is missing in the table above."""
    assert {name for name in package.__all__ if name.endswith("Operator")} == OPERATORS.keys()


@pytest.mark.parametrize("name", OPERATORS)
def test_the_operator_delivers(name: str, execute: Callable[[Any], Mapping[str, Any]], tmp_path: Path) -> None:
    """The operator sends its records to the sandbox and accounts for each."""
    operator_class = getattr(package, name)
    operator = operator_class(task_id=name, records=PRODUCTS, key="sku", results=str(tmp_path), **OPERATORS[name])
    manifest = execute(operator)
    assert (len(PRODUCTS), 0, 0) == (manifest["delivered"], manifest["rejected"], manifest["pending"])


# -- what differs from one Airflow to the next: object storage, configuration, exceptions, rendering ----------------


def test_files_are_read_and_results_stand_below_the_airflow_home(
    sandbox: Sandbox, execute: Callable[[Any], Mapping[str, Any]], tmp_path: Path
) -> None:
    """A glob of files is the source, and without results= they go where this Airflow has its home."""
    for number in (1, 2):
        (tmp_path / f"{number}.jsonl").write_text(f'{{"title": "number {number}"}}\n')
    operator = package.OpenAISendRecordsOperator(
        task_id="files", source=f"file://{tmp_path}/*.jsonl", **OPERATORS["OpenAISendRecordsOperator"]
    )
    manifest = execute(operator)
    assert 2 == manifest["delivered"]
    assert manifest["results"].startswith(f"{os.environ['AIRFLOW_HOME']}/openai_dest/smoke/")
    assert list(Path(manifest["results"]).parent.glob("outcomes-*.jsonl"))


def test_a_second_try_sends_nothing(
    sandbox: Sandbox, execute: Callable[[Any], Mapping[str, Any]], tmp_path: Path
) -> None:
    """What the first try delivered is found again, and no request is sent."""
    operator = package.OpenAISendRecordsOperator(
        task_id="twice", records=PRODUCTS, results=str(tmp_path), **OPERATORS["OpenAISendRecordsOperator"]
    )
    assert (2, 2) == (execute(operator)["requests"], execute(operator)["delivered"])
    assert 0 == execute(operator)["requests"]


def test_outcomes_of_one_task_are_forwarded_by_another(
    sandbox: Sandbox, execute: Callable[[Any], Mapping[str, Any]], tmp_path: Path
) -> None:
    """The manifest of an operator is what OpenAIWebhookOperator takes, and the receiver verifies each signature."""
    sandbox.reset()
    upstream = package.OpenAIEmbeddingOperator(
        task_id="upstream", records=PRODUCTS, key="sku", results=str(tmp_path), **OPERATORS["OpenAIEmbeddingOperator"]
    )
    forward = package.OpenAIWebhookOperator(task_id="forward", manifest=execute(upstream), results=str(tmp_path))
    assert 2 == execute(forward)["delivered"]
    assert {"received": 2, "distinct": 2, "repeats": 0, "refused": 0} == sandbox.stats()["webhooks"]


def test_a_refused_key_fails_the_task_without_a_retry(
    sandbox: Sandbox, execute: Callable[[Any], Mapping[str, Any]], tmp_path: Path
) -> None:
    """The exception is the one by which this Airflow's task runner knows that a retry can't help."""
    operator = package.OpenAISendRecordsOperator(
        task_id="refused", records=PRODUCTS, results=str(tmp_path), **OPERATORS["OpenAISendRecordsOperator"]
    )
    sandbox.set_faults("status=401")
    try:
        with pytest.raises(fail_exception_of_the_task_runner(), match="invalid_api_key"):
            execute(operator)
    finally:
        sandbox.set_faults()


def test_jinja_leaves_literal_records_alone(
    sandbox: Sandbox, execute: Callable[[Any], Mapping[str, Any]], tmp_path: Path
) -> None:
    """Rendering fills the templates of the Dag author and never touches a record."""
    records = [{"title": "{{ 7*7 }} {message.json}"}]
    operator = package.OpenAIUploadFileOperator(
        task_id="lookalike", purpose="user_data", records=records, results=f"{tmp_path}/{{{{ run_id }}}}"
    )
    operator.render_template_fields({"run_id": "r-1"})
    manifest = execute(operator)
    (rows,) = (tmp_path / "r-1").glob("outcomes-*.jsonl")
    assert (1, records[0]) == (manifest["delivered"], json.loads(rows.read_text())["record"])


def fail_exception_of_the_task_runner() -> type[Exception]:
    """Give the class that this Airflow's own task runner imports, wherever it stands."""
    for module in ("airflow.sdk.exceptions", "airflow.exceptions"):
        found: type[Exception] | None = getattr(importlib.import_module(module), "AirflowFailException", None)
        if found is not None:
            return found
    raise LookupError("AirflowFailException")
