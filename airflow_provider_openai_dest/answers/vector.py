"""Vector: an embedding as base64 of little-endian float32, which is how it travels and is kept."""

from __future__ import annotations

import math
import sys
from array import array
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any

from pybase64 import b64decode, b64encode

from airflow_provider_openai_dest.exceptions import RecordError


def decode_embedding(text: str) -> array[float]:
    """Read an embedding from a result row as an array of floats.

    Raises ValueError when the text is no base64 of float32 numbers.
    """
    return _read(b64decode(text, validate=True))


def encode_embedding(values: list[float]) -> str:
    """Write floats as base64, for servers that give numbers only. Raises TypeError, ValueError or OverflowError."""
    vector = array("f", values)
    if sys.byteorder == "big":
        vector.byteswap()
    return b64encode(vector.tobytes()).decode()


def averaged(texts: Sequence[str], weights: Sequence[float]) -> str:
    """Give the weighted average of vectors, brought to length 1, as base64; zeros stay zeros.

    As OpenAI does it with the chunks of a long text:
    https://cookbook.openai.com/examples/embedding_long_inputs. RecordError when their lengths differ.
    """
    vectors = [decode_embedding(text) for text in texts]
    if len({len(vector) for vector in vectors}) > 1:
        raise RecordError("bad_answer", "the embeddings of an input's chunks have different lengths")
    sums = [0.0] * len(vectors[0])
    for vector, weight in zip(vectors, weights, strict=True):
        sums = [so_far + weight * number for so_far, number in zip(sums, vector, strict=True)]
    length = math.hypot(*sums) or 1.0
    return encode_embedding([number / length for number in sums])


def checked_vector(value: Any, length: int | None = None) -> str:
    """Give the vector as base64, whichever form the server chose; RecordError when it is none, or not finite.

    :param length: how many numbers it must have; None takes any.
    """
    try:
        text = value if isinstance(value, str) else encode_embedding(value)
        content = b64decode(text, validate=True)
    except (ValueError, TypeError, OverflowError, Base64Error) as error:
        raise RecordError("bad_answer", f"the embedding can't be read: {error}") from None
    if len(content) % FLOAT_BYTES:
        raise RecordError("bad_answer", f"the embedding can't be read: {len(content)} bytes are no whole floats")
    if not content or not _is_finite(content):
        raise RecordError("bad_answer", "the embedding is empty or has numbers that are not finite")
    if length is not None and len(content) != length * FLOAT_BYTES:
        numbers = len(content) // FLOAT_BYTES
        raise RecordError("bad_answer", f"the embedding has {numbers} numbers, and {length} were asked for")
    return text


FLOAT_BYTES = 4


def _is_finite(content: bytes) -> bool:
    """Look at the bytes with the highest bits of the exponents: only where one is all ones, at the numbers."""
    exponents = content[FLOAT_BYTES - 1 :: FLOAT_BYTES]
    if b"\x7f" not in exponents and b"\xff" not in exponents:
        return True
    return all(map(math.isfinite, _read(content)))


def _read(content: bytes) -> array[float]:
    vector = array("f")
    vector.frombytes(content)
    if sys.byteorder == "big":
        vector.byteswap()
    return vector
