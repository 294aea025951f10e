"""Faults on demand: each one shows as declared, to the requests it was declared for."""

from __future__ import annotations

import base64
import json
import logging
import math
import struct
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox import FaultRule, running_sandbox
from airflow_provider_openai_dest.sandbox.fault_plan import FaultPlan
from airflow_provider_openai_dest.sandbox.faults import MODES

TWO_INPUTS = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 4}


@pytest.fixture(scope="module")
def running():
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    running.set_faults()
    running.reset()
    return running


@pytest.fixture(scope="module")
def client(running):
    headers = {"authorization": "Bearer key"}
    with httpx.Client(base_url=running.base_url, headers=headers, trust_env=False, timeout=30) as client:
        yield client  # no test waits for this time, however slow the machine is


def complaints(caplog):
    """Give what the server's own thread warns of; anything else in this process may log at any time."""
    own = [record for record in caplog.records if record.threadName == "openai-sandbox"]
    return [record.getMessage() for record in own if record.levelno >= logging.WARNING]


def embed(client, **body):
    return client.post("/embeddings", json={**TWO_INPUTS, **body})


@pytest.mark.parametrize(
    ("rule", "type_", "code", "retry_after"),
    [
        ("status=429", "requests", "rate_limit_exceeded", "1"),
        ("status=429,code=slow_down", "rate_limit_error", "slow_down", "1"),
        ("status=429,code=insufficient_quota", "insufficient_quota", "insufficient_quota", None),
        ("status=429,retry_after=7.5", "requests", "rate_limit_exceeded", "8"),
        ("status=429,retry_after=0", "requests", "rate_limit_exceeded", None),
        ("status=503", "service_unavailable_error", "server_is_overloaded", None),
        ("status=500", "server_error", None, None),
        ("status=502", "server_error", None, None),
        ("status=401", "invalid_request_error", "invalid_api_key", None),
        ("status=409,type=conflict,code=lock", "conflict", "lock", None),
    ],
)
def test_a_status_comes_with_the_error_that_openai_sends(sandbox, client, rule, type_, code, retry_after):
    """A status fault has the type, code and Retry-After that OpenAI sends with it, and no work is done."""
    sandbox.set_faults(rule)
    response = embed(client)

    assert response.status_code == FaultRule.parse(rule).status
    assert (type_, code) == (response.json()["error"]["type"], response.json()["error"]["code"])
    assert retry_after == response.headers.get("retry-after")
    assert sandbox.stats()["executions"] == 0


@pytest.mark.parametrize(("rule", "executions"), [("reset", 0), ("reset_after_work", 1)])
def test_a_reset_loses_the_answer(sandbox, client, caplog, rule, executions):
    """A reset breaks the connection off, before the work or after it, and the server finds nothing wrong with it."""
    sandbox.set_faults(rule)
    with pytest.raises(httpx.ReadError):
        embed(client)

    stats = sandbox.stats()
    assert stats["executions"] == executions
    assert stats["requests"] == {"POST /v1/embeddings": {"reset": 1}}
    assert complaints(caplog) == []


def test_repeated_work_is_counted(sandbox, client):
    """Work that was done before is counted as repeated, input by input."""
    sandbox.set_faults("reset_after_work,times=1")
    with pytest.raises(httpx.ReadError):
        embed(client)
    embed(client, input=["b", "c"])
    embed(client, input=[[5, 6], [5, 7]])

    stats = sandbox.stats()
    assert (3, 6, 1) == (stats["executions"], stats["items"], stats["repeated_items"])


def test_a_repeated_upload_is_counted(sandbox, client):
    """A file that is uploaded again is repeated work, though no two forms have the same bytes."""
    for name in "aab":
        client.post("/files", data={"purpose": "evals"}, files={"file": (name, b"x")})

    stats = sandbox.stats()
    assert (3, 1) == (stats["executions"], stats["repeated_items"])


