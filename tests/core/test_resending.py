"""What may have been sent before goes first, and new records wait until it is durable."""

from __future__ import annotations

import pytest

from airflow_provider_openai_dest.checkpoint.claims import Claimed
from airflow_provider_openai_dest.checkpoint.resending import Resending
from airflow_provider_openai_dest.rendering.request import RenderedRequest
from tests.core.delivery_parts import URL, record

MOST = 4


def at(*positions: int) -> RenderedRequest:
    """Give a request for the records at these positions."""
    records = tuple(record(str(position), position) for position in positions)
    return RenderedRequest(records=records, method="POST", url=URL, content=b"")


CASES = {
    "nothing was claimed": (Claimed(), [(0,), (1,)], None),
    "an answer was lost, and the try ended": (Claimed(lost=frozenset({0})), [(0,), (1,)], None),
    "what was claimed is settled": (Claimed(to=3), [(3,), (4,)], None),
    "some was claimed": (Claimed(to=3), [(0,), (2,), (3,), (4,)], 2),
    "packs, the last of which has new records too": (Claimed(to=3), [(0, 1), (2, 3), (4, 5)], 2),
    "no more than was on the way": (Claimed(to=99), [(place,) for place in range(9)], MOST),
    "nothing new": (Claimed(to=3), [(0,), (1,), (2,)], None),
    "another data set": (Claimed(to=1, is_shifted=True), [(place,) for place in range(9)], MOST),
}


@pytest.mark.parametrize("case", CASES)
def test_one_request_waits_for_all_before_it(case: str) -> None:
    """It is the first that no earlier try can have sent; and none waits a second time."""
    claimed, sent, waits = CASES[case]
    resending = Resending(claimed, MOST)
    found = [place for place, positions in enumerate(sent) if resending.must_wait(at(*positions))]
    assert ([] if waits is None else [waits]) == found
