"""Measure the upload of one file of 1 GB: CPU a GB, and by how much memory rises."""

from __future__ import annotations

from pathlib import Path

from contenders import cheaper_peers, peer, with_stats
from inputs import large_file
from processes import Figures, ours_command, results_folder, run_client, running_stub
from rounds import Contender, interleaved, medians
from section import Demand, Section, print_section

OURS = "**ours**"


def measure(*, quick: bool = False) -> Section:
    """Run all in turn."""
    size = 100_000_000 if quick else 1_000_000_000
    file = large_file(size)
    lines = [ours_upload(file), *(peer(name, {}, input=file) for name in PEERS)]
    runs = interleaved(lines, 1 if quick else 3)
    found = {name: each if isinstance(each, str) else medians(each) for name, each in runs.items()}
    file.unlink()
    return Section(
        title="Upload of one file",
        about=f"{size / 1e9:g} GB as multipart/form-data over plain http; the stub reads it and throws it away.",
        rows=[row(line.name, found[line.name], size) for line in lines],
        demands=demands(found[OURS], size),
        remarks=[
            *cheaper_peers(found, OURS),
            "openai's client is given an open file: of a path it would read the whole file into memory first.",
        ],
    )


PEERS = ("httpx_upload", "openai_upload", "official_upload")


def ours_upload(file: Path) -> Contender:
    """Upload with this package."""

    def run() -> Figures:
        with running_stub() as stub, results_folder() as results:
            figures = run_client(ours_command("upload", stub.base_url, results, input=file))
            return with_stats(figures, stub.stats())

    return Contender(name=OURS, does="upload", run=run)


def row(name: str, figures: Figures | str, size: int) -> dict[str, str]:
    """Give one line of the table."""
    if isinstance(figures, str):
        return {"who": name, "CPU s a GB": f"could not be run: {figures}"}
    return {
        "who": name,
        "CPU s a GB": f"{figures['cpu_s'] / size * 1e9:.2f}",
        "MB a second": f"{size / 1e6 / figures['wall_s']:,.0f}",
        "RSS rise MB": f"{figures['rss_rise_mb']:.1f}",
        "peak RSS MB": f"{figures['peak_rss_mb']:.0f}",
        "bytes that arrived": f"{figures['stub']['uploaded_bytes']:,}",
    }


def demands(figures: Figures | str, size: int) -> list[Demand]:
    """Give what is asked."""
    cpu = figures["cpu_s"] / size * 1e9 if isinstance(figures, dict) else None
    rise = figures["rss_rise_mb"] if isinstance(figures, dict) else None
    return [
        Demand(what="upload of a GB", bound=0.7, measured=cpu, unit=" CPU s"),
        Demand(what="RSS rise while uploading", bound=10, measured=rise, unit=" MB"),
    ]


if __name__ == "__main__":
    print_section(measure)
