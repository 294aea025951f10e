"""What a delivery measures arrives where Airflow's own metrics go, and never fails it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_openai_dest import OpenAISendRecordsOperator
from airflow_provider_openai_dest.delivery import meter
from airflow_provider_openai_dest.delivery.meter import METRICS, NoMeter
from airflow_provider_openai_dest.operators import metrics
from airflow_provider_openai_dest.operators.metrics import AirflowMeter, meter_of

CONTEXT = {"ti": SimpleNamespace(dag_id="shop", task_id="embed")}
TAGS = {"dag_id": "shop", "task_id": "embed", "endpoint": "create_embedding"}


class Stats:
    """Airflow's metrics, as they are called; may be out of order."""

    def __init__(self, *, broken: bool = False) -> None:
        self.seen: list[tuple[str, str, float, dict[str, str]]] = []
        self.calls = 0
        self._broken = broken

    def _take(self, kind: str, name: str, value: float, tags: dict[str, str]) -> None:
        self.calls += 1
        if self._broken:
            raise OSError("no route to the metrics")
        self.seen.append((kind, name, value, tags))

    def incr(self, name: str, count: float, *, tags: dict[str, str]) -> None:
        self._take("incr", name, count, tags)

    def gauge(self, name: str, value: float, *, tags: dict[str, str]) -> None:
        self._take("gauge", name, value, tags)

    def timing(self, name: str, dt: float, *, tags: dict[str, str]) -> None:
        self._take("timing", name, dt, tags)


def test_each_measurement_has_the_prefix_and_the_tags_of_its_task() -> None:
    """Counters, gauges and durations go out under `openai_dest.`, with the task's tags and their own."""
    stats = Stats()
    sent = AirflowMeter(stats, TAGS)
    sent.incr(meter.RECORDS, 3, {"status": "delivered"})
    sent.gauge(meter.IN_FLIGHT, 8)
    sent.timing(meter.REQUEST_DURATION, 120.5)
    assert stats.seen == [
        ("incr", "openai_dest.records", 3, TAGS | {"status": "delivered"}),
        ("gauge", "openai_dest.in_flight", 8, TAGS),
        ("timing", "openai_dest.request.duration", 120.5, TAGS),
    ]


@pytest.mark.parametrize(
    ("model", "tag"), [("gpt-6-luna", "gpt-6-luna"), ("ft:gpt-6:shop, inc|x=1:ab", "ft_gpt-6_shop__inc_x_1_ab")]
)
def test_a_tag_ends_where_it_should(model: str, tag: str) -> None:
    """What has a meaning in a protocol, such as the colons of a fine-tuned model, is replaced in a tag."""
    stats = Stats()
    AirflowMeter(stats, {"model": model}).incr(meter.REQUESTS)
    assert [("incr", "openai_dest.requests", 1, {"model": tag})] == stats.seen


def test_metrics_that_fail_never_fail_a_delivery(caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is told once, and no more is sent."""
    stats = Stats(broken=True)
    sent = AirflowMeter(stats, TAGS)
    for _ in range(3):
        sent.incr(meter.REQUESTS)
        sent.gauge(meter.IN_FLIGHT, 1)
    assert 1 == stats.calls
    assert ["No more metrics are sent: OSError: no route to the metrics"] == caplog.messages


def test_without_metrics_nothing_is_measured() -> None:
    """Where Airflow has no metrics turned on, which is the default, measuring costs nothing."""
    assert isinstance(meter_of(CONTEXT, endpoint="create_embedding"), NoMeter)


def test_a_configuration_that_can_not_be_read_means_no_metrics(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in Airflow's configuration of the metrics is told, and the delivery goes on."""
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "perhaps")
    assert isinstance(meter_of(CONTEXT, endpoint="create_embedding"), NoMeter)
    assert caplog.messages[0].startswith("No metrics are sent: ")


