"""A process is known by more than its number, so that another one which has it by now is not taken for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_openai_dest.checkpoint.process import has_surely_ended, this_process

HOST, PID, START = this_process().rsplit(" ", 2)


def test_a_process_that_runs_has_not_ended() -> None:
    """As the one that asks."""
    assert not has_surely_ended(this_process())


def test_a_process_that_was_waited_for_has_ended() -> None:
    """Its number is free."""
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert has_surely_ended(f"{HOST} {child.stdout.decode().strip()} {START}")


def test_a_zombie_has_ended() -> None:
    """Its parent does not look at it; it sends nothing any more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    start = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    try:
        assert has_surely_ended(f"{HOST} {child.pid} {start}")
    finally:
        child.wait()


def test_a_number_that_was_given_again_is_not_that_process() -> None:
    """It began at another time."""
    assert has_surely_ended(f"{HOST} {PID} {int(START) - 1}")


@pytest.mark.parametrize("process", ["", "x", "1 2", f"other-boot pid:[1] {PID} 1", f"{HOST} x {START}"])
def test_what_is_not_known_has_not_ended(process: str) -> None:
    """Another host, another container, or no such name at all."""
    assert not has_surely_ended(process)
