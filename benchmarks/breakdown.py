"""Show where the CPU of a delivery goes: py-spy looks 500 times a second at what holds the interpreter.

It explains the ratios of the other tables.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from contenders import with_stats
from inputs import texts_file
from processes import (
    CLIENT_CORE,
    ROOT,
    ClientError,
    Figures,
    on_core,
    ours_command,
    results_folder,
    run_client,
    running_stub,
)
from section import Section, print_section

PY_SPY = ROOT / ".bench" / "venv" / "bin" / "py-spy"
PACKAGE = "airflow_provider_openai_dest/"
LOOKS_A_SECOND = 500

# A look counts for the innermost frame that is the package's, and by these: the first that fits.
PARTS = {
    "wire: send, receive, parse HTTP, cut secrets": ("wire/",),
    "event loop: polling and reading sockets": ("delivery/event_loop.py",),
    "answers: decode JSON, check vectors": (
        *("answers/", "delivery/usage.py", "delivery/verdict.py", "delivery/outcome.py"),
    ),
    "rate limit, window, outage": ("limits/",),
    "deduplication": ("rendering/duplicates.py", "delivery/sharing.py"),
    "read and render": ("sources/", "rendering/", "delivery/intake.py"),
    "claims, outcomes and marks on disk": ("sinks/", "checkpoint/", "delivery/settlement.py", "delivery/settled.py"),
    "dispatch and retries": ("delivery/", "destination.py"),
}
OTHERS = "threads, and the rest"


def measure(*, quick: bool = False) -> Section:
    """Look at one record a request, and at packs."""
    part = 10 if quick else 1
    one = _looked_at(texts_file(60_000 // part), concurrency=64)
    packed = _looked_at(texts_file(100_000 // part), packed=True)
    return Section(
        title="Where the CPU goes",
        about=f"By {LOOKS_A_SECOND} looks a second of py-spy at one delivery each, as parts of the CPU of the same "
        "delivery without it.",
        rows=[
            {
                "part": name,
                "one record a request, us a record": f"{one.get(name, 0):.0f}",
                "packed, us a text": f"{packed.get(name, 0):.1f}",
            }
            for name in [*PARTS, OTHERS]
        ],
        remarks=[
            f"In all {sum(one.values()):.0f} us a record, and {sum(packed.values()):.1f} us a text.",
        ],
    )


def _looked_at(texts: Path, **options: object) -> dict[str, float]:
    """Give the microseconds a record of each part."""
    figures, looks = _delivered(texts, **options), Counter[str]()
    with tempfile.NamedTemporaryFile(suffix=".raw") as stacks:
        _delivered(texts, stacks.name, **options)
        for line in Path(stacks.name).read_text().splitlines():
            stack, _, times = line.rpartition(" ")
            if "<module> (" not in stack or "deliver (" in stack:  # else it is imports, which the clock leaves out
                looks[_part(stack.split(";"))] += int(times)
    each = figures["cpu_ms"] * 1000 / max(1, looks.total())
    return {name: times * each for name, times in looks.items()}


def _delivered(texts: Path, stacks: str = "", **options: object) -> Figures:
    with running_stub() as running, results_folder() as results:
        command = ours_command("deliver", running.base_url, results, input=texts, **options)
        if not stacks:
            return with_stats(run_client(command), running.stats())
        if not PY_SPY.exists():
            raise ClientError(f"not installed: {PY_SPY.relative_to(ROOT)}")
        look = [
            str(PY_SPY),
            "record",
            "--gil",
            "--rate",
            str(LOOKS_A_SECOND),
            "--format",
            "raw",
            "--output",
            stacks,
            "--",
        ]
        with on_core(CLIENT_CORE):
            subprocess.run([*look, *command], check=True, capture_output=True, timeout=300)
        return {}


def _part(frames: list[str]) -> str:
    """Name the part that a stack belongs to, from its innermost frame outwards."""
    for frame in reversed(frames):
        _, found, place = frame.partition(PACKAGE)
        if found:
            return next((name for name, places in PARTS.items() if place.startswith(places)), OTHERS)
    return OTHERS


if __name__ == "__main__":
    print_section(measure)
