"""Two kinds of placeholder, never mixed: Jinja is the Dag author's, records are data whatever they look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, task

from airflow_provider_openai_dest import OpenAIManualRequestOperator, OpenAIUploadFileOperator, OpenAIWebhookOperator
from airflow_provider_openai_dest.operators.airflow_versions import AirflowFailException
from airflow_provider_openai_dest.sandbox import Sandbox
from tests.airflow.operator_context import (
    KEY,
    SECRET,
    Seen,
    attempt,
    counts,
    fail,
    inbox_items,
    openai_connection,
    recording_server,
    run,
)

# records that look like templates, all of which are data
LOOKALIKES: list[Any] = [
    {"t": "{{ 7*7 }}"},
    {"t": "{% for x in y %}{{ x }}{% endfor %}{# no comment #}"},
    {"t": "{{ undefined.field }}"},
    {"t": "{message.json}"},
    {"t": "{record.t} {message.t} \\{message.t}"},
    {"{{ key }}": "{message.other}"},
    {"t": ["{{ 7*7 }}", {"{message.json}": "{{ ds }}"}]},
    "{{ 7*7 }}",
    "{message.json}",
]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Seen]]:
    """Give what a server was sent to which the connection ``recorder`` leads."""
    with recording_server() as (root, requests):
        monkeypatch.setenv("AIRFLOW_CONN_RECORDER", openai_connection(f"{root}/v1"))
        yield requests


def send(tmp_path: Path, **arguments: Any) -> OpenAIManualRequestOperator:
    return OpenAIManualRequestOperator(
        **{"task_id": "send", "conn_id": "recorder", "url": "/x", "concurrency": 1, "results": str(tmp_path)}
        | arguments
    )


def upstream(task_id: str, *, dag: DAG) -> Any:
    """Give the XComArg of a task whose return value the test's context knows."""

    @task(task_id=task_id)
    def produce() -> None:
        pass

    with dag:
        return produce()


def bodies(seen: list[Seen]) -> list[Any]:
    return [json.loads(one.body) for one in seen]


# -- records are data --------------------------------------------------------------------------------


def test_records_written_in_the_dag_file_are_data(seen: list[Seen], tmp_path: Path) -> None:
    """Jinja and placeholders in literal records arrive as they are, as the whole body and inside one."""
    run(send(tmp_path, records=LOOKALIKES))
    assert LOOKALIKES == bodies(seen)
    seen.clear()
    run(send(tmp_path, records=LOOKALIKES, body={"a": "{message.json}", "b": "<{message.json}>"}), run_id="b")
    expected = [
        record if isinstance(record, str) else json.dumps(record, separators=(",", ":")) for record in LOOKALIKES
    ]
    assert LOOKALIKES == [body["a"] for body in bodies(seen)]
    assert [f"<{text}>" for text in expected] == [body["b"] for body in bodies(seen)]


def test_records_of_an_upstream_task_are_data(seen: list[Seen], tmp_path: Path) -> None:
    """So are those of an XCom, given by .output or by Jinja."""
    with DAG("lookalikes", schedule=None) as dag:
        records = upstream("products", dag=dag)
        by_output = send(tmp_path / "a", records=records)
        by_jinja = send(tmp_path / "b", task_id="jinja", records="{{ ti.xcom_pull('products') | tojson }}")
    for operator in (by_output, by_jinja):
        seen.clear()
        run(operator, upstream={"products": LOOKALIKES})
        assert LOOKALIKES == bodies(seen)


def test_one_record_of_an_upstream_task_is_data(seen: list[Seen], tmp_path: Path) -> None:
    """One object, and one text, that an upstream task returned are one record each."""
    with DAG("one_record", schedule=None) as dag:
        records = upstream("product", dag=dag)
        operator = send(tmp_path, records=records)
    for number, value in enumerate(({"t": "{{ 7*7 }}"}, "{{ 7*7 }} {message.json}")):
        run(operator, upstream={"product": value}, run_id=str(number))
    assert [{"t": "{{ 7*7 }}"}, "{{ 7*7 }} {message.json}"] == bodies(seen)


