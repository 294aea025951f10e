"""Whether to go on, told from how the requests so far have ended."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.delivery.attempts import Conclusion
from airflow_provider_openai_dest.delivery.prospects import Prospects
from airflow_provider_openai_dest.delivery.verdict import OPENAI, WEBHOOK, Verdict, VerdictTable, table_of
from airflow_provider_openai_dest.exceptions import RecordError
from tests.core.delivery_parts import conclusion, exhausted, rejected

NO_MODEL = rejected("model_not_found", "The model `gpt-7` does not exist", 404)
NO_FIELD = rejected("unknown_parameter", "Unrecognized request argument supplied: inputs")
ALIKE = OPENAI.stops_alike[404]
ALIKE_OTHERWISE = OPENAI.stops_alike_otherwise or 0
STOPPED = Conclusion(verdict=Verdict.ABORT, attempts=0)


def refusal_after(*ends: Conclusion, table: VerdictTable = OPENAI, records: int = 1) -> RecordError | None:
    """Give the refusal of all that was seen in these ends, each of so many records."""
    prospects = Prospects(table)
    found = [prospects.refusal_of_all(end, records) for end in ends]
    return found[-1]


def test_ten_first_records_refused_alike_stop_the_rest() -> None:
    """It is the model that is wrong, and the error names it."""
    error = refusal_after(*[NO_MODEL] * ALIKE)
    assert error is not None
    assert ("model_not_found", 404) == (error.code, error.status)
    assert "The model `gpt-7` does not exist" in error.message


def test_twenty_first_records_refused_alike_stop_the_rest() -> None:
    """Whatever the refusal: it is the template that is wrong, and the error names what the server said."""
    assert refusal_after(*[NO_FIELD] * (ALIKE_OTHERWISE - 1)) is None
    error = refusal_after(*[NO_FIELD] * ALIKE_OTHERWISE)
    assert error is not None
    assert ("unknown_parameter", 400) == (error.code, error.status)
    assert "the first 20 records were all refused alike: Unrecognized request argument" in error.message


@pytest.mark.parametrize("status", [200, 302, 307])
def test_answers_of_no_api_stop_the_rest(status: int) -> None:
    """A login page, or a redirect to one: it is the base URL, or the network, and no record."""
    error = refusal_after(*[rejected("bad_answer", "an HTML page", status)] * ALIKE_OTHERWISE)
    assert error is not None
    assert ("bad_answer", status) == (error.code, error.status)


@pytest.mark.parametrize(
    "ends",
    [
        [NO_MODEL] * (ALIKE - 1),
        [conclusion(), *[NO_MODEL] * 20],
        [*[NO_MODEL] * 5, conclusion(), *[NO_MODEL] * 20],
        [*[NO_MODEL] * 5, exhausted(), *[NO_MODEL] * 20],
        [*[NO_MODEL] * 5, rejected("model_not_found", "another", 404), *[NO_MODEL] * 20],
        [rejected(str(number), "no such file", 404) for number in range(20)],
        [rejected(str(number)) for number in range(30)],
        [rejected(message=str(number)) for number in range(30)],
        [*[NO_FIELD] * 19, conclusion(), *[NO_FIELD] * 30],
        [rejected("bad_answer", status=None)] * 30,
        [exhausted()] * 30,
        [STOPPED] * 20,
    ],
    ids=[
        "too few",
        "one delivered first",
        "one delivered between",
        "one failed between",
        "another message",
        "each its own",
        "each its own code",
        "each its own message",
        "one of the first twenty delivered",
        "refused by no server",
        "the server's fault",
        "never sent",
    ],
)
def test_other_beginnings_stop_nothing(ends: list[Conclusion]) -> None:
    """As long as the records may be at fault, each is tried."""
    assert refusal_after(*ends) is None


def test_three_answers_of_no_api_stop_the_rest_at_one_address() -> None:
    """Where each record has a path of its own, it takes ten."""
    nobody = rejected("http_404", "the server answered 404", 404)
    assert refusal_after(*[nobody] * 2, table=table_of("/embeddings")) is None
    assert refusal_after(*[nobody] * 3, table=table_of("/embeddings")) is not None
    assert refusal_after(*[nobody] * 9, table=table_of("/files/{file_id}")) is None


def test_records_are_counted_and_not_requests() -> None:
    """One refused pack of 2,048 says enough."""
    assert refusal_after(NO_MODEL, records=2048) is not None


def test_a_pack_that_is_halved_tells_nothing_yet() -> None:
    """One record of it may be at fault; what its single records end with is counted."""
    assert refusal_after(NO_FIELD, records=2048) is None
    prospects = Prospects(OPENAI)
    found = [prospects.refusal_of_all(NO_FIELD, records) for records in (64, 32, *[1] * ALIKE_OTHERWISE)]
    assert [True] == [one is not None for one in found if one] == [found[-1] is not None]


def test_a_webhook_may_refuse_every_item() -> None:
    """A receiver's 404 is the items' end, not the task's."""
    for end in (NO_MODEL, NO_FIELD):
        assert refusal_after(*[end] * 30, table=WEBHOOK) is None
