"""Secrets: a key, a webhook's secret and address, and personal data go through every fault; no file may hold them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.chaos.echo_server import ANSWERS, EchoServer, running_echo
from tests.chaos.scene import LONGEST_SECONDS, NO_NETWORK, REPOSITORY
from tests.chaos.trial import Check, Trial, none

KEY = "Zk7Qm2-gateway/key+Wp9Xv4Lr8=Tn3"
"""Of no shape that a pattern would know, and with characters that some spell in other ways."""

SIGNING = "whsec_c2VjcmV0cy10cmlhbC1zaWduaW5nLWtleS0zMi1iISE="
HOOK_PATH = "T0Secret/B1Path/x9Yz8Wv7Ut6"
PROXY_PASSWORD = "pr0xyPa55-w0rd"
CANARY = "ada.lovelace-555-0142@personal.example"

BROKEN_LINES = f"""{{"key": "0", "text": "key-0000000 {CANARY}"}}
{{"key": "1", "text": "key-0000001 {CANARY}
{CANARY}
{{"key": "3", "text": NaN, "mail": "{CANARY}"}}
{{"key": "4", "mail": "{CANARY}"}}
{{"key": "5", "text": "{CANARY} \\ud800"}}
{{"key": "6", "text": "{CANARY}", "text": "{CANARY}", }}
["{CANARY}"]
"""

API_MODES = [*ANSWERS, "proxy", "disk", "kill", "broken source"]
HOOK_MODES = [mode for mode in ANSWERS if mode not in {"bomb", "drip", "503", "reset"}]
"""Those of the webhook's receiver; an outage is waited for a minute there, so one stands for all: ``closed``."""


NOTHING_SENT = {"proxy", "hook closed"}
"""Modes in which the connection is refused."""


def secrets(_seed: int, *, records: int) -> Iterator[Check]:
    """Run all modes twice: with records in the rows on purpose, and without any."""
    for keeps in (True, False):
        folder = Path(tempfile.mkdtemp(prefix="chaos-secrets-"))
        try:
            yield from _run(folder, records, keeps=keeps)
        finally:
            if os.environ.get("CHAOS_KEEP"):
                print(f"kept: {folder}", file=sys.stderr)
            else:
                shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, records: int, *, keeps: bool) -> Iterator[Check]:
    source, broken = folder.with_suffix(".jsonl"), folder.with_suffix(".broken.jsonl")
    rows = [{"key": str(number), "text": f"key-{number:07d} {CANARY}", "mail": CANARY} for number in range(records)]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    broken.write_text(BROKEN_LINES)
    try:
        with running_echo() as echo:
            connections = _connections(echo)
            sources = {mode: str(broken if mode == "broken source" else source) for mode in connections}
            told = {"folder": str(folder), "sources": sources, "connections": connections, "keeps": keeps}
            command = [sys.executable, "-m", "tests.chaos.secrets_worker", json.dumps(told)]
            ended = subprocess.run(
                command,
                cwd=REPOSITORY,
                env=os.environ | NO_NETWORK | {"PYTHONASYNCIODEBUG": "1"},
                capture_output=True,
                timeout=LONGEST_SECONDS,
                check=False,
            )
    finally:
        source.unlink()
        broken.unlink()
    (folder / "log.txt").write_bytes(ended.stdout + ended.stderr)
    name = "records kept" if keeps else "records not kept"
    files = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    reached = {mode for mode in connections if (folder / mode.replace(" ", "_")).exists()}
    yield none(f"{name}: modes of {len(connections)} that were not run", len(connections) - len(reached))
    unsent = connections.keys() - echo.requests.keys() - NOTHING_SENT
    yield none(f"{name}: modes in which nothing was sent", len(unsent))
    searched = (len(files), sum(map(len, files.values())))
    yield Check(f"{name}: files, and bytes, that were searched: > 0", searched, holds=all(searched))
    for what, secret in (
        ("the API key", KEY),
        ("the signing secret", SIGNING),
        ("the webhook's path", HOOK_PATH),
        ("the proxy's password", PROXY_PASSWORD),
    ):
        yield none(f"{name}: files with {what}", _holding(files, secret))
    elsewhere = {path: content for path, content in files.items() if not (keeps and _may_keep(path))}
    yield none(f"{name}: files with personal data, but for rows of records", _holding(elsewhere, CANARY))
    if keeps:
        yield Check("records kept: rows with personal data on purpose: > 0", kept := _holding(files, CANARY), kept > 0)


def _connections(echo: EchoServer) -> dict[str, tuple[str, str]]:
    found = {mode: (_api(echo, mode), _hook(echo.url("ok", "hook"))) for mode in API_MODES}
    hooks = {mode: _hook(echo.url(mode, "hook")) for mode in HOOK_MODES} | {"closed": _hook("http://127.0.0.1:9/hook")}
    return found | {f"hook {mode}": (_api(echo, "ok"), hook) for mode, hook in hooks.items()}


def _api(echo: EchoServer, mode: str) -> str:
    proxy = {"proxy": f"http://someone:{PROXY_PASSWORD}@127.0.0.1:9"} if mode == "proxy" else {}
    extra = {"timeout": 2 if mode == "drip" else 20, **proxy}
    return json.dumps({"conn_type": "openai_dest", "password": KEY, "host": echo.url(mode, "v1"), "extra": extra})


def _hook(url: str) -> str:
    extra = {"allowed_private_networks": ["127.0.0.0/8"], "timeout": 2}
    host = url.replace("/hook", f"/{HOOK_PATH}")
    return json.dumps({"conn_type": "openai_dest_webhook", "password": SIGNING, "host": host, "extra": extra})


def _may_keep(path: Path) -> bool:
    """Tell whether records stand in a file on purpose: in the rows, and in what is to be forwarded again."""
    return path.name.startswith(("outcomes-", "quarantine-", "undelivered-"))


def _holding(files: dict[Path, bytes], secret: str) -> int:
    """Count the files in which a secret stands, however it is spelled; names them on standard error."""
    bare = secret.removeprefix("whsec_")
    spellings = (bare, quote(bare, safe=""), quote(bare), b64encode(bare.encode()).decode())
    # Without backslashes, however often something was escaped.
    found = [
        path
        for path, content in files.items()
        if any(spelling.encode() in content.replace(b"\\", b"") for spelling in spellings)
    ]
    for path in found if os.environ.get("CHAOS_KEEP") else ():
        print(f"{secret[:9]}... in {path}", file=sys.stderr)
    return len(found)


TRIALS = (Trial(name="secrets", run=secrets, full={"records": 12}),)
