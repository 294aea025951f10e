"""How many rejected records a task may have."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_openai_dest.delivery.tolerance import Tolerance
from airflow_provider_openai_dest.exceptions import ConfigurationError, TooManyRejectedError
from airflow_provider_openai_dest.manifest import Manifest

# what is given; rejected and input; whether it is too many
CASES: list[tuple[dict[str, Any], tuple[int, int], bool]] = [
    ({}, (0, 0), False),
    ({}, (0, 100), False),
    ({}, (1, 100), True),
    ({"max_error_rate": 0.0}, (1, 100), True),
    ({"max_error_rate": 0.01}, (1, 100), False),
    ({"max_error_rate": 0.01}, (2, 100), True),
    ({"max_error_rate": 0.29}, (29, 100), False),
    ({"max_error_rate": 0.29}, (30, 100), True),
    ({"max_error_rate": 1.0}, (100, 100), False),
    ({"max_errors": 0}, (1, 100), True),
    ({"max_errors": 5}, (5, 100), False),
    ({"max_errors": 5}, (6, 100), True),
    ({"max_error_rate": 0.5, "max_errors": 5}, (6, 100), True),
    ({"max_error_rate": 0.01, "max_errors": 5}, (2, 100), True),
    ({"max_error_rate": 0.5, "max_errors": 5}, (5, 100), False),
]


def manifest(rejected: int, records: int, **fields: Any) -> Manifest:
    """Give a manifest with these counts."""
    return Manifest(endpoint="x", input=records, rejected=rejected, delivered=records - rejected, **fields)


@pytest.mark.parametrize(("given", "counts", "is_too_many"), CASES)
def test_the_bound_is_exact(given: dict[str, Any], counts: tuple[int, int], is_too_many: bool) -> None:  # noqa: FBT001
    """As many as the bound are allowed, and of two bounds the smaller one holds."""
    if not is_too_many:
        Tolerance(**given).check(manifest(*counts))
        return
    with pytest.raises(TooManyRejectedError, match=f"{counts[0]} of {counts[1]} records were rejected"):
        Tolerance(**given).check(manifest(*counts))


def test_the_error_names_the_first_kinds_and_the_quarantine() -> None:
    """It says what was wrong, with which record first, and where all of them are; pending ones are another matter."""
    kinds = [
        {"status": status, "code": code, "count": count, "first_key": "k", "first_message": "why"}
        for status, code, count in [("pending", "p", 9), *(("rejected", code, 3) for code in "abcd")]
    ]
    with pytest.raises(TooManyRejectedError) as raised:
        Tolerance().check(manifest(12, 100, rejections=kinds, quarantine="/q-*.jsonl"))
    assert "3 x a (first: record 'k': why), 3 x b (first: record 'k': why), 3 x c" in str(raised.value)
    assert " x d" not in str(raised.value)
    assert "/q-*.jsonl" in str(raised.value)
    assert raised.value.manifest is not None
    assert raised.value.manifest["rejected"] == 12


@pytest.mark.parametrize(("code", "is_said"), [("unknown_fate", True), ("bad", False)])
def test_an_unknown_fate_is_told_where_there_is_one(code: str, is_said: bool) -> None:  # noqa: FBT001
    """Only a replay sends what a dead try may have sent; whoever has no such record reads nothing of it."""
    kinds = [{"status": "rejected", "code": code, "count": 2, "first_key": "k", "first_message": "why"}]
    with pytest.raises(TooManyRejectedError) as raised:
        Tolerance().check(manifest(2, 4, rejections=kinds))
    said = "; the 2 that may have been sent already (unknown_fate) go only with quarantine_of"
    assert is_said == (said in str(raised.value))
    assert is_said == ("unknown_fate" in str(raised.value))


@pytest.mark.parametrize("given", [{"max_error_rate": -0.1}, {"max_error_rate": 1.1}, {"max_errors": -1}])
def test_a_bound_that_means_nothing_is_refused(given: dict[str, Any]) -> None:
    """When the Dag is read, not when the run is over."""
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        Tolerance(**given)
