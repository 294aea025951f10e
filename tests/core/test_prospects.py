"""Whether to go on, told from how the requests so far have ended."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.prospects import ALIKE_RECORDS, Prospects
from airflow_provider_openai_dest.delivery.verdict import OPENAI, WEBHOOK, Verdict, VerdictTable
from airflow_provider_openai_dest.exceptions import RecordError
from tests.core.delivery_parts import conclusion, exhausted, rejected

NO_MODEL = rejected("model_not_found", "The model `gpt-7` does not exist", 404)
STOPPED = Conclusion(verdict=Verdict.ABORT, attempts=0)


def refusal_after(*ends: Conclusion, table: VerdictTable = OPENAI, records: int = 1) -> RecordError | None:
    """Give the refusal of all that was seen in these ends, each of so many records."""
    prospects = Prospects(table)
    found = [prospects.refusal_of_all(end, records) for end in ends]
    return found[-1]


def test_ten_first_records_refused_alike_stop_the_rest() -> None:
    """It is the model that is wrong, and the error names it."""
    error = refusal_after(*[NO_MODEL] * ALIKE_RECORDS)
    assert error is not None
    assert ("model_not_found", 404) == (error.code, error.status)
    assert "The model `gpt-7` does not exist" in error.message


@pytest.mark.parametrize(
    "ends",
    [
        [NO_MODEL] * (ALIKE_RECORDS - 1),
        [conclusion(), *[NO_MODEL] * 20],
        [*[NO_MODEL] * 5, conclusion(), *[NO_MODEL] * 20],
        [*[NO_MODEL] * 5, exhausted(), *[NO_MODEL] * 20],
        [*[NO_MODEL] * 5, rejected("model_not_found", "another", 404), *[NO_MODEL] * 20],
        [rejected(str(number), "no such file", 404) for number in range(20)],
        [rejected()] * 20,
        [exhausted()] * 20,
        [STOPPED] * 20,
    ],
    ids=[
        "too few",
        "one delivered first",
        "one delivered between",
        "one failed between",
        "another message",
        "each its own",
        "400 is the records' fault",
        "the server's fault",
        "never sent",
    ],
)
def test_other_beginnings_stop_nothing(ends: list[Conclusion]) -> None:
    """As long as the records may be at fault, each is tried."""
    assert refusal_after(*ends) is None


def test_records_are_counted_and_not_requests() -> None:
    """One refused pack of 2,048 says enough."""
    assert refusal_after(NO_MODEL, records=2048) is not None


def test_a_webhook_may_refuse_every_item() -> None:
    """A receiver's 404 is the items' end, not the task's."""
    assert refusal_after(*[NO_MODEL] * 20, table=WEBHOOK) is None
