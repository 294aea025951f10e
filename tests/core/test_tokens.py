"""Counting tokens before they are sent."""

from __future__ import annotations

import inspect
import logging

import pytest

from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.rendering import tokens
from airflow_provider_openai_dest.rendering.tokens import (
    LONGEST_COUNTED,
    count_tokens,
    encoding_name_of,
    estimate_tokens,
    token_counter,
    vocabulary_of,
)
from tests.core.tiny_vocabulary import TINY, known_as


@pytest.mark.parametrize(
    ("value", "count"), [("abab", 1), ("ab!", 2), ("é", 2), ("", 0), ([1, 2, 3], 3), ("<|endoftext|>", 13)]
)
def test_tokens_are_counted_by_the_models_vocabulary(value: str | list[int], count: int) -> None:
    """A text by its vocabulary, whatever it looks like; a list of tokens is one already."""
    assert count == count_tokens(TINY, value)


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


# -- vocabularies ------------------------------------------------------------------------------------


def test_a_younger_model_is_counted_as_its_family(caplog: pytest.LogCaptureFixture) -> None:
    """And that is told, once."""
    with known_as("cl100k_base"):
        assert TINY is vocabulary_of("text-embedding-9-huge") is vocabulary_of("text-embedding-9-huge")
    (message,) = caplog.messages
    assert "tiktoken does not know text-embedding-9-huge" in message


def test_a_vocabulary_has_a_name_of_its_own() -> None:
    """A model of another name, such as a deployment, is read by the one that is named."""
    with known_as("tiny"):
        assert TINY is vocabulary_of("my-deployment", "tiny")
    assert encoding_name_of("my-deployment") is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("my-deployment", None), "nobody knows how the model 'my-deployment' reads its tokens: say encoding_name="),
        (
            ("my-deployment", "no such"),
            r"'no such' of 'my-deployment' can't be loaded \(ValueError\).*TIKTOKEN_CACHE_DIR",
        ),
    ],
)
def test_a_vocabulary_that_can_not_be_had_is_a_fault_of_the_dag(names: tuple[str, str | None], words: str) -> None:
    """Where a text must be cut, an estimate does not do."""
    with pytest.raises(ConfigurationError, match=words):
        vocabulary_of(*names)


def test_a_closed_network_is_told_which_file_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its address, and by the name that it has in TIKTOKEN_CACHE_DIR."""
    monkeypatch.setattr(tokens, "_loaded", lambda _: (None, "ConnectionError"))
    with pytest.raises(ConfigurationError) as raised:
        vocabulary_of("a-model-in-a-closed-network", "cl100k_base")
    address = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
    assert f"{address}, or that file as 9b5ad71b2ce5302211f9c61530b329a4922fc6a4 in" in str(raised.value)


@pytest.mark.parametrize("name", tokens.ADDRESSES)
def test_the_addresses_are_tiktokens_own(name: str) -> None:
    """As tiktoken names them in its own code."""
    import tiktoken_ext.openai_public

    assert f'"{tokens.ADDRESSES[name]}"' in inspect.getsource(tiktoken_ext.openai_public)


def test_without_tiktoken_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is paid for."""
    monkeypatch.setattr(tokens, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="`tokens`: pip install tiktoken"):
        vocabulary_of("a-model-for-this-test-alone")
