"""How deep a JSON value goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_openai_dest.answers.nesting import DEEPEST, is_surely_flat, is_too_deep


def nested(depth: int, kind: type = list) -> Any:
    """Give lists or objects within each other, so many."""
    value: Any = 1
    for _ in range(depth):
        value = [0, value] if kind is list else {"a": 0, "b": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_the_bound_is_exact(kind: type) -> None:
    """The deepest that is allowed passes, one more does not."""
    assert [False, True] == [is_too_deep(nested(depth, kind)) for depth in (DEEPEST, DEEPEST + 1)]


@pytest.mark.parametrize("value", [None, "text", 1, [], {}, [[]] * 1000, {"a": [1] * 1000}])
def test_a_wide_value_is_not_deep(value: Any) -> None:
    """Width is no matter."""
    assert not is_too_deep(value)


def test_a_value_deeper_than_python_goes_breaks_nothing() -> None:
    """It is told without recursion."""
    assert is_too_deep(nested(100_000))


@pytest.mark.parametrize(("depth", "is_flat"), [(DEEPEST, True), (DEEPEST + 1, False)])
def test_few_brackets_tell_without_a_walk(depth: int, is_flat: bool) -> None:  # noqa: FBT001
    """A text with fewer brackets than the bound can't go deeper."""
    assert is_flat is is_surely_flat(json.dumps(nested(depth)).encode())
