"""Counting tokens before they are sent."""

from __future__ import annotations

import logging

import pytest
import tiktoken

from airflow_provider_openai_dest.rendering.tokens import (
    LONGEST_COUNTED,
    count_tokens,
    estimate_tokens,
    token_counter,
)

# A vocabulary of all bytes and one word, so that no real one must be had.
TINY = tiktoken.Encoding(
    "tiny",
    pat_str=r"\w+|\W+",
    mergeable_ranks={bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abab": 257},
    special_tokens={},
)


@pytest.mark.parametrize(
    ("value", "tokens"), [("abab", 1), ("ab!", 2), ("é", 2), ("", 0), ([1, 2, 3], 3), ("<|endoftext|>", 13)]
)
def test_tokens_are_counted_by_the_models_vocabulary(value: str | list[int], tokens: int) -> None:
    """A text by its vocabulary, whatever it looks like; a list of tokens is one already."""
    assert tokens == count_tokens(TINY, value)


def test_a_very_long_text_is_estimated() -> None:
    """Counting it would take minutes, and no model takes it."""
    text = "x" * (LONGEST_COUNTED + 1)
    assert estimate_tokens(text) == count_tokens(TINY, text)


def test_a_model_that_nobody_knows_is_estimated(caplog: pytest.LogCaptureFixture) -> None:
    """That is no fault: every server has models of its own."""
    caplog.set_level(logging.INFO)
    assert (estimate_tokens, []) == (token_counter("a-model-of-my-own"), caplog.messages)


@pytest.mark.parametrize("value", ["", "a", "abcd", "日本語のテキスト", "x" * 1000])
def test_an_estimate_is_an_upper_bound_of_a_token_for_four_characters(value: str) -> None:
    """So that a pack stays below the limits."""
    assert estimate_tokens(value) >= -(-len(value) // 4)
