"""Which keys a source has given."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.sources.hash_index import FULLEST, SMALLEST
from airflow_provider_openai_dest.sources.seen_keys import SeenKeys


def test_a_new_key_takes_the_next_position() -> None:
    """And says nothing."""
    seen = SeenKeys()
    assert [None, None, None] == [seen.claim(key) for key in "abc"]


def test_an_equal_key_is_told_by_the_position_that_has_it() -> None:
    """And takes none, so that the positions stay those of the records."""
    seen = SeenKeys()
    assert [None, None, 1, 0, 1, None, 2] == [seen.claim(key) for key in ["a", "b", "b", "a", "b", "c", "c"]]


def test_no_key_is_forgotten_while_the_table_grows() -> None:
    """At each size: just before it grows, at it, and after."""
    seen, count = SeenKeys(), int(4 * SMALLEST * FULLEST) + 2
    assert {None} == {seen.claim(f"key {number}") for number in range(count)}
    assert list(range(count)) == [seen.claim(f"key {number}") for number in range(count)]


@given(st.lists(st.text(max_size=3) | st.sampled_from(["a", "\ud800", "\0", "é", "e\u0301"]), max_size=60))
def test_it_tells_what_a_dict_would_tell(keys: list[str]) -> None:
    """Whatever the keys."""
    seen, known = SeenKeys(), dict[str, int]()
    for key in keys:
        assert known.get(key) == seen.claim(key)
        known.setdefault(key, len(known))


def test_a_long_key_takes_no_more_memory_than_a_short_one() -> None:
    """8 bytes of a hash and the table's places, whose copy is there while it grows."""
    count = 5_000
    keys = (f"{'long ' * 50}{number}" for number in range(count))
    seen = SeenKeys()
    tracemalloc.start()
    try:
        for key in keys:
            seen.claim(key)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (True, True) == (held < 24 * count, peak < 48 * count)