@pytest.mark.parametrize("text", ["[draft] a text", "{curly} text", "[1, 2", "{{ 7*7 }}"])
def test_a_text_of_an_upstream_task_is_data(seen: list[Seen], tmp_path: Path, text: str) -> None:
    """A text that an upstream task returned is a record, also where it begins as JSON does and is none."""
    with DAG("a_text", schedule=None) as dag:
        operator = send(tmp_path, records=upstream("product", dag=dag))
    run(operator, upstream={"product": text})
    assert [text] == bodies(seen)


@pytest.mark.parametrize("text", ["[draft] a text", "{curly} text", "None"])
def test_a_text_written_in_the_dag_file_is_data(seen: list[Seen], tmp_path: Path, text: str) -> None:
    """So is a text in the Dag file that has no Jinja in it."""
    run(send(tmp_path, records=text))
    assert [text] == bodies(seen)


def test_records_of_files_are_data(seen: list[Seen], tmp_path: Path) -> None:
    """So are those of a file."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(record) + "\n" for record in LOOKALIKES))
    run(send(tmp_path, source=f"{tmp_path}/in.jsonl"))
    assert LOOKALIKES == bodies(seen)


def test_records_that_are_forwarded_are_data(sandbox: Sandbox, tmp_path: Path) -> None:
    """The webhook gets them byte for byte as well."""
    run(OpenAIWebhookOperator(task_id="forward", records=LOOKALIKES, results=str(tmp_path)))
    items = sorted((body["data"] for body in inbox_items(sandbox)), key=lambda item: item["position"])
    assert LOOKALIKES == [item["record"] for item in items]


def test_a_mixed_list_leaves_its_literal_records_alone(seen: list[Seen], tmp_path: Path) -> None:
    """Literal records beside the output of a task are data as well."""
    with DAG("mixed", schedule=None) as dag:
        product = upstream("product", dag=dag)
        operator = send(tmp_path, records=[{"t": "{{ 7*7 }}"}, product])
    run(operator, upstream={"product": {"t": "{{ 7*7 }}"}})
    assert [{"t": "{{ 7*7 }}"}] * 2 == bodies(seen)


def test_the_texts_of_a_mixed_record_are_left_alone(seen: list[Seen], tmp_path: Path) -> None:
    """In one record, what is written is data and only the reference is resolved."""
    with DAG("mixed_record", schedule=None) as dag:
        operator = send(tmp_path, records=[{"id": upstream("product", dag=dag), "t": "{{ 7*7 }}"}])
    run(operator, upstream={"product": 5})
    assert [{"id": 5, "t": "{{ 7*7 }}"}] == bodies(seen)


# -- Jinja is for the Dag author ---------------------------------------------------------------------


def test_jinja_is_rendered_once_a_task(seen: list[Seen], tmp_path: Path) -> None:
    """Body, URL, headers and places are rendered, and then filled from each record."""
    operator = send(
        tmp_path,
        url="/x/{{ ti.task_id }}/{message.id}",
        headers={"X-Run": "{{ run_id }}"},
        body={"run": "{{ run_id }}", "t": "{{ ti.task_id }}: {message.t}"},
        records=[{"id": 1, "t": "one"}, {"id": 2, "t": "two"}],
        results=f"{tmp_path}/{{{{ ti.task_id }}}}",
    )
    manifest = run(operator, run_id="r1")
    assert [("/v1/x/send/1", "r1"), ("/v1/x/send/2", "r1")] == [(one.target, one.headers["x-run"]) for one in seen]
    assert [{"run": "r1", "t": "send: one"}, {"run": "r1", "t": "send: two"}] == bodies(seen)
    assert manifest["results"].startswith(f"{tmp_path}/send/")


def test_the_output_of_a_task_can_be_a_path(seen: list[Seen], tmp_path: Path) -> None:
    """source= takes what an upstream task returned."""
    (tmp_path / "in.jsonl").write_text('{"t": 1}\n')
    with DAG("a_path", schedule=None) as dag:
        operator = send(tmp_path, source=upstream("path", dag=dag))
    assert (1, 1, 0, 0) == counts(run(operator, upstream={"path": f"{tmp_path}/in.jsonl"}))


def test_arguments_can_be_the_output_of_a_task(sandbox: Sandbox, tmp_path: Path) -> None:
    """URL, purpose, model and connection take what an upstream task returned, as every templated field does."""
    with DAG("arguments", schedule=None) as dag:
        value = upstream("value", dag=dag)
        operators = {
            "/models": OpenAIManualRequestOperator(task_id="url", url=value, method="GET", results=str(tmp_path)),
            "user_data": OpenAIUploadFileOperator(task_id="u", purpose=value, records=[{}], results=str(tmp_path)),
            "openai_dest_default": OpenAIManualRequestOperator(
                task_id="conn", url="/models", method="GET", conn_id=value, results=str(tmp_path)
            ),
        }
    for returned, operator in operators.items():
        assert (1, 1, 0, 0) == counts(run(operator, upstream={"value": returned}))


def test_the_name_of_a_file_is_rendered(sandbox: Sandbox, tmp_path: Path) -> None:
    """filename= takes Jinja beside placeholders of the record."""
    operator = OpenAIUploadFileOperator(
        task_id="u",
        purpose="user_data",
        records=[{"t": "one"}],
        filename="{{ ti.task_id }}-{message.t}.jsonl",
        results=str(tmp_path),
    )
    assert "u-one.jsonl" == run(operator)["outcomes"][0]["answer"]["filename"]


def test_records_are_not_shown_among_the_rendered_fields(tmp_path: Path) -> None:
    """What Airflow shows of literal records is how many there are."""
    assert "<2 literal records>" == str(send(tmp_path, records=[{"secret": "x"}, {}]).records)


PYTHON_TEXTS = {
    "a list": "{{ ti.xcom_pull('products') }}",
    "written by hand": "{{ [{'t': 1}, {'t': None}] }}",
    "one object": "{{ {'t': 'a'} }}",
}


@pytest.mark.parametrize("case", PYTHON_TEXTS)
def test_a_list_that_jinja_wrote_as_python_is_refused(seen: list[Seen], tmp_path: Path, case: str) -> None:
    """Jinja writes a list in Python's form, which is no data: the task fails without a retry and says what to write."""
    operator = send(tmp_path, records=PYTHON_TEXTS[case])
    ended = fail(operator, AirflowFailException, "tojson", upstream={"products": [{"t": "it's", "n": None}]})
    assert ".output" in str(ended.error)
    assert not seen


