"""Measure short texts packed 2,048 a request: CPU a text, and memory."""

from __future__ import annotations

from contenders import cheaper_peers, cost_row, ours, peer
from inputs import texts_file
from processes import Figures
from rounds import Contender, interleaved, medians
from section import Demand, Section, print_section

OURS = "**ours**, concurrency as it comes"
OURS_4 = "**ours**, 4 in flight"


def measure(*, quick: bool = False) -> Section:
    """Run all in turn."""
    lines = contenders(quick=quick)
    runs = interleaved(lines, 1 if quick else 3)
    found = {name: each if isinstance(each, str) else medians(each) for name, each in runs.items()}
    return Section(
        title="Packed texts",
        about="2,048 texts of 40 to 120 characters a request, base64, answers at once; the peers with 4 requests in "
        "flight, for an answer is 17 MB large. Ours does all that a delivery does, outcomes on disk included.",
        rows=[cost_row(line, found[line.name], found[OURS], per="text") for line in lines],
        demands=demands(found),
        remarks=[
            *cheaper_peers(found, OURS),
            "The peers send fewer texts, for they would take long; their cost a text does not depend on it.",
        ],
    )


def contenders(*, quick: bool) -> list[Contender]:
    """Name who is compared, and with how many texts."""
    many, few = (texts_file(20_480), texts_file(4_096)) if quick else (texts_file(100_000), texts_file(20_480))
    return [
        ours(OURS, {}, input=many, packed=True, concurrency=None),
        ours(OURS_4, {}, input=many, packed=True, concurrency=4),
        peer("aiohttp_rows", {}, input=few, packed=True, concurrency=4),
        peer("aiohttp", {}, input=few, packed=True, concurrency=4),
        peer("openai_aiohttp", {}, input=few, packed=True, concurrency=4),
        peer("openai", {}, input=few, packed=True, concurrency=4),
        peer("official_operator", {}, input=few, packed=True),
        peer("official_hook", {}, input=few, packed=True),
    ]


def demands(found: dict[str, Figures | str]) -> list[Demand]:
    """Give what is asked."""

    def figure(name: str, which: str) -> float | None:
        figures = found[name]
        return None if isinstance(figures, str) else figures[which]

    def times(name: str) -> float | None:
        mine, theirs = figure(OURS, "cpu_ms"), figure(name, "cpu_ms")
        return theirs / mine if mine and theirs else None

    operator = "official OpenAIEmbeddingOperator.execute"
    return [
        Demand(what="a packed text, all in", bound=0.10, measured=figure(OURS, "cpu_ms"), unit=" CPU ms"),
        Demand(what="peak RSS while packed", bound=150, measured=figure(OURS, "peak_rss_mb"), unit=" MB"),
        Demand(what="AsyncOpenAI costs, packed", bound=3, measured=times("AsyncOpenAI"), at_least=True, unit="x"),
        Demand(what="the official operator costs, packed", bound=3, measured=times(operator), at_least=True, unit="x"),
    ]


if __name__ == "__main__":
    print_section(measure)
