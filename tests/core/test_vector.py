"""An embedding as base64 of little-endian float32."""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.answers.vector import checked_vector, decode_embedding, encode_embedding
from airflow_provider_openai_dest.exceptions import RecordError


def packed(*numbers: float) -> str:
    """Give numbers as the API sends them."""
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


NO_VECTORS = {
    "nothing": None,
    "an empty text": "",
    "an empty list": [],
    "no base64": "§§§§",
    "half a float": b64encode(b"\0\0\0").decode(),
    "NaN": packed(0.5, float("nan")),
    "infinity": packed(float("inf")),
    "two infinities": packed(float("inf"), float("-inf")),
    "a text in the list": [0.5, "0.5"],
    "a list in the list": [[0.5]],
    "null in the list": [None],
    "too large for a float32": [1e300],
    "an object": {"0": 0.5},
    "a number": 0.5,
}


@pytest.mark.parametrize(
    "given_as", [packed(0.5, -2.0), [0.5, -2.0], [0.5, -2]], ids=["base64", "floats", "an integer"]
)
def test_a_vector_is_kept_as_base64(given_as: Any) -> None:
    """Whichever form the server chose."""
    assert packed(0.5, -2.0) == checked_vector(given_as)


@pytest.mark.parametrize("case", NO_VECTORS)
def test_what_is_no_vector_rejects_the_record(case: str) -> None:
    """An embedding with NaN would spoil every search that meets it."""
    with pytest.raises(RecordError, match="embedding") as raised:
        checked_vector(NO_VECTORS[case])
    assert raised.value.code == "bad_answer"


@pytest.mark.parametrize("number", [3.4028234663852886e38, -3.4028234663852886e38, 1e38, 1e-45, -0.0])
def test_the_largest_and_smallest_numbers_are_finite(number: float) -> None:
    """Their first byte is that of infinity."""
    assert packed(0.5, number) == checked_vector(packed(0.5, number))


@given(st.lists(st.floats(width=32)))
def test_a_vector_is_kept_if_and_only_if_every_number_is_finite(numbers: list[float]) -> None:
    """Wherever the one that is not stands."""
    try:
        text = checked_vector(packed(*numbers))
    except RecordError:
        assert not numbers or not all(map(math.isfinite, numbers))
    else:
        assert all(map(math.isfinite, numbers))
        assert packed(*numbers) == text


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_a_vector_comes_back_as_it_went(numbers: list[float]) -> None:
    """Not a bit of it changes."""
    assert numbers == list(decode_embedding(encode_embedding(numbers)))


@given(
    st.text()
    | st.lists(st.one_of(st.floats(), st.integers(), st.none(), st.booleans()))
    | st.dictionaries(st.text(), st.none())
)
def test_no_answer_breaks_the_check(value: Any) -> None:
    """It is a vector that can be read, or a rejection."""
    try:
        text = checked_vector(value)
    except RecordError:
        return
    assert len(decode_embedding(text)) > 0
