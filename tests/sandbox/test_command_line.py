"""The command line, run as a program against a sandbox."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_openai_dest
from airflow_provider_openai_dest.cli.commands import COMMANDS, main, new_parser
from airflow_provider_openai_dest.cli.options import OPTIONS
from airflow_provider_openai_dest.cli.words import WORDS
from airflow_provider_openai_dest.sandbox import Sandbox, running_sandbox

KEY = "sk-proj-commandline0123456789abcdef"
ASK = ("--endpoint", "create_response", "--model", "gpt-6-luna", "--key", "id")
BODY = ("--body", '{"input": "{message.q}"}')


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """Give a sandbox that has seen nothing."""
    shared_sandbox.set_faults()
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a file of 20 questions; one of them has none."""
    file = tmp_path / "questions.jsonl"
    rows = [{"id": number, "q": f"word {number}"} if number != 7 else {"id": number} for number in range(20)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def command(sandbox: Sandbox, *words: str) -> tuple[list[str], dict[str, str]]:
    """Give the command line and its environment."""
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": sandbox.base_url}
    return [sys.executable, "-m", "airflow_provider_openai_dest", *words], environment


def ran(sandbox: Sandbox, *words: str) -> tuple[int, str, str]:
    """Run a command; gives exit code, standard output and standard error."""
    line, environment = command(sandbox, *words)
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert KEY not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def told(sandbox: Sandbox, code: int, *words: str) -> dict[str, Any]:
    """Run a command that must end with this code, and read the JSON that it prints."""
    found, output, errors = ran(sandbox, *words)
    assert code == found, errors
    read: dict[str, Any] = json.loads(output)
    return read


def sent(sandbox: Sandbox) -> int:
    """Count the requests that were sent."""
    return sum(sandbox.stats()["requests"].get("POST /v1/responses", {}).values())


def test_send_can_be_run_again(sandbox: Sandbox, data: Path, tmp_path: Path) -> None:
    """A budget stops it, the same command goes on, and nothing is sent twice."""
    line = ("send", "--input", str(data), *ASK, *BODY, "--results", str(tmp_path / "out"))
    first = told(sandbox, 3, *line, "--max-requests", "5", "--concurrency", "2")
    assert (5, 14) == (first["delivered"], first["pending"])
    second = told(sandbox, 1, *line)
    assert (20, 19, 1, 0) == tuple(second[name] for name in ("input", "delivered", "rejected", "pending"))
    third = told(sandbox, 0, *line, "--max-errors", "1")
    assert (0, 19) == (third["requests"], sent(sandbox))


def test_replay_settles_what_was_rejected(sandbox: Sandbox, data: Path, tmp_path: Path) -> None:
    """Where it was rejected: the first command finds it delivered."""
    line = ("send", "--input", str(data), *ASK, *BODY, "--results", str(tmp_path / "out"))
    rejected = told(sandbox, 1, *line)["quarantine"]
    body = ("--body", '{"input": "No. {message.id}"}')
    again = told(sandbox, 0, "replay", "--input", rejected, *ASK, *body, "--results", str(tmp_path / "again"))
    assert 1 == again["delivered"]
    assert 20 == told(sandbox, 0, *line)["delivered"]


def test_estimate_sends_nothing(sandbox: Sandbox, data: Path) -> None:
    """It prints what would be sent."""
    found = told(sandbox, 0, "estimate", "--input", str(data), *ASK, *BODY)
    assert (20, 1, 19) == (found["input"], found["rejected"], found["requests"])
    assert 0 == sent(sandbox)


def test_an_estimate_of_nothing_but_rejected_records_is_a_failure(sandbox: Sandbox, data: Path) -> None:
    """Exit code 1: nothing could be sent."""
    found = told(sandbox, 1, "estimate", "--input", str(data), *ASK, "--body", '{"input": "{message.nothing}"}')
    assert (20, 0) == (found["rejected"], found["requests"])


def test_no_vector_is_printed_whole(sandbox: Sandbox, data: Path, tmp_path: Path) -> None:
    """A preview shows its own form of the outcomes alone, and a small send cuts them."""
    data.write_text('{"id": 1}\n{"id": 2}\n')
    line = ("--input", str(data), "--endpoint", "create_embedding", "--model", "text-embedding-3-small")
    line = (*line, "--body", '{"input": "No. {message.id}"}')
    assert "outcomes" not in told(sandbox, 0, "preview", *line)
    sent = told(sandbox, 0, "send", *line, "--results", str(tmp_path / "out"))
    vectors = [outcome["answer"]["embedding"] for outcome in sent["outcomes"]]
    assert (2, True) == (len(vectors), all(vector.endswith("... (8,192 characters)") for vector in vectors))


def test_preview_sends_a_few(sandbox: Sandbox, data: Path, tmp_path: Path) -> None:
    """And keeps nothing, unless a folder is named."""
    line = ("preview", "--records", "2", "--input", str(data), *ASK, *BODY)
    found = told(sandbox, 0, *line)
    assert ["word 0", "word 1"] == [one["request"]["body"]["input"] for one in found["preview"]]
    assert (2, None) == (sent(sandbox), found["results"])
    code, _, errors = ran(sandbox, *line[:2], "8", *line[3:])
    assert (1, False) == (code, "/quarantine-" in errors)
    kept = told(sandbox, 0, *line, "--results", str(tmp_path / "out"))
    assert kept["results"].startswith(str(tmp_path / "out" / "preview"))


def test_check_tells_what_works(sandbox: Sandbox) -> None:
    """And with exit code 2 what does not."""
    code, output, _ = ran(sandbox, "check")
    assert code == 0
    assert output.startswith(f"Connected to {sandbox.base_url}")
    code, output, _ = ran(sandbox, "check", "--base-url", f"{sandbox.root_url}/nowhere")
    assert code == 2
    assert "Base URL" in output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--input", "nothing.jsonl"), "there is no such file"),
        (("--endpoint", "create_respnse"), "create_response"),
        (("--body", '{"input": '), "not JSON"),
        (("--body", "@nothing.json"), "@nothing.json"),
        (("--conn-id", "x", "--base-url", "http://127.0.0.1:9"), "--base-url"),
        (("--max-cost", "-1"), "max_cost=-1.0"),
        (("--max-requests", "0"), "no whole number"),
        (("--max-cost", "1", "--model", "somebody-elses-model"), "'somebody-elses-model'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_sent(
    sandbox: Sandbox,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
) -> None:
    """With exit code 2."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", sandbox.base_url)
    try:
        code: Any = main(["send", "--input", str(data), *ASK, *BODY, "--results", str(tmp_path / "out"), *words])
    except SystemExit as error:  # argparse's own
        code = error.code
    told = capsys.readouterr()
    assert (2, "") == (code, told.out)
    assert says in told.err
    assert 0 == sent(sandbox)


def test_an_unknown_connection_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """With exit code 2, and no traceback."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    code, output, errors = ran(sandbox, "check", "--conn-id", "nope")
    assert (2, "") == (code, output)
    assert "--conn-id nope: Airflow has no such connection" in errors
    assert "Traceback" not in errors


def test_no_account_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to set."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert 2 == main(["check"])
    assert "set OPENAI_API_KEY, or name an Airflow connection" in capsys.readouterr().err


def test_an_interrupt_keeps_what_was_answered(sandbox: Sandbox, data: Path, tmp_path: Path) -> None:
    """Exit code 130, a manifest, and the same command sends the rest."""
    sandbox.set_faults("slow=0.3")
    words = ("send", "--input", str(data), *ASK, *BODY, "--results", str(tmp_path / "out"), "--concurrency", "1")
    line, environment = command(sandbox, *words)
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while not sent(sandbox):
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        output, errors = running.communicate(timeout=30)
    assert 130 == running.returncode, errors
    assert 0 < json.loads(output)["pending"] < 20
    sandbox.set_faults()
    assert 19 == told(sandbox, 1, *words)["delivered"]


def test_a_command_loads_no_airflow(sandbox: Sandbox, data: Path) -> None:
    """Without --conn-id and a URI: so it starts at once."""
    line, environment = command(sandbox, "estimate", "--input", str(data), *ASK, *BODY)
    done = subprocess.run(
        [line[0], "-X", "importtime", *line[1:]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = {row.rpartition("|")[2].strip().partition(".")[0] for row in done.stderr.splitlines() if "|" in row}
    assert "airflow_provider_openai_dest" in loaded
    assert not loaded & {"airflow", "openai", "pyarrow"}


AIRFLOWS = re.compile(r"clear the task|next try|quarantine_of|source=|source_format|on_mismatch|into the password")


def test_the_command_line_speaks_its_own_words(sandbox: Sandbox, data: Path, tmp_path: Path) -> None:
    """What to do next is told as a command, not as an argument of an operator."""
    line = ("send", "--input", str(data), *ASK, *BODY, "--results", str(tmp_path / "out"))
    nameless = tmp_path / "questions"
    nameless.write_text(data.read_text())
    failures = [
        (3, "run the command again to send", (*line, "--max-requests", "1", "--concurrency", "1")),
        (1, "replay --input", line),
        (2, "with --anew", (*line, "--model", "gpt-6-sol")),
        (2, "(--input-format)", (*line, "--input", str(nameless))),
    ]
    for code, says, words in failures:
        found, _, errors = ran(sandbox, *words)
        assert (code, True, None) == (found, says in errors, AIRFLOWS.search(errors)), errors


def test_each_of_airflows_words_is_still_said() -> None:
    """The table of words has none that no message holds any more."""
    package = Path(airflow_provider_openai_dest.__file__).parent
    sources = [file.read_text() for file in package.rglob("*.py") if file.parent.name != "cli"]
    said = re.sub(r"""["']\s*f?["']""", "", "\n".join(sources))
    assert [] == [airflows for airflows in WORDS if airflows not in said]


def test_each_option_is_used() -> None:
    """The table has no option that no command takes, and no command one that is not in the table."""
    assert OPTIONS.keys() == {name for command in COMMANDS.values() for name in command.options}
    assert new_parser().format_help()


def test_a_body_that_the_api_would_refuse_is_told_before_it_is_sent(sandbox: Sandbox, data: Path) -> None:
    """The fault of all records ends the command, that of one rejects it; --validate off sends it."""
    body = ("--body", '{"input": "{message.q}", "temperature": 3}')
    code, _, errors = ran(sandbox, "estimate", "--input", str(data), *ASK, *body)
    assert code
    assert "temperature=3: should be less than or equal to 2" in errors
    found = told(sandbox, 0, "estimate", "--input", str(data), *ASK, *body, "--validate", "off")
    assert 19 == found["pending"]
    body = ("--body", '{"input": "a", "temperature": "{message.q}"}')
    found = told(sandbox, 1, "estimate", "--input", str(data), *ASK, *body)
    assert {"invalid_body": 19, "missing_field": 1} == {kind["code"]: kind["count"] for kind in found["rejections"]}
