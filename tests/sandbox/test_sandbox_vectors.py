"""The sandbox' vectors are honest: similar wordings are near each other."""

from __future__ import annotations

import math
import struct
import time
from array import array
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.sandbox.vectors import embed, packed

DOCSTRINGS = [
    "Waits for a file or folder to land in a filesystem.",
    "Sends an email.",
    "Executes a Bash script, command or set of commands.",
    "Triggers a DAG run for a specified DAG ID.",
    "Waits until the specified time of the day.",
    "Runs a SQL query and checks the result.",
    "Copies objects from a bucket to another.",
    "Waits for a different DAG, task group, or task to complete for a specific logical date.",
]


def nearest(query, dimensions):
    wanted = embed(query, dimensions)
    return max(DOCSTRINGS, key=lambda text: sum(map(mul, wanted, embed(text, dimensions))))


@pytest.mark.parametrize("dimensions", [256, 1536, 3072])
@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("wait until a file appears", 0),
        ("send an email to somebody", 1),
        ("execute a bash command", 2),
        ("start another dag", 3),
        ("copy files between buckets", 6),
    ],
)
def test_a_search_finds_the_docstring_that_is_meant(query, number, dimensions):
    """A search in other words finds the right docstring first."""
    assert DOCSTRINGS[number] == nearest(query, dimensions)


@given(item=st.text() | st.lists(st.integers(0, 200_000), min_size=1), dimensions=st.integers(1, 64))
def test_every_input_has_a_vector_of_length_one(item, dimensions):
    """Any text or list of tokens has a finite vector of length 1, and always the same."""
    vector = embed(item, dimensions)

    assert len(vector) == dimensions
    assert math.isclose(1.0, sum(map(mul, vector, vector)), abs_tol=1e-5)
    assert vector == embed(item, dimensions)


def test_vectors_are_the_same_in_every_process():
    """The hashing doesn't depend on the process, so stored vectors stay comparable."""
    expected = [0.0, 0.634, -0.148, -0.148, 0.0, -0.211, 0.148, 0.698]

    assert expected == [round(value, 3) for value in embed("wait for a file", 8)]


def test_packed_vectors_are_little_endian():
    """The bytes are little-endian float32."""
    assert struct.pack("<2f", 1.5, -2.0) == packed(array("f", [1.5, -2.0]))


def test_two_thousand_docstrings_take_seconds():
    """2,000 texts of 200 to 1,000 characters take well under ten seconds of one core."""
    texts = [" ".join(f"word{number * place % 4999}" for place in range(20 + number % 80)) for number in range(200)]
    started = time.process_time()
    for text in texts:
        embed(text, 1536)

    assert time.process_time() - started < 1.0  # a tenth of the texts in a tenth of the time
