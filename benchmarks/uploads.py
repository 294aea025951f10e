"""Measure the upload of one file of 1 GB in parts, at 100 ms a request: how long, at what cost, and what memory."""

from __future__ import annotations

from pathlib import Path

from contenders import cheaper_peers, peer, with_stats
from inputs import large_file
from processes import Figures, ours_command, results_folder, run_client, running_stub
from rounds import Contender, interleaved, medians
from section import Demand, Section, print_section
from upload import row

OURS, WITH_MD5 = "**ours**", "ours, with md5"
HELPER = "openai_uploads"
LATENCY = {"latency_ms": 100}


def measure(*, quick: bool = False) -> Section:
    """Run all in turn."""
    size = 200_000_000 if quick else 1_000_000_000
    file = large_file(size)
    helper = peer(HELPER, LATENCY, input=file)
    lines = [ours_in_parts(OURS, file), ours_in_parts(WITH_MD5, file, md5=True), helper]
    runs = interleaved(lines, 1 if quick else 3)
    found = {name: each if isinstance(each, str) else medians(each) for name, each in runs.items()}
    file.unlink()
    return Section(
        title="Upload in parts",
        about=f"{size / 1e9:g} GB by the Uploads API over plain http, 100 ms from each request to its answer; parts of "
        "64 MiB, which the stub reads and throws away.",
        rows=[{**row(line.name, found[line.name], size), **seconds(found[line.name])} for line in lines],
        demands=demands(found[OURS], found[helper.name], size),
        remarks=[
            *cheaper_peers(found, OURS),
            "Ours has 8 parts on the wire at once; openai's helper sends one after the other and takes no md5 itself.",
        ],
    )


def ours_in_parts(name: str, file: Path, *, md5: bool = False) -> Contender:
    """Upload with this package."""

    def run() -> Figures:
        with running_stub(**LATENCY) as stub, results_folder() as results:
            command = ours_command("upload-in-parts", stub.base_url, results, input=file, md5=md5)
            return with_stats(run_client(command), stub.stats())

    return Contender(name=name, does="upload in parts", run=run)


def seconds(figures: Figures | str) -> dict[str, str]:
    """Give how long it took."""
    return {} if isinstance(figures, str) else {"wall s": f"{figures['wall_s']:.2f}"}


def demands(ours: Figures | str, helper: Figures | str, size: int) -> list[Demand]:
    """Give what is asked."""
    is_run = isinstance(ours, dict)
    cpu = ours["cpu_s"] / size * 1e9 if is_run else None
    rise = ours["rss_rise_mb"] if is_run else None
    share = ours["wall_s"] / helper["wall_s"] if is_run and isinstance(helper, dict) else None
    return [
        Demand(what="a GB in parts, without md5", bound=0.7, measured=cpu, unit=" CPU s"),
        Demand(what="RSS rise while uploading in parts", bound=10, measured=rise, unit=" MB"),
        Demand(what="time against openai's helper", bound=1 / 3, measured=share, unit=" of its"),
    ]


if __name__ == "__main__":
    print_section(measure)
