"""Measure one record a request with base64 answers: CPU a record, memory, records a second.

Ours does all that a delivery does: read, render, send, decode, check, an outcome on disk for each record. The peers
read, send and decode; none of them keeps outcomes.
"""

from __future__ import annotations

from contenders import ceiling, cheaper_peers, cost_row, ours, peer
from inputs import texts_file
from processes import Figures
from rounds import Contender, interleaved, medians
from section import Demand, Section, print_section

OURS, OURS_512 = "**ours**, 64 in flight", "**ours**, 512 in flight, answers after 50 ms"
OURS_AIOHTTP = "ours, all of it through aiohttp"


def measure(*, quick: bool = False) -> Section:
    """Run all in turn."""
    lines = contenders(quick=quick)
    found = {
        name: runs if isinstance(runs, str) else medians(runs)
        for name, runs in interleaved(lines, 1 if quick else 3).items()
    }
    base = found[OURS]
    return Section(
        title="One record a request",
        about="64 requests in flight, answers at once, base64, unless said. Ours does all that a delivery does; "
        "the peers keep no outcomes, but for the one by hand.",
        rows=[cost_row(line, found[line.name], base) for line in lines],
        demands=demands(found),
        remarks=[
            *cheaper_peers(found, OURS),
            "AsyncOpenAI stands on httpx2 from openai 3 on, which is lighter with many connections than httpx.",
            "The official hook and operator send one request after the other: there is no other way to call them.",
            "A new official operator is made for each record, as for each task; what Airflow adds to it is left out.",
        ],
    )


def contenders(*, quick: bool) -> list[Contender]:
    """Name who is compared, and with how many records: fewer for the slow."""
    part = 10 if quick else 1
    many, some, few, least = (texts_file(count // part) for count in (20_000, 5_000, 2_000, 500))
    at_once, later = {}, {"latency_ms": 50}
    return [
        ours(OURS, at_once, input=many, concurrency=64),
        ours(OURS_512, later, input=many, concurrency=512),
        ours(OURS_AIOHTTP, at_once, input=many, through_aiohttp=True),
        peer("aiohttp_rows", at_once, input=many),
        peer("pyreqwest", at_once, input=many),
        peer("aiohttp", at_once, input=many),
        peer("openai_aiohttp", at_once, input=some),
        peer("openai", at_once, input=few),
        peer("openai_2", at_once, input=few),
        peer("httpx", at_once, input=few),
        peer("official_hook", at_once, input=few),
        peer("official_operator", at_once, input=least),
        peer("litellm", at_once, input=least),
        ceiling(at_once, requests=200_000 // part),
    ]


def demands(found: dict[str, Figures | str]) -> list[Demand]:
    """Give what is asked."""

    def cpu(name: str) -> float | None:
        figures = found[name]
        return None if isinstance(figures, str) else figures["cpu_ms"]

    def times(name: str, other: str = OURS) -> float | None:
        mine, theirs = cpu(other), cpu(name)
        return theirs / mine if mine and theirs else None

    wide = found[OURS_512]
    return [
        Demand(what="one record a request, all in", bound=0.45, measured=cpu(OURS), unit=" CPU ms"),
        Demand(
            what="AsyncOpenAI + aiohttp costs",
            bound=4,
            measured=times("AsyncOpenAI + DefaultAioHttpClient"),
            at_least=True,
            unit="x",
        ),
        Demand(what="AsyncOpenAI costs", bound=10, measured=times("AsyncOpenAI"), at_least=True, unit="x"),
        Demand(
            what="the official operator costs",
            bound=16,
            measured=times("official OpenAIEmbeddingOperator.execute"),
            at_least=True,
            unit="x",
        ),
        Demand(what="512 in flight and 50 ms, against 64 and 0 ms", bound=1.3, measured=times(OURS_512), unit="x"),
        Demand(
            what="512 in flight and 50 ms, on one core",
            bound=1_800,
            measured=None if isinstance(wide, str) else wide["a_second"],
            at_least=True,
            unit=" records/s",
        ),
    ]


if __name__ == "__main__":
    print_section(measure)