def test_what_jinja_made_of_nothing_is_not_a_record(seen: list[Seen], tmp_path: Path) -> None:
    """An upstream task that returned nothing gives no record or an error, and never a record with the text None."""
    attempt(send(tmp_path, records="{{ ti.xcom_pull('products') }}"), upstream={"products": None})
    assert not seen


# -- as Airflow runs it ------------------------------------------------------------------------------


def test_a_dag_run_carries_records_byte_for_byte(
    sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any], seen: list[Seen]
) -> None:
    """Through a whole Dag run, literal records and those of an XCom arrive as they are."""
    with DAG("byte_for_byte", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:

        @task
        def products() -> list[Any]:
            return LOOKALIKES

        literal = send(tmp_path / "literal", task_id="literal", records=LOOKALIKES)
        literal >> send(tmp_path / "upstream", task_id="upstream", records=products())
    result = run_dag(dag)
    assert ("success", {"literal", "products", "upstream"}) == (result.state, set(result.task_states))
    assert [*LOOKALIKES, *LOOKALIKES] == bodies(seen)


def test_neither_key_nor_secret_is_in_the_database(
    sandbox: Sandbox, tmp_path: Path, run_dag: Callable[..., Any], airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a Dag run neither XCom nor rendered fields nor anything else in Airflow's database holds a credential."""
    monkeypatch.setenv("AIRFLOW_CONN_WITH_KEY", openai_connection(sandbox.base_url))
    with DAG("no_secrets", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        OpenAIUploadFileOperator(
            task_id="upload",
            conn_id="with_key",
            records=[{"t": 1}],
            purpose="user_data",
            results=str(tmp_path),
            webhook_conn_id="openai_dest_webhook_default",
        )
    assert "success" == run_dag(dag).state
    stored = b"".join(path.read_bytes() for path in airflow_db.parent.glob("airflow.db*"))
    assert b"no_secrets" in stored
    assert (False, False) == (KEY.encode() in stored, SECRET.removeprefix("whsec_").encode() in stored)
