"""Measure memory by the number of records: it must not grow with the data set.

The stub's vectors have 8 numbers here, so that a million answers take minutes and not an hour.
"""

from __future__ import annotations

from contenders import ours
from inputs import texts_file
from processes import Figures
from rounds import Contender, interleaved, medians
from section import Demand, Section, print_section

STUB = {"dimensions": 8}
PACKED_LESS, PACKED_MORE = "packed, 200,000 records", "packed, 1,000,000 records"


def measure(*, quick: bool = False) -> Section:
    """Run all, once each: what a process has at most differs little from run to run."""
    lines = contenders(quick=quick)
    runs = interleaved(lines, 1)
    found = {name: each if isinstance(each, str) else medians(each) for name, each in runs.items()}
    less, more = (found.get(name) for name in (PACKED_LESS, PACKED_MORE))
    return Section(
        title="Memory by the number of records",
        about="Ours without Airflow, answers at once, vectors of 8 numbers, texts of 40 to 120 characters.",
        rows=[row(line.name, found[line.name]) for line in lines],
        demands=demands(less, more),
        remarks=["RSS before: Python with this package imported. Airflow's task process adds its own, some 110 MB."],
    )


def contenders(*, quick: bool) -> list[Contender]:
    """Name what is run."""
    packed = {PACKED_LESS: 200_000} if quick else {PACKED_LESS: 200_000, PACKED_MORE: 1_000_000}
    single = {5_000, 20_000} if quick else {50_000, 200_000}
    return [
        *(ours(name, STUB, input=texts_file(count), packed=True, concurrency=None) for name, count in packed.items()),
        *(ours(f"one a request, {count:,} records", STUB, input=texts_file(count)) for count in sorted(single)),
    ]


def row(name: str, figures: Figures | str) -> dict[str, str]:
    """Give one line of the table."""
    if isinstance(figures, str):
        return {"run": name, "peak RSS MB": f"could not be run: {figures}"}
    return {
        "run": name,
        "peak RSS MB": f"{figures['peak_rss_mb']:.0f}",
        "RSS before MB": f"{figures['rss_before_mb']:.0f}",
        "bytes a record": f"{figures['rss_rise_mb'] * 1e6 / max(1, figures['done']):,.0f}",
        "CPU ms a record": f"{figures['cpu_ms']:.3f}",
        "wall s": f"{figures['wall_s']:.0f}",
        "lost": f"{figures['lost']:.0f}",
    }


def demands(less: Figures | str | None, more: Figures | str | None) -> list[Demand]:
    """Give what is asked."""
    peak = more["peak_rss_mb"] if isinstance(more, dict) else None
    rise = more["peak_rss_mb"] - less["peak_rss_mb"] if isinstance(more, dict) and isinstance(less, dict) else None
    return [
        Demand(what="peak RSS at 1,000,000 records", bound=300, measured=peak, unit=" MB"),
        Demand(what="peak RSS at 1,000,000 above that at 200,000", bound=20, measured=rise, unit=" MB"),
    ]


if __name__ == "__main__":
    print_section(measure)