def test_half_json_ends_early(sandbox, client):
    """half_json: a complete HTTP answer whose JSON ends in the middle."""
    sandbox.set_faults("half_json")
    response = embed(client)

    assert len(response.content) == int(response.headers["content-length"])
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_truncated_answer_is_shorter_than_announced(sandbox, client, caplog):
    """truncated: the connection ends before the announced length."""
    sandbox.set_faults("truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        embed(client)
    sandbox.stats()

    assert complaints(caplog) == []


def test_an_html_page_comes_with_200(sandbox, client):
    """html200: a proxy's page with status 200."""
    sandbox.set_faults("html200")
    response = embed(client)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_nan_is_among_the_numbers(sandbox, client, encoding):
    """nan: the first number of the first vector is NaN, in both encodings."""
    sandbox.set_faults("nan")
    vector = embed(client, encoding_format=encoding).json()["data"][0]["embedding"]

    assert math.isnan(vector[0] if encoding == "float" else struct.unpack("<4f", base64.b64decode(vector))[0])


def test_a_nan_is_in_other_answers_too(sandbox, client):
    """nan: an answer without vectors has a NaN field."""
    sandbox.set_faults("nan")
    assert math.isnan(client.post("/moderations", json={"input": "a"}).json()["score"])


@pytest.mark.parametrize(("rule", "indexes"), [("wrong_count", [0]), ("wrong_index", [0, 2])])
def test_the_list_of_the_answer_is_wrong(sandbox, client, rule, indexes):
    """wrong_count: one item is missing; wrong_index: an index that was never asked for."""
    sandbox.set_faults(rule)
    assert indexes == [item["index"] for item in embed(client).json()["data"]]


def test_bad_utf8_is_no_text(sandbox, client):
    """bad_utf8: the body is not UTF-8."""
    sandbox.set_faults("bad_utf8")
    with pytest.raises(UnicodeDecodeError):
        embed(client).content.decode()


def test_a_drip_comes_byte_by_byte(sandbox, client):
    """drip: one byte at a time, so that no read ever times out; a client that goes away ends it."""
    sandbox.set_faults("drip,interval=0.01")
    started = time.perf_counter()
    with client.stream("POST", "/embeddings", json={**TWO_INPUTS, "dimensions": 1536}) as response:
        parts = response.iter_raw()
        seen = b"".join(next(parts) for _ in range(5))

    assert len(seen) < 20
    assert time.perf_counter() - started > 0.03
    deadline = time.monotonic() + 2
    while sandbox.stats()["in_flight"] and time.monotonic() < deadline:
        time.sleep(0.005)
    assert sandbox.stats()["in_flight"] == 0


def test_a_short_drip_ends_whole(sandbox, client):
    """drip: whoever waits gets the whole answer."""
    sandbox.set_faults("drip,interval=0")
    assert [0, 1] == [item["index"] for item in embed(client).json()["data"]]


def test_a_slow_answer_is_right(sandbox, client):
    """slow: the right answer, so many seconds later; also beside another fault."""
    sandbox.set_faults("slow=0.05,times=1", "status=500,slow=0.05")
    started = time.perf_counter()
    statuses = [embed(client).status_code for _ in range(2)]

    assert [200, 500] == statuses
    assert time.perf_counter() - started >= 0.1


def test_a_redirect_leads_elsewhere(sandbox, client):
    """redirect: 307 to the URL that was named."""
    sandbox.set_faults("redirect,to=http://127.0.0.1:9/steal")
    response = embed(client)

    assert (307, "http://127.0.0.1:9/steal") == (response.status_code, response.headers["location"])


def test_a_bomb_is_small_on_the_wire(sandbox, client):
    """bomb: a small gzip body that unpacks to the size that was named."""
    sandbox.set_faults("bomb,megabytes=5")
    with client.stream("POST", "/embeddings", json=TWO_INPUTS) as response:
        packed = sum(map(len, response.iter_raw()))
    unpacked = len(embed(client).content)

    assert packed < unpacked / 100
    assert unpacked > 5_000_000


def test_an_answer_that_is_an_error_stays_whole(sandbox, client):
    """Faults of the answer leave a refusal alone: nothing was worked, nothing can be lost."""
    sandbox.set_faults("reset_after_work")
    assert embed(client, input="").status_code == 400


def test_a_rule_is_for_a_path_and_a_text(sandbox, client):
    """A rule meets only requests to its path whose body contains its text, also when JSON escapes it."""
    sandbox.set_faults("status=500,path=/embeddings,match=grün")
    statuses = [
        embed(client, input="grün").status_code,
        client.post("/embeddings", content=json.dumps({**TWO_INPUTS, "input": "grün"})).status_code,
        embed(client, input="rot").status_code,
        client.post("/moderations", json={"input": "grün"}).status_code,
    ]

    assert [500, 500, 200, 200] == statuses


def test_the_inbox_meets_only_faults_that_name_it(sandbox, client):
    """A rule without a path is for the API alone; one with the inbox's path is for the inbox."""
    sandbox.set_faults("status=500")
    before = client.post(sandbox.inbox_url, json={}).status_code
    sandbox.set_faults("status=503,path=/sandbox/inbox")
    after = client.post(sandbox.inbox_url, json={}).status_code

    assert (200, 503) == (before, after)


def test_faults_are_set_and_read_and_ended_at_run_time(sandbox, client):
    """POST replaces the rules, GET tells how often each has fired, DELETE ends them; a wrong rule changes nothing."""
    url = f"{sandbox.root_url}/sandbox/faults"
    client.post(url, json={"faults": ["status=500,times=1", {"mode": "nan", "match": "a,b"}], "seed": 7})
    embed(client)
    wrong = [client.post(url, json={"faults": [rule]}) for rule in ("status=nine", {"mode": "nan", "times": None}, 7)]
    told = client.get(url).json()
    ended = client.delete(url).json()

    assert [(400, "faults")] * 3 == [(answer.status_code, answer.json()["error"]["param"]) for answer in wrong]
    assert {
        "seed": 7,
        "faults": [
            {"rule": {"mode": "status", "status": 500, "times": 1}, "fired": 1},
            {"rule": {"mode": "nan", "match": "a,b"}, "fired": 0},
        ],
    } == told
    assert ended["faults"] == []


# -- which request meets which fault ----------------------------------------------------------------


def fired(*rules, requests=20, seed=0):
    plan = FaultPlan(rules, seed)
    picks = [plan.pick("/v1/embeddings", b"") for _ in range(requests)]
    return [number for number, rule in enumerate(picks) if rule is not None]


def test_after_and_times_count_requests():
    """after=3 lets three requests pass, times=2 fires twice."""
    assert [3, 4] == fired("reset,after=3,times=2")


def test_the_first_rule_that_fires_wins():
    """Rules are tried in order; one that is spent leaves the request to the next."""
    plan = FaultPlan(["status=500,times=1", "status=503"], seed=0)

    assert [500, 503, 503] == [plan.pick("/v1/models", b"").status for _ in range(3)]


def test_chance_is_seeded():
    """The same seed gives the same faults, another seed others, at about the rate that was asked for."""
    first, again, other = (fired("reset,rate=0.1", requests=2000, seed=seed) for seed in (1, 1, 2))

    assert first == again != other
    assert 150 < len(first) < 250


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "name one fault"),
        ("reset,nan", "name one fault"),
        ("rate=0.5", "name one fault"),
        ("nann", "did you mean 'nan'"),
        ("reset,rat=1", "did you mean 'rate'"),
        ("reset,rate=2", "rate must be 0 to 1"),
        ("status=99", "status must be 200 to 599"),
        ("status=abc", "invalid literal"),
        ("redirect", "redirect needs to=URL"),
        ("slow=-1", "slow must not be negative"),
    ],
)
def test_a_wrong_rule_is_refused_with_advice(text, words):
    """A rule that can't be read is refused, and the message says what to write."""
    with pytest.raises(ConfigurationError, match=words):
        FaultRule.parse(text)


def test_all_faults_of_a_rule_are_told_at_once():
    """One error names everything that is wrong with a rule."""
    with pytest.raises(ConfigurationError) as caught:
        FaultRule(mode="nope", rate=2, slow=-1)
    assert len(caught.value.faults) == 3


@given(
    mode=st.sampled_from(sorted(MODES)),
    rate=st.floats(0, 1),
    after=st.integers(0, 99),
    times=st.none() | st.integers(0, 99),
    match=st.none() | st.text(),
)
def test_a_rule_survives_json(mode, rate, after, times, match):
    """A rule written as JSON reads back as the same rule."""
    rule = FaultRule(mode=mode, status=503, to="/", rate=rate, after=after, times=times, match=match)

    assert rule == FaultRule.from_json(json.loads(json.dumps(rule.as_json())))
