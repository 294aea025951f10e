"""Vectors of texts by feature hashing: similar wordings come out near each other.

No model and no pretence of one. Each word and each run of 3 to 5 characters inside a word is hashed to a place and a
sign; a text's vector is the weighted sum, of length 1. "wait" is near "waits", and never near "pause".
"""

from __future__ import annotations

import math
import re
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import mul
from zlib import crc32

WORD = re.compile(r"[^\W_]+")
ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|e)$")
NGRAM_LENGTHS = (3, 4, 5)
NGRAM_WEIGHT = 0.7  # of all n-grams of a word together, where the word itself weighs 1
STOP_WORD_WEIGHT = 0.1
_MOST_COMMON_WORDS = """
a about after all also an and another any are as at be been before between but by can could do does during each either
for from given had has have how i if in into is it its just may more must no not of on one only or other over should
so some specified such than that the their then there these they this through to under until up us use used uses using
via was we were what when where whether which while who will with within without would you your
"""
STOP_WORDS = frozenset(_MOST_COMMON_WORDS.split())


def embed(item: str | Sequence[int], dimensions: int) -> array[float]:
    """Give the vector of a text (or of a list of tokens) as float32; the same item gives the same vector for ever."""
    words = WORD.findall(item.casefold()) or [item] if isinstance(item, str) else [f"#{token}" for token in item]
    sums = [0.0] * (dimensions + 1)  # place 0 stays free, so that a place can carry its sign
    for word, count in Counter(words).items():
        weight = (1.0 + math.log(count)) * (STOP_WORD_WEIGHT if word in STOP_WORDS else 1.0)
        whole, *ngrams = _signed_places(word, dimensions)
        _add(sums, (whole,), weight)
        if ngrams:
            _add(sums, ngrams, weight * NGRAM_WEIGHT / math.sqrt(len(ngrams)))
    del sums[0]
    length = math.sqrt(sum(map(mul, sums, sums)))
    if length == 0.0:  # hashes of opposite sign can meet in one place
        sums[0] = length = 1.0
    return array("f", [value / length for value in sums])


def packed(vector: array[float]) -> bytes:
    """Give the little-endian float32 bytes, whatever the machine's own order."""
    if sys.byteorder == "little":
        return vector.tobytes()
    swapped = array("f", vector)
    swapped.byteswap()
    return swapped.tobytes()


def _add(sums: list[float], signed_places: Iterable[int], weight: float) -> None:
    for place in signed_places:
        if place > 0:
            sums[place] += weight
        else:
            sums[-place] -= weight


@lru_cache(maxsize=20_000)
def _signed_places(word: str, dimensions: int) -> tuple[int, ...]:
    """Hash a word and its n-grams to places 1..dimensions, with a sign; the word itself comes first."""
    features = [f"={ENDING.sub('', word)}"]  # "waits" and "waited" count as "wait"
    if word not in STOP_WORDS and not word.startswith("#"):  # a token number has no inside
        bounded = f"<{word}>"
        for length in NGRAM_LENGTHS:
            features += [bounded[start : start + length] for start in range(len(bounded) - length + 1)]
    hashes = [crc32(feature.encode("utf-8", "surrogatepass")) for feature in features]
    return tuple((1 + (value >> 1) % dimensions) * (1 if value & 1 else -1) for value in hashes)
