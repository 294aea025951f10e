"""How many tokens a text has: about one for each four characters.

OpenAI counts byte pairs; a vocabulary of 1.7 MB for a figure that only has to be plausible is not worth it here.
"""

from __future__ import annotations

CHARACTERS_A_TOKEN = 4


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text, rounded up, at least 1."""
    return max(1, -(-len(text) // CHARACTERS_A_TOKEN))
