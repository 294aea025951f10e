"""The pages: what they print of the operators is fresh, and every Python block runs."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cogapp
import pytest
from cogapp.cogapp import CogCheckFailed

import airflow_provider_openai_dest as package
from airflow_provider_openai_dest import OpenAIDestHook, OpenAIEmbeddingOperator
from airflow_provider_openai_dest.sandbox import DEMO_WEBHOOK_SECRET, Sandbox
from docs.examples import PAGES, REPOSITORY, Example, examples, make_lake
from tests.airflow.operator_context import Seen, recording_server, run, webhook_connection

if TYPE_CHECKING:
    from airflow.sdk import DAG

EXAMPLES = [example for page in PAGES for example in examples(page)]
OPERATORS = sorted(name for name in package.__all__ if name.endswith("Operator"))


def name_of(thing: Path | Example) -> str:
    return thing.name if isinstance(thing, Example) else str(thing.relative_to(REPOSITORY))


def shell_lines() -> Iterator[str]:
    for page in PAGES:
        for example in examples(page, "bash"):
            yield from example.text.replace("\\\n", " ").splitlines()


# -- what is printed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [page for page in PAGES if re.search(r"import (operator_tables|samples)", page.read_text())], ids=name_of
)
def test_what_is_printed_is_fresh(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parameters and samples in a page are those of the code; `make docs` prints them again."""
    monkeypatch.chdir(REPOSITORY)
    try:
        cogapp.Cog().callable_main(["cog", "--check", "--diff", name_of(page)])
    except CogCheckFailed:
        pytest.fail(f"`make docs` was not run:\n{capsys.readouterr().out}")


@pytest.mark.parametrize("name", OPERATORS)
def test_each_operator_has_a_page(name: str) -> None:
    """README.md names each operator, and its page begins with an example of it and prints its parameters."""
    module = getattr(package, name).__module__.rpartition(".")[2]
    page = REPOSITORY / "docs" / f"{module}.md"
    assert f"[`{name}`](docs/{module}.md)" in (REPOSITORY / "README.md").read_text()
    assert f'operator_tables.parameters("{name}")' in page.read_text()
    assert any(f"{name}(" in example.text for example in examples(page))


# -- what is shown -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the data that the examples read, where they also write."""
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.makes_a_dag], ids=name_of)
def test_a_dag_that_is_shown_runs(
    example: Example, lake: Path, sandbox: Sandbox, run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    """Each block with operators is a Dag that succeeds against the sandbox."""
    result = run_dag(load_dag(example, lake, tmp_path))
    assert result.state == "success", result.task_states
    for manifest in result.xcoms.values():
        assert not isinstance(manifest, dict) or manifest["delivered"] + manifest["rejected"] == manifest["input"]


def load_dag(example: Example, lake: Path, folder: Path) -> DAG:
    """Read a block as the Dag processor reads a file."""
    file = folder / f"{example.name}.py"
    file.write_text(example.as_dag_file(lake))
    try:
        dag_bags = importlib.import_module("airflow.dag_processing.dagbag")
    except ModuleNotFoundError:  # Airflow 3.1
        dag_bags = importlib.import_module("airflow.models.dagbag")
    bag = dag_bags.DagBag(str(file), bundle_path=folder)
    assert not bag.import_errors, bag.import_errors
    (dag,) = bag.dags.values()
    found: DAG = dag
    return found


@pytest.mark.parametrize("example", [each for each in EXAMPLES if not each.makes_a_dag], ids=name_of)
def test_code_that_is_shown_runs(
    example: Example,
    lake: Path,
    sandbox: Sandbox,
    airflow_db: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Each other block runs; the tests in it pass."""
    monkeypatch.chdir(REPOSITORY)
    names = run_block(example, lake)
    for name, thing in names.items():
        if name.startswith("test_"):
            thing(**{wanted: request.getfixturevalue(wanted) for wanted in inspect.signature(thing).parameters})


def run_block(example: Example, lake: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(example.with_lake(lake), f"{example.page}:{example.line}", "exec"), names)  # noqa: S102 - our own pages
    return names


def test_the_receiver_that_is_shown_takes_what_is_sent(
    sandbox: Sandbox, lake: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The code for a receiver verifies single items and batches, and drops what it has seen."""
    monkeypatch.setenv("WEBHOOK_SECRET", DEMO_WEBHOOK_SECRET)
    receiver = next(each for each in EXAMPLES if "def receive(" in each.text)
    receive = run_block(receiver, lake)["receive"]
    for batch_size in (1, 2):
        with recording_server() as (url, seen):
            monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEST_WEBHOOK_DEFAULT", webhook_connection(url))
            run(
                OpenAIEmbeddingOperator(
                    task_id=f"embed_{batch_size}",
                    records=[{"t": "one"}, {"t": "two"}, {"t": "three"}],
                    model="text-embedding-3-small",
                    input="{message.t}",
                    results=str(tmp_path),
                    webhook_conn_id="openai_dest_webhook_default",
                    webhook_batch_size=batch_size,
                )
            )
        assert {"0", "1", "2"} == {item["key"] for item in taken(receive, seen)}
        assert [] == taken(receive, seen)


def taken(receive: Callable[..., list[dict[str, Any]]], seen: list[Seen]) -> list[dict[str, Any]]:
    return [item for request in seen for item in receive(request.headers, request.body)]


# -- commands ----------------------------------------------------------------------------------------


def test_airflow_takes_the_commands_that_are_shown() -> None:
    """Each `airflow` command has arguments that Airflow's own parser takes."""
    from airflow.cli.cli_parser import get_parser

    commands = [line for line in shell_lines() if line.startswith("airflow ")]
    assert commands
    for command in commands:
        get_parser().parse_args(shlex.split(command, comments=True)[1:])


def test_connections_by_uri_are_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection that is written as a URI is one that the hook reads."""
    found = [re.fullmatch(r"export (AIRFLOW_CONN_\w+)='(\w[\w-]*://.*)'", line) for line in shell_lines()]
    uris = [(match[1], match[2]) for match in found if match]
    assert uris
    for variable, uri in uris:
        monkeypatch.setenv(variable, uri)
        settings = OpenAIDestHook(variable.removeprefix("AIRFLOW_CONN_").lower()).settings
        assert "sk-proj-..." == settings.api_key.get_secret_value()
