"""The sandbox starts, tells where it is, and ends cleanly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.sandbox import FaultRule, running_sandbox

KEY = {"authorization": "Bearer key"}


def run_python(*arguments):
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )


def start_command(*arguments):
    return run_python("-m", "airflow_provider_openai_dest.sandbox", *arguments)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_tells_its_url_and_ends_cleanly(stop):
    """The command prints one line with the base URL, serves there, and ends with 0 on SIGTERM and SIGINT."""
    process = start_command("--latency", "0", "--fault", "status=503,path=/moderations")
    try:
        line = process.stdout.readline()
        url = line.removeprefix("OpenAI sandbox at ").strip()
        with httpx.Client(headers=KEY, trust_env=False) as client:
            answers = [
                client.get(f"{url}/models"),
                client.post(f"{url}/moderations", json={"input": "a"}),
                client.post(f"{url.removesuffix('/v1')}/sandbox/inbox", json={}),
            ]
    finally:
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=10)

    assert url.startswith("http://127.0.0.1:")
    assert [200, 503, 401] == [answer.status_code for answer in answers]
    assert (0, "", "") == (process.returncode, rest, errors)


def test_the_command_refuses_a_wrong_fault():
    """A wrong rule ends the command with 2 and one line that says what to write."""
    process = start_command("--fault", "nann")
    _, errors = process.communicate(timeout=10)

    assert (2, "sandbox: there is no fault 'nann': did you mean 'nan'?\n") == (process.returncode, errors)


IMPORTS = """
import sys
import airflow_provider_openai_dest.sandbox
assert not {"starlette", "uvicorn", "standardwebhooks"} & set(sys.modules), "the package alone loads no server"
import airflow_provider_openai_dest.sandbox.__main__
print(sorted({"airflow", "numpy", "openai", "pydantic"} & set(sys.modules)))
"""


def test_the_sandbox_loads_neither_airflow_nor_numpy():
    """Importing the package is cheap, and the running sandbox has loaded no Airflow, numpy, openai or pydantic."""
    process = run_python("-c", IMPORTS)
    output, errors = process.communicate(timeout=10)

    assert ("[]\n", "") == (output, errors)


def test_a_sandbox_ends_with_its_block(caplog):
    """When the with block ends, the port is closed and the thread gone, also with a request on its way."""
    with ThreadPoolExecutor(1) as pool, httpx.Client(headers=KEY, trust_env=False, timeout=10) as client:
        with running_sandbox(latency=30) as sandbox:
            waiting = pool.submit(client.post, f"{sandbox.base_url}/moderations", json={"input": "a"})
            while sandbox.stats()["in_flight"] == 0:
                pass
            threads = [thread for thread in threading.enumerate() if thread.name == "openai-sandbox"]
        with pytest.raises(httpx.TransportError):
            waiting.result(timeout=5)

    assert caplog.text == ""
    assert len(threads) == 1
    assert not threads[0].is_alive()
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", sandbox.port), timeout=1):
        pass


def test_the_sandbox_listens_on_this_machine_only():
    """The sandbox listens on 127.0.0.1 and on no other address."""
    with running_sandbox() as sandbox:
        assert sandbox.root_url == f"http://127.0.0.1:{sandbox.port}"
        with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.2", sandbox.port), timeout=1):
            pass


def test_two_sandboxes_know_nothing_of_each_other():
    """Each sandbox has its own port, counts and faults."""
    with running_sandbox(faults=["status=500"]) as first, running_sandbox(faults=[FaultRule(mode="nan")]) as second:
        httpx.get(f"{first.base_url}/models", headers=KEY, trust_env=False)

        assert first.port != second.port
        assert first.stats()["requests"] == {"GET /v1/models": {"500": 1}}
        assert second.stats()["requests"] == {}


def test_the_most_in_flight_is_counted():
    """The sandbox counts the most requests that were in flight together."""
    with running_sandbox(latency=0.2) as sandbox, ThreadPoolExecutor(4) as pool:
        with httpx.Client(base_url=sandbox.base_url, headers=KEY, trust_env=False) as client:
            list(pool.map(lambda text: client.post("/moderations", json={"input": text}), "abcd"))
        stats = sandbox.stats()

    assert (4, 0, 4) == (stats["most_in_flight"], stats["in_flight"], stats["executions"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latency": -1}, "latency must not be negative"),
        ({"requests_per_minute": 0, "tokens_per_minute": -1}, "requests_per_minute must be above 0, not 0; tokens_per"),
        ({"faults": ["nope"]}, "no fault 'nope'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_starts(settings, words):
    """Wrong settings are refused with all that is wrong."""
    with pytest.raises(ConfigurationError, match=words), running_sandbox(**settings):
        pass


def test_a_port_in_use_is_refused():
    """A port that is taken is refused with the system's own error."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        running_sandbox(port=taken.getsockname()[1]),
    ):
        pass
