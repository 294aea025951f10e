"""What the log says when a delivery is over."""

from __future__ import annotations

from typing import Any

from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.operators.end_of_run import log_end


class Log:
    """A log that keeps its lines, and which of them are warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def info(self, message: str, /, *values: Any) -> None:
        self.lines.append(message % values)

    def warning(self, message: str, /, *values: Any) -> None:
        self.lines.append(message % values)
        self.warnings.append(message % values)


def logged(**fields: Any) -> Log:
    log = Log()
    log_end(log, Manifest(endpoint="create_embedding", **fields).as_dict())
    return log


def test_the_summary_is_a_fold_whose_name_has_the_counts() -> None:
    """Airflow's page shows the counts, and the rest when somebody opens the fold."""
    log = logged(input=1200, delivered=1200, requests=3, seconds=4.25, results="/x/outcomes-*.jsonl")
    assert log.lines == [
        "::group::create_embedding: 1,200 records in 4.2 s: 1,200 delivered, 0 rejected, 0 pending",
        "Requests: 3",
        "Results: /x/outcomes-*.jsonl",
        "::endgroup::",
    ]


def test_the_summary_says_what_the_limit_cost() -> None:
    """Requests sent again, waits, tokens, and what may be billed twice each have a line."""
    log = logged(
        input=100,
        delivered=100,
        requests=105,
        retries=5,
        waits=3,
        waited_seconds=72.25,
        usage={"total_tokens": 123456},
        cost=1234.5,
        unknown=2,
        duplicates=1,
        maybe_billed=3,
    )
    assert log.lines[1:6] == [
        "Requests: 105, 5 of them sent again",
        "Rate limit: 3 refusals (429)",
        "Held back by rate limits, or by a server that was down: 72.2 s in all",
        "Tokens: 123,456",
        "Cost: $1,234.50 over all tries, by the price list",
    ]
    assert log.warnings == [
        (
            "At most 3 records may be billed without an answer, or twice, 2 of them since an earlier try died"
            " (maybe_billed in their rows)"
        ),
        "1 record delivered by two tries, and paid twice; the first answer holds",
    ]


def test_what_is_left_stands_outside_the_fold_with_what_to_do() -> None:
    """Kinds of rejection and what is pending are warnings below the fold; they say how the rest is sent."""
    kind = {"status": "rejected", "code": "missing_field", "count": 2, "first_key": "A", "first_message": "no 'q'"}
    log = logged(input=100, delivered=57, rejected=2, pending=41, rejections=[kind], quarantine="/x/q-*.jsonl")
    assert log.lines.index("::endgroup::") < log.lines.index(log.warnings[0])
    assert log.warnings == [
        "2 rejected with missing_field: no 'q' (the first is record 'A')",
        "Left: 41 records pending; the next try of this task, or a clear of it, sends just the rest",
    ]


def test_a_source_that_was_not_read_to_its_end_is_told() -> None:
    """Records that nobody has counted are named, too."""
    (line,) = logged(input=10, delivered=10, whole_input=False).warnings
    assert line.startswith("Left: 0 records pending, and the source was not read to its end")


def test_a_fold_ends_whatever_is_in_it() -> None:
    """Each fold that is begun is ended, also when there was nothing to send."""
    lines = logged().lines
    assert ["::group::", "::endgroup::"] == [line[:9] if "::group" in line else line for line in (lines[0], lines[-1])]


def test_the_summary_says_how_many_needed_no_request() -> None:
    """Where equal requests shared an answer; else there is no line."""
    log = logged(input=9, delivered=9, requests=1, deduplicated=8)
    assert "8 records got the answer to an equal request, without one of their own" in log.lines
