"""Measure memory by the number of images and of small uploads: neither bytes nor paths may stay in it.

Each run is a process of its own, and its memory is what it had at most; one of 100,000 files is compared with one of
20,000. The stub's images have 1.8 kB.
"""

from __future__ import annotations

from contenders import with_stats
from inputs import texts_file
from processes import Figures, ours_command, results_folder, run_client, running_stub
from rounds import Contender, interleaved, medians
from section import Demand, Section, print_section

WHAT = {"draw": "images", "upload-each": "uploads"}
LESS, MORE = 20_000, 100_000
QUICK = (2_000, 6_000)


def measure(*, quick: bool = False) -> Section:
    """Run all, once each: what a process has at most differs little from run to run."""
    sizes = QUICK if quick else (LESS, MORE)
    lines = [contender(what, count) for what in WHAT for count in sizes]
    runs = interleaved(lines, 1)
    found = {name: each if isinstance(each, str) else medians(each) for name, each in runs.items()}
    return Section(
        title="Memory by the number of images and files",
        about="Ours without Airflow, answers at once: images of 1.8 kB become files on disk, files of 1.8 kB are sent.",
        rows=[row(line.name, found[line.name]) for line in lines],
        demands=[demand(what, found, sizes) for what in WHAT],
        remarks=["XCom bytes: the whole manifest as JSON; beyond max_xcom_bytes it holds no outcomes."],
    )


def contender(what: str, count: int) -> Contender:
    """Name one run."""

    def run() -> Figures:
        with running_stub() as stub, results_folder() as results:
            command = ours_command(what, stub.base_url, results, input=texts_file(count))
            return with_stats(run_client(command, seconds=900), stub.stats())

    return Contender(name=name_of(what, count), does=what, run=run)


def name_of(what: str, count: int) -> str:
    """Give the row's name."""
    return f"{count:,} {WHAT[what]}"


def row(name: str, figures: Figures | str) -> dict[str, str]:
    """Give one line of the table."""
    if isinstance(figures, str):
        return {"run": name, "peak RSS MB": f"could not be run: {figures}"}
    return {
        "run": name,
        "peak RSS MB": f"{figures['peak_rss_mb']:.1f}",
        "RSS before MB": f"{figures['rss_before_mb']:.1f}",
        "XCom bytes": f"{figures['xcom_bytes']:,.0f}",
        "CPU ms each": f"{figures['cpu_ms']:.3f}",
        "wall s": f"{figures['wall_s']:.0f}",
        "lost": f"{figures['lost']:.0f}",
    }


def demand(what: str, found: dict[str, Figures | str], sizes: tuple[int, int]) -> Demand:
    """Give what is asked: no growth but the 16 bytes of each key."""
    less, more = (found[name_of(what, count)] for count in sizes)
    rise = more["peak_rss_mb"] - less["peak_rss_mb"] if isinstance(less, dict) and isinstance(more, dict) else None
    said = f"peak RSS at {sizes[1]:,} {WHAT[what]} above that at {sizes[0]:,}"
    return Demand(what=said, bound=15, measured=rise, unit=" MB")


if __name__ == "__main__":
    print_section(measure)
