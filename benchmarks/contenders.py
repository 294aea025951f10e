"""Contenders: how one run of this package, of a peer, and of the ceiling is measured, each against a new stub."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from peers import PEERS
from processes import (
    HERE,
    ROOT,
    ClientError,
    Figures,
    as_arguments,
    ours_command,
    results_folder,
    run_client,
    running_stub,
)
from rounds import Contender

ALL_IN = "read, render, send, decode, check, outcomes on disk"
Options = dict[str, Any]


def ours(name: str, stub: Options, *, seconds: float = 300, **options: Any) -> Contender:
    """Compare this package: the stub's options, then those of ``ours.py deliver``."""

    def run() -> Figures:
        with running_stub(**stub) as running, results_folder() as results:
            figures = run_client(ours_command("deliver", running.base_url, results, **options), seconds=seconds)
            return with_stats(figures, running.stats())

    return Contender(name=name, does=ALL_IN, run=run)


def peer(name: str, stub: Options, *, title: str | None = None, seconds: float = 300, **options: Any) -> Contender:
    """Compare a peer: the stub's options, then those of ``peers.py``."""

    def run() -> Figures:
        with running_stub(**stub) as running:
            figures = run_client(peer_command(name, running.base_url, **options), seconds=seconds)
            return with_stats(figures, running.stats())

    return Contender(name=title or PEERS[name].title, does=PEERS[name].does, run=run)


def ceiling(stub: Options, *, requests: int, concurrency: int = 64) -> Contender:
    """Compare a bare protocol that throws the answers away: what the stub and the machine give at most."""

    def run() -> Figures:
        with running_stub(**stub) as running:
            options = {"base_url": running.base_url, "requests": requests, "concurrency": concurrency}
            figures = run_client([sys.executable, str(HERE / "raw_protocol.py"), *as_arguments(options)])
            return with_stats(figures, running.stats())

    return Contender(
        name="asyncio.Protocol, bare (the ceiling)", does="send the same request, drop the answer", run=run
    )


def peer_command(name: str, base_url: str, **options: Any) -> list[str]:
    """Give the command line of a peer; raises ClientError when its virtual environment is not there."""
    python = ROOT / ".bench" / PEERS[name].venv / "bin" / "python"
    if not (python.parent.parent / ".installed").exists():
        raise ClientError(f"not installed: make bench-peers makes .bench/{PEERS[name].venv}")
    return [str(python), str(HERE / "peers.py"), name, *as_arguments({"base_url": base_url, **options})]


def with_stats(figures: Figures, stats: Figures) -> Figures:
    """Add what the stub counted, and what follows from both."""
    done = max(1, figures["done"])
    answered = stats["statuses"].get("200", 0)
    refused = stats["statuses"].get("429", 0)
    return figures | {
        "stub": stats,
        "cpu_ms": figures["cpu_s"] / done * 1000,
        "a_second": figures["done"] / figures["wall_s"],
        "stub_busy": stats["cpu_seconds"] / figures["wall_s"],
        "wasted": refused / max(1, answered + refused),
    }


def cost_row(line: Contender, figures: Figures | str, base: Figures | str, *, per: str = "record") -> dict[str, str]:
    """Give one line of a table of costs, with the ratio to a base; a string says why there are no figures."""
    start = {"who": line.name, "what its figures hold": line.does}
    if isinstance(figures, str):
        return start | {f"{per}s": f"could not be run: {figures}"}
    ratio = f"{figures['cpu_ms'] / base['cpu_ms']:.2f}" if isinstance(base, dict) else ""
    return start | {
        f"{per}s": f"{figures['done']:,.0f}",
        f"CPU ms a {per}": f"{figures['cpu_ms']:.3f}",
        "of ours": ratio,
        f"{per}s a second": f"{figures['a_second']:,.0f}",
        "wall s": f"{figures['wall_s']:.1f}",
        "peak RSS MB": f"{figures['peak_rss_mb']:.0f}",
        "lost": f"{figures['lost']:.0f}",
        "stub's core busy": f"{figures['stub_busy']:.0%}",
    }


def cheaper_peers(found: Mapping[str, Figures | str], base: str, figure: str = "cpu_ms") -> list[str]:
    """Give a remark that names who needs less CPU than this package; none where nobody does."""
    ours = found[base]
    if isinstance(ours, str):
        return []
    less = {
        name: each[figure] / ours[figure]
        for name, each in found.items()
        if isinstance(each, dict) and "ours" not in name and each[figure] < ours[figure]
    }
    if not less:
        return []
    named = ", ".join(f"{name} ({ratio:.2f})" for name, ratio in sorted(less.items(), key=lambda item: item[1]))
    return [f"Cheaper than ours, as parts of its CPU, and doing less where the table says so: {named}."]
