"""A vocabulary of all bytes and two words, so that no real one must be had: as ``tiny`` for tiktoken's own look-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import tiktoken

from airflow_provider_openai_dest.rendering import tokens

TINY = tiktoken.Encoding(
    "tiny",
    pat_str=r"\w+|\W+",
    mergeable_ranks={bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abab": 257},
    special_tokens={},
)


@contextmanager
def known_as(*names: str) -> Iterator[None]:
    """Let tiktoken find it by these names."""
    caches = (tokens.token_counter, tokens.vocabulary_of, tokens._loaded)
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(tiktoken.registry.ENCODINGS, name, TINY)
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()
