"""A worker that is killed in the middle of an upload, and the one that goes on with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from airflow_provider_openai_dest.sandbox import running_sandbox
from tests.sandbox import upload_worker

PARTS, KEPT = 20, 7


def test_a_retry_after_a_crash_sends_just_the_missing_parts(tmp_path: Path) -> None:
    """What was answered before a SIGKILL is not sent again, and the file is whole."""
    file, state = tmp_path / "large.bin", tmp_path / "state"
    content = os.urandom(PARTS * upload_worker.PART_SIZE)
    file.write_bytes(content)
    with running_sandbox(faults=[f'slow=60,path=/uploads,match=name="data",after={KEPT}']) as sandbox:
        _kill_when(state, KEPT, str(file), str(state), sandbox.base_url, "1")
        sandbox.set_faults()
        sandbox.reset()
        manifest = upload_worker.upload(str(file), str(state), sandbox.base_url, try_number=2)
        requests = sandbox.stats()["requests"]
        (outcome,) = manifest.outcomes or ()
        url = f"{sandbox.base_url}/files/{outcome['answer']['id']}/content"
        arrived = httpx.get(url, headers={"authorization": "Bearer k"}, trust_env=False).content
    assert (1, 1, 0) == (manifest.input, manifest.delivered, manifest.pending)
    assert content == arrived
    assert {"200": PARTS - KEPT} == requests["POST /v1/uploads/{upload_id}/parts"]
    assert "POST /v1/uploads" not in requests


def _kill_when(state: Path, parts: int, *arguments: str) -> None:
    """Run the worker and kill it once it has written down so many parts."""
    worker = subprocess.Popen([sys.executable, "-m", "tests.sandbox.upload_worker", *arguments])
    deadline = time.monotonic() + 30
    while _written(state) < parts and time.monotonic() < deadline and worker.poll() is None:
        time.sleep(0.01)
    assert worker.poll() is None, "the worker has ended by itself"
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)
    assert _written(state) == parts


def _written(state: Path) -> int:
    return sum(file.read_bytes().count(b'"part":') for file in state.glob("uploads-*.jsonl"))