def test_the_tags_are_those_of_airflows_own_metrics() -> None:
    """Where Airflow says how it tags a task, with the team for one, that is taken; the model only when it is one."""
    ti = SimpleNamespace(dag_id="shop", task_id="embed", stats_tags={"dag_id": "shop", "team_name": "search"})
    assert metrics.task_tags({"ti": ti}, "create_embedding", "gpt-6-luna") == {
        "dag_id": "shop",
        "team_name": "search",
        "endpoint": "create_embedding",
        "model": "gpt-6-luna",
    }
    assert TAGS == metrics.task_tags(CONTEXT, "create_embedding", None)


ONE_MODEL: dict[str, tuple[dict[str, Any], str | None]] = {
    "of a body": ({"body": {"model": "gpt-6-luna", "input": "{message.q}"}}, "gpt-6-luna"),
    "of the fields, which win": ({"body": {"model": "a", "input": "{message.q}"}, "fields": {"model": "b"}}, "b"),
    "of each record": ({"body": {"model": "{message.model}", "input": "{message.q}"}}, None),
    "of none": ({"body": {"input": "{message.q}"}}, None),
    "of a body that is a text": ({"body": "{message.json}"}, None),
    "without a body": ({}, None),
}


@pytest.mark.parametrize("case", ONE_MODEL)
def test_the_model_is_a_tag_when_it_is_the_same_for_all(case: str) -> None:
    """A model that stands in the Dag is known before anything is sent; one that records name is none for the task."""
    arguments, model = ONE_MODEL[case]
    task: dict[str, Any] = {"task_id": "send", "endpoint": "create_response", "records": [{"q": "a"}]}
    assert model == OpenAISendRecordsOperator(**task | arguments).one_model()


# -- over the wire -----------------------------------------------------------------------------------


@pytest.fixture
def datagrams(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a function that reads what has arrived at a statsd on loopback; Airflow's metrics go there."""
    pytest.importorskip("statsd")
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(2)
        options = {"ON": "True", "HOST": "127.0.0.1", "PORT": str(server.getsockname()[1])}
        options["INFLUXDB_ENABLED"] = str(request.param)
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
        backend = stats_utils.get_stats_factory()()
        stats.initialize(factory=lambda: backend, export_legacy_names=False)
        yield lambda number: sorted(server.recv(1000).decode() for _ in range(number))
        backend.statsd.close()
        monkeypatch.undo()
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def send_all(model: str | None = None) -> None:
    sent = meter_of(CONTEXT, endpoint="POST /responses", model=model)
    for name, metric in METRICS.items():
        match metric.kind:
            case "counter":
                sent.incr(name, 2, dict.fromkeys(metric.tags, "delivered"))
            case "gauge":
                sent.gauge(name, 0.5)
            case "timer":
                sent.timing(name, 12.25)


@pytest.mark.parametrize("datagrams", [False], indirect=True)
def test_every_measurement_arrives_at_a_statsd(datagrams: Any) -> None:
    """A statsd receives each name of the table, as its kind; without tags, which plain statsd does not know."""
    send_all()
    assert datagrams(len(METRICS)) == [
        "airflow.openai_dest.allowance.share:0.5|g",
        "airflow.openai_dest.in_flight:0.5|g",
        "airflow.openai_dest.maybe_billed:2|c",
        "airflow.openai_dest.rate_limited:2|c",
        "airflow.openai_dest.records:2|c",
        "airflow.openai_dest.request.duration:12.250000|ms",
        "airflow.openai_dest.requests:2|c",
        "airflow.openai_dest.retries:2|c",
        "airflow.openai_dest.tokens:2|c",
        "airflow.openai_dest.waits.seconds:2|c",
    ]


@pytest.mark.parametrize("datagrams", [True], indirect=True)
def test_tags_arrive_at_a_statsd_that_knows_them(datagrams: Any) -> None:
    """With `statsd_influxdb_enabled` the tags are there, whatever endpoint and model are called."""
    meter_of(CONTEXT, endpoint="POST /responses", model="ft:gpt-6:shop").incr(meter.TOKENS, 7)
    (arrived,) = datagrams(1)
    name, *tags = arrived.removesuffix(":7|c").split(",")
    assert "airflow.openai_dest.tokens" == name
    assert {"dag_id=shop", "task_id=embed", "endpoint=POST_/responses", "model=ft_gpt-6_shop"} == set(tags)
