"""Token counts: how many tokens a value will count for, before it is sent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Protocol

log = logging.getLogger(__name__)

BYTES_A_TOKEN = 3
"""English has about 4 bytes a token, Chinese and code about 3: estimates run high, so that packs stay below limits."""

LONGEST_COUNTED = 100_000
"""Characters up to which a text is counted: a longer one is above every model's limit, and slow to count."""

LOAD_SECONDS = 10.0

CountTokens = Callable[[str | Sequence[int]], int]


class Encoding(Protocol):
    """What is needed of ``tiktoken.Encoding``."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Give a text's tokens."""


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
    encoding = _loaded(model)
    return estimate_tokens if encoding is None else partial(count_tokens, encoding)


def _loaded(model: str) -> Encoding | None:
    """Load a vocabulary within a bound of time: in a closed network a download may hang for minutes."""
    import tiktoken

    found: list[Encoding] = []
    reason = [f"not loaded within {LOAD_SECONDS:g} s"]

    def load() -> None:
        try:
            found.append(tiktoken.encoding_for_model(model))
        except KeyError:  # a model that it does not know, such as that of another server
            reason.clear()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from loading, an estimate is good enough
            reason[0] = type(error).__name__

    thread = threading.Thread(target=load, name="openai-dest-vocabulary", daemon=True)
    thread.start()
    thread.join(LOAD_SECONDS)
    if reason and not found:
        log.info("Tokens of %s are estimated, on the high side: its vocabulary can't be loaded (%s)", model, reason[0])
    return found[0] if found else None
