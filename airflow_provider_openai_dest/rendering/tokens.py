"""Token counts: how many tokens a value will count for, before it is sent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from hashlib import sha1
from importlib.util import find_spec
from typing import Protocol

from airflow_provider_openai_dest.exceptions import ConfigurationError

log = logging.getLogger(__name__)

BYTES_A_TOKEN = 3
"""English has about 4 bytes a token, Chinese and code about 3: estimates run high, so that packs stay below limits."""

LONGEST_COUNTED = 100_000
"""Characters up to which a text is counted: a longer one is above every model's limit, and slow to count."""

LOAD_SECONDS = 10.0

FAMILIES = {"text-embedding-": "cl100k_base"}
"""Vocabularies by how a model's name begins, for models that are younger than the tiktoken installed."""

_FILES = "https://openaipublic.blob.core.windows.net/encodings"
ADDRESSES = {name: f"{_FILES}/{name}.tiktoken" for name in ("cl100k_base", "o200k_base", "p50k_base", "r50k_base")}
"""Where tiktoken loads the vocabularies from (tiktoken_ext/openai_public.py)."""

CountTokens = Callable[[str | Sequence[int]], int]


class Encoding(Protocol):
    """What is needed of ``tiktoken.Encoding``."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Give a text's tokens."""

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """Give what the tokens stand for; a token may begin or end within a character."""


def estimate_tokens(value: str | Sequence[int]) -> int:
    """Estimate the tokens of one embedding input: a text, or a list of tokens, which is exact."""
    if not isinstance(value, str):
        return len(value)
    size = len(value) if value.isascii() else len(value.encode())
    return -(-size // BYTES_A_TOKEN)


def count_tokens(encoding: Encoding, value: str | Sequence[int]) -> int:
    """Count the tokens of one embedding input."""
    if isinstance(value, str) and len(value) <= LONGEST_COUNTED:
        return len(encoding.encode_ordinary(value))
    return estimate_tokens(value)


@lru_cache(maxsize=32)
def token_counter(model: str) -> CountTokens:
    """Give what counts a model's tokens: exactly with the ``tokens`` extra, else the estimate.

    The extra's library, tiktoken, loads a model's vocabulary from the internet when it is used first, or from
    ``TIKTOKEN_CACHE_DIR``; where it can't, or does not know the model, the estimate does.
    """
    if find_spec("tiktoken") is None:
        return estimate_tokens
    name = encoding_name_of(model)
    if name is None:  # a model of another server
        return estimate_tokens
    encoding, reason = _loaded(name)
    if encoding is None:
        log.info("Tokens of %s are estimated, on the high side: its vocabulary can't be loaded (%s)", model, reason)
        return estimate_tokens
    return partial(count_tokens, encoding)


@lru_cache(maxsize=32)
def vocabulary_of(model: str, encoding_name: str | None = None) -> Encoding:
    """Give a model's vocabulary, or the one of that name. Raises ConfigurationError when it can't be had."""
    if find_spec("tiktoken") is None:
        raise ConfigurationError("long_input= needs the tokens of a text, the extra `tokens`: pip install tiktoken")
    name = encoding_name or encoding_name_of(model)
    if name is None:
        raise ConfigurationError(
            f"nobody knows how the model {model!r} reads its tokens: say encoding_name=, "
            "such as 'cl100k_base' for OpenAI's embedding models under another name"
        )
    encoding, reason = _loaded(name)
    if encoding is None:
        raise ConfigurationError(
            f"the vocabulary {name!r} of {model!r} can't be loaded ({reason}): {_where_it_is(name)}"
        )
    return encoding


def encoding_name_of(model: str) -> str | None:
    """Give tiktoken's name of a model's vocabulary; of one that it does not know, the vocabulary of its family."""
    import tiktoken

    try:
        return tiktoken.encoding_name_for_model(model)
    except KeyError:
        pass
    name = next((name for beginning, name in FAMILIES.items() if model.startswith(beginning)), None)
    if name is not None:
        log.warning("tiktoken does not know %s: its tokens are counted by %s, as those of its family", model, name)
    return name


def _where_it_is(name: str) -> str:
    """Say what a worker needs for a vocabulary; tiktoken/load.py calls its copy by the SHA-1 of the address."""
    address = ADDRESSES.get(name)
    if address is None:
        return "give the workers access to its address, or its file in the folder TIKTOKEN_CACHE_DIR"
    file = sha1(address.encode(), usedforsecurity=False).hexdigest()
    return f"give the workers access to {address}, or that file as {file} in the folder TIKTOKEN_CACHE_DIR"


@lru_cache(maxsize=8)
def _loaded(name: str) -> tuple[Encoding | None, str]:
    """Load a vocabulary within a bound of time: in a closed network a download may hang for minutes."""
    import tiktoken

    found: list[Encoding] = []
    reason = [f"not loaded within {LOAD_SECONDS:g} s"]

    def load() -> None:
        try:
            found.append(tiktoken.get_encoding(name))
        except Exception as error:  # noqa: BLE001 - whatever keeps it from loading, it is told
            reason[0] = type(error).__name__

    thread = threading.Thread(target=load, name="openai-dest-vocabulary", daemon=True)
    thread.start()
    thread.join(LOAD_SECONDS)
    return (found[0] if found else None), reason[0]
