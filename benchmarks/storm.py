"""Measure a storm of 503s in the middle of a rate-limited run: what is sent into it, and how soon the rate is back.

The account allows 50 requests a second. After 10 s every answer is a 503, for 60 s (``--short``: 10 s), and the run
goes on after it. Where a task of ours ends because the server is down, it is run again, as Airflow would.
"""

from __future__ import annotations

import argparse
import time

from contenders import peer_command, with_stats
from processes import ClientError, Figures, RunningStub, ours_command, results_folder, run_client, running_stub
from rounds import say
from scenarios import S1
from section import Demand, Section

BEFORE, AFTER = 10, 30
RETRY_DELAY, TRIES = 10, 12  # seconds between the tries of a task, and their number at most
OURS = "**ours**"
PEERS = {
    "AsyncOpenAI (max_retries=2)": ("openai", {}),
    "AsyncOpenAI, max_retries=10": ("openai", {"max_retries": 10}),
}


def measure(*, quick: bool = False, seconds: float | None = None) -> Section:
    """Run all through one storm each."""
    seconds = seconds or (10 if quick else 60)
    records = int(S1.rpm / 60 * (BEFORE + AFTER))
    found: dict[str, Figures | str] = {}
    for name in [OURS] if quick else [OURS, *PEERS]:
        say(f"storm of {seconds:g} s: {name}")
        try:
            found[name] = run(name, seconds, records)
        except ClientError as error:
            found[name] = str(error)
    ours = found[OURS]
    return Section(
        title="A storm of 503s",
        about=f"{records:,} records at 50 requests a second, answers after 200 ms, 64 in flight. From second {BEFORE} "
        f"on every answer is a 503, for {seconds:g} s.",
        rows=[row(name, figures) for name, figures in found.items()],
        demands=demands(ours if isinstance(ours, dict) else None),
        remarks=[
            "Sent over records: the requests that arrived in the storm, over the distinct records in them.",
            "Who has sent nothing in the storm had lost its last record before: to the rate limit.",
            "Rate back: from the storm's end to the first second in which 90 % of 50 requests were answered.",
            f"The next try of a task of ours begins {RETRY_DELAY} s after the one that ended with records left.",
        ],
    )


def run(name: str, seconds: float, records: int) -> Figures:
    """Run one through a storm."""
    options = {"input": S1.input(records)}
    longest = BEFORE + seconds + 4 * AFTER
    with running_stub(**S1.stub, storm_after=BEFORE, storm_seconds=seconds) as stub:
        if name == OURS:
            figures = run_tries(stub, options, longest)
        else:
            peer, more = PEERS[name]
            figures = {"tries": 1} | run_client(peer_command(peer, stub.base_url, **options, **more), seconds=longest)
        figures = with_stats(figures, stub.stats())
    return figures | {"back": seconds_to_recover(figures["stub"], BEFORE + seconds)}


def run_tries(stub: RunningStub, options: dict[str, object], longest: float) -> Figures:
    """Run a task of ours until nothing is left, as Airflow would with retries."""
    began = time.monotonic()
    with results_folder() as results:
        for number in range(1, TRIES + 1):
            command = ours_command("deliver", stub.base_url, results, try_number=number, **options)
            figures = run_client(command, seconds=longest) | {"tries": number}
            if not figures["pending"] or time.monotonic() - began > longest:
                break
            time.sleep(RETRY_DELAY)
    return figures | {"wall_s": time.monotonic() - began}


def seconds_to_recover(stats: Figures, end: float) -> float | None:
    """Give the seconds from the storm's end to the first second with 90 % of the rate; None when there was none."""
    bins = {int(at): each.get("200", 0) for at, each in stats["bins"].items()}
    a_second = round(1 / stats["bin_seconds"])
    first = int(end * a_second)
    for start in range(first, max(bins) + 1):
        if sum(bins.get(at, 0) for at in range(start, start + a_second)) >= 0.9 * stats["requests"]["rate"]:
            return (start - first) / a_second
    return None


def row(name: str, figures: Figures | str) -> dict[str, str]:
    """Give one line of the table."""
    if isinstance(figures, str):
        return {"who": name, "sent in the storm": f"could not be run: {figures}"}
    stats = figures["stub"]
    return {
        "who": name,
        "sent in the storm": f"{stats['storm_requests']:,}",
        "records in it": f"{stats['storm_distinct']:,}",
        "sent over records": f"{amplification(figures):.2f}" if stats["storm_requests"] else "-",
        "all sent over all records": f"{sum(stats['statuses'].values()) / max(1, stats['distinct_records']):.2f}",
        "rate back after s": "never" if figures["back"] is None else f"{figures['back']:.1f}",
        "delivered": f"{stats['distinct_answered']:,}",
        "lost": f"{figures['lost']:,}",
        "left": f"{figures['pending']:,}",
        "tries of the task": str(figures["tries"]),
        "wasted 429s": f"{figures['wasted']:.1%}",
        "wall s": f"{figures['wall_s']:.0f}",
    }


def amplification(figures: Figures) -> float:
    """Give the requests that were sent in the storm over the records in them."""
    stats = figures["stub"]
    return stats["storm_requests"] / max(1, stats["storm_distinct"])


def demands(figures: Figures | None) -> list[Demand]:
    """Give what is asked."""
    back = figures["back"] if figures else None
    sent = amplification(figures) if figures else None
    lost = figures["lost"] + figures["pending"] if figures else None
    return [
        Demand(what="requests sent in the storm over the records in them", bound=1.10, measured=sent),
        Demand(what="90 % of the rate is back after", bound=10, measured=back, unit=" s"),
        Demand(what="records lost", bound=0, measured=lost),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a storm of 10 s")
    parser.add_argument("--quick", action="store_true", help="a storm of 10 s, ours alone")
    arguments = parser.parse_args()
    print(measure(quick=arguments.quick, seconds=10 if arguments.short else None).as_markdown())


if __name__ == "__main__":
    main()
