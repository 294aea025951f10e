"""Token estimate: how many tokens a value will count for, before it is sent."""

from __future__ import annotations

from collections.abc import Sequence

BYTES_A_TOKEN = 3
"""English has about 4 bytes a token, Chinese and code about 3: estimates run high, so that packs stay below limits."""


def estimate_tokens(value: str | Sequence[int]) -> int:
    """Estimate the tokens of one embedding input: a text, or a list of tokens, which is exact."""
    if not isinstance(value, str):
        return len(value)
    size = len(value) if value.isascii() else len(value.encode())
    return -(-size // BYTES_A_TOKEN)
