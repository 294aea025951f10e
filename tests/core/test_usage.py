"""The tokens that an answer says were used."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.delivery.usage import DEEPEST, MOST_NAMES, add_usage, used_tokens
from tests.core.delivery_parts import refusal, reply

PADDING = "x" * 10_000

# an answer, and the tokens that it says were used
ANSWERS: dict[str, tuple[Any, int | None]] = {
    "at the end": ({"data": PADDING, "usage": {"total_tokens": 17}}, 17),
    "at the start": ({"usage": {"total_tokens": 17}, "data": PADDING}, 17),
    "spaced": (b'{"usage": {"total_tokens" :\n 17 }}', 17),
    "not said": ({"data": []}, None),
    "in a text of the answer": ({"text": '"total_tokens": 99'}, None),
    "no number": (b'{"usage": {"total_tokens": "many"}}', None),
    "too long a number": (b'{"usage": {"total_tokens": 99999999999999999999}}', None),
    "no JSON": (b"<html>", None),
}

# usages that follow each other, and their sum
SUMS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "numbers": ([{"a": 1}, {"a": 2, "b": 0.5}], {"a": 3, "b": 0.5}),
    "nested": ([{"d": {"cached": 1}}, {"d": {"cached": 2}}], {"d": {"cached": 3}}),
    "texts and lists": ([{"a": "1", "b": [1], "c": None, "d": True, "e": 1}], {"e": 1}),
    "a number that becomes an object": ([{"a": 1}, {"a": {"b": 1}}], {"a": 1}),
    "an object that becomes a number": ([{"a": {"b": 1}}, {"a": 1}], {"a": {"b": 1}}),
    "nonsense": ([{"a": -1, "b": 10**100, "c": 1}], {"c": 1}),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_the_total_is_found_without_reading_all(case: str) -> None:
    """The rate limit needs one number of an answer that may have megabytes."""
    body, tokens = ANSWERS[case]
    assert tokens == used_tokens(reply(200, body))


def test_a_refusal_uses_nothing() -> None:
    """What was reserved for it is given back."""
    assert used_tokens(refusal(500)) == 0


@pytest.mark.parametrize("case", SUMS)
def test_usages_add_up(case: str) -> None:
    """Numbers are added by their names; what else a server sends is left out and breaks nothing."""
    usages, total = SUMS[case]
    summed: dict[str, Any] = {}
    for usage in usages:
        add_usage(summed, usage)
    assert total == summed


usages = st.dictionaries(
    st.sampled_from("ab"),
    st.recursive(
        st.integers() | st.floats() | st.just("1") | st.none() | st.just([]),
        lambda inner: st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=2,
)


@given(st.lists(usages, max_size=3))
def test_a_sum_never_breaks(given_usages: list[dict[str, Any]]) -> None:
    """Any usage can follow any other, and no sum is below zero or not finite."""
    total: dict[str, Any] = {}
    for usage in given_usages:
        add_usage(total, usage)
    assert all(isinstance(value, dict) or 0 <= value < float("inf") for value in total.values())


def test_a_sum_keeps_so_many_names() -> None:
    """Names come from a server: what comes after the first ones is left out."""
    total: dict[str, Any] = {}
    for number in range(10_000):
        add_usage(total, {f"name {number}": 1})
    assert len(total) == MOST_NAMES


def test_a_sum_goes_so_deep() -> None:
    """Objects within objects are added up to a depth that no usage has."""
    usage: Any = 1
    for _ in range(500):
        usage = {"a": usage}
    node: Any = {}
    add_usage(node, usage)
    depth = 0
    while isinstance(node, dict) and node:
        depth, node = depth + 1, node["a"]
    assert depth == DEEPEST
