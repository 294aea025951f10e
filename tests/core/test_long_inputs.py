"""Inputs above the limit: rejected, cut off, or cut into chunks of which no token is lost."""

from __future__ import annotations

import math
import tracemalloc
from array import array
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.answers.vector import averaged, decode_embedding, encode_embedding
from airflow_provider_openai_dest.endpoints.template import Packing
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering import long_inputs
from airflow_provider_openai_dest.rendering.long_inputs import (
    NO_LIMIT,
    LongInputs,
    windows_of_text,
    windows_of_tokens,
)
from airflow_provider_openai_dest.rendering.packing import Packer, packed_body
from airflow_provider_openai_dest.rendering.portions import Chunk, take
from airflow_provider_openai_dest.rendering.request import Member, Pack
from airflow_provider_openai_dest.rendering.tokens import count_tokens, estimate_tokens
from tests.core.json_values import few_examples
from tests.core.rendering_parts import records
from tests.core.tiny_vocabulary import TINY, known_as

PACKING = Packing(
    request_field="input",
    response_items="data",
    max_records=8,
    max_tokens=20,
    max_value_tokens={"limited": 10},
)
CHUNKS = LongInputs(rule="chunk", chunk_tokens=4, chunk_overlap=1, encoding_name="tiny")
TRUNCATED = LongInputs(rule="truncate", encoding_name="tiny")


@pytest.fixture(autouse=True)
def tiny() -> Iterator[None]:
    """Let the vocabulary be found."""
    with known_as("tiny"):
        yield


def packed(rule: LongInputs | None, *values: Any, model: str = "limited") -> list[Pack]:
    packer = Packer(PACKING, long_inputs=rule)
    packs: list[Pack] = []
    for record, value in zip(records(*values), values, strict=True):
        packs += packer.add(record, {"model": model, "input": value})
    return [*packs, *packer.close()]


def members(rule: LongInputs | None, *values: Any) -> list[Member]:
    return [member for pack in packed(rule, *values) for member in pack.members]


# -- windows -----------------------------------------------------------------------------------------

sizes = st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))
any_text = st.text("ab é日😀\n", min_size=1, max_size=60)


@few_examples
@given(any_text, sizes)
def test_every_token_of_a_text_is_in_a_chunk(text: str, size: tuple[int, int]) -> None:
    """In order, none twice but for the overlap, and no chunk has more than its size."""
    most, overlap = size
    windows = [tokens for tokens, _, _ in windows_of_text(text, TINY, most, overlap)]
    assert TINY.encode_ordinary(text) == [*windows[0], *(token for one in windows[1:] for token in one[overlap:])]
    assert {most} >= {len(one) for one in windows[:-1]}
    assert 1 <= len(windows[-1]) <= most
    assert all(one[most - overlap :] == other[:overlap] for one, other in pairwise(windows))


@few_examples
@given(any_text, sizes)
def test_the_characters_of_a_chunk_are_told(text: str, size: tuple[int, int]) -> None:
    """They hold all its bytes, a cut character belongs to both, and together they are the text."""
    windows = [*windows_of_text(text, TINY, *size)]
    for tokens, start, end in windows:
        content = text[start:end].encode()
        assert TINY.decode_bytes(tokens) in content
        assert len(content) - len(TINY.decode_bytes(tokens)) <= 6
    places = [(start, end) for _, start, end in windows]
    assert (0, len(text)) == (places[0][0], places[-1][1])
    assert all(start <= end for (_, end), (start, _) in pairwise(places))


@few_examples
@given(st.text("abé ", min_size=1, max_size=60), sizes)
def test_a_long_text_is_encoded_in_pieces(text: str, size: tuple[int, int]) -> None:
    """Each token still stands for its bytes: nothing is lost between two pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_inputs, "PIECE_CHARACTERS", 7)
        windows = [*windows_of_text(text, TINY, *size)]
    tokens = [*windows[0][0], *(token for window, _, _ in windows[1:] for token in window[size[1] :])]
    assert text.encode() == TINY.decode_bytes(tokens)
    assert len(text) == windows[-1][2]


@few_examples
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), sizes)
def test_every_token_of_a_list_is_in_a_chunk(tokens: list[int], size: tuple[int, int]) -> None:
    """Its places are those in the list."""
    windows = [*windows_of_tokens(tokens, *size)]
    assert all(window == tokens[start:end] and 0 < len(window) <= size[0] for window, start, end in windows)
    assert (0, len(tokens)) == (windows[0][1], windows[-1][2])
    assert all(other[1] == one[2] - size[1] for one, other in pairwise(windows))


def test_a_text_is_cut_as_its_chunks_are_asked_for() -> None:
    """A text of 4 MB takes no memory but that of its present piece and chunk."""
    text = "ab " * 1_400_000
    tracemalloc.start()
    for _ in islice(windows_of_text(text, TINY, 8192, 100), 20):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


# -- averages ----------------------------------------------------------------------------------------

numbers = st.floats(-1, 1, width=32)
pairs = st.integers(1, 8).flatmap(
    lambda length: st.lists(
        st.tuples(st.lists(numbers, min_size=length, max_size=length), st.integers(1, 8192)), min_size=1, max_size=9
    )
)


@few_examples
@given(pairs)
def test_an_average_is_weighted_and_of_length_one(given_pairs: list[tuple[list[float], int]]) -> None:
    """Within 1e-6 of the plain computation."""
    vectors, weights = zip(*given_pairs, strict=True)
    sums = [math.fsum(w * v[place] for v, w in given_pairs) / sum(weights) for place in range(len(vectors[0]))]
    length = math.sqrt(math.fsum(number * number for number in sums))
    found = decode_embedding(averaged([encode_embedding(vector) for vector in vectors], weights))
    if length > 1e-6:
        assert found == pytest.approx([number / length for number in sums], abs=1e-6)
        assert math.isclose(1.0, math.hypot(*found), rel_tol=1e-6)


def test_chunks_of_several_lengths_have_no_average() -> None:
    """The server has mixed two models."""
    with pytest.raises(RecordError, match="different lengths"):
        averaged([encode_embedding([1.0]), encode_embedding([1.0, 2.0])], [1, 1])


# -- what becomes of them ----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [None, CHUNKS, TRUNCATED])
def test_what_is_short_stays_as_it_is(rule: LongInputs | None) -> None:
    """A text, a list of texts above the limit together only, tokens."""
    values = ["abab", ["abab"] * 5, [1, 2, 3, 4]]
    assert [("abab",), ["abab"] * 5, ([1, 2, 3, 4],)] == [member.values for member in members(rule, *values)]
    assert {None} == {member.portions for member in members(rule, *values)}


def test_a_long_input_is_rejected_before_it_is_sent() -> None:
    """When its tokens are known for certain, by a vocabulary or since they are tokens; a pack is not spoilt by it."""
    with pytest.raises(RecordError, match="11 tokens and the model takes 10") as caught:
        packed(None, [7] * 11)
    assert "input_too_long" == caught.value.code


def test_what_is_only_estimated_is_left_to_the_api() -> None:
    """As is a model whose limit nobody knows."""
    values = ["x" * 100]
    assert LongInputs().cut(values, "limited", estimate_tokens, 10) is None
    with pytest.raises(RecordError, match="100 tokens"):
        LongInputs().cut(values, "limited", lambda value: count_tokens(TINY, value), 10)
    assert NO_LIMIT == LongInputs().limit("other", PACKING.max_value_tokens)
    assert [1] == [len(pack.members) for pack in packed(None, [7] * 11, model="other")]


@pytest.mark.parametrize(
    ("rule", "model", "limit"),
    [
        (LongInputs(), "limited-1", 10),
        (TRUNCATED, "limited-1", 10),
        (TRUNCATED, "other", 8192),
        (CHUNKS, "limited-1", 4),
        (LongInputs(rule="chunk"), "limited-1", 10),
        (LongInputs(rule="chunk"), "other", 8192),
    ],
)
def test_the_limit_is_that_of_the_model_or_of_a_chunk(rule: LongInputs, model: str, limit: int) -> None:
    """Chunks are never above the model's own."""
    assert limit == rule.limit(model, PACKING.max_value_tokens)


def test_a_truncated_input_is_its_beginning() -> None:
    """The record still has one input, as tokens, and its end is told."""
    (member,) = members(TRUNCATED, "ab" + "x" * 20)
    assert [array("I", [256, *[ord("x")] * 9])] == [*member.values]
    assert (10, False) == (member.tokens, member.is_list)
    assert member.portions
    assert [(0, 0, 11, 10)] == [tuple(span) for span in member.portions.spans]


def test_the_chunks_of_a_record_share_a_request_with_others() -> None:
    """As lists of tokens, beside such lists of other records; texts go apart."""
    packs = packed(CHUNKS, "abcdefg", [1, 2], "ab")
    bodies = [packed_body(pack, PACKING)["input"] for pack in packs]
    assert sorted([[[256, 99, 100, 101], [101, 102, 103], [1, 2]], ["ab"]], key=str) == sorted(bodies, key=str)


def test_a_list_with_a_long_text_is_cut_as_a_whole() -> None:
    """Each chunk says which text it is of."""
    (member,) = members(CHUNKS, ["abab", "abcdefg"])
    assert member.portions
    assert [(0, 0, 4), (1, 0, 5), (1, 4, 7)] == [tuple(span)[:3] for span in member.portions.spans]
    assert (True, True) == (member.is_list, member.portions.names_input)


def test_what_does_not_go_in_one_request_goes_on_in_the_next() -> None:
    """The first is a pack of its own, full by the limits, and the rest follows."""
    first, other = packed(CHUNKS, "x" * 100, [1])
    assert (5, 20, True) == (len(first.members[0].values), first.members[0].tokens, first.is_portion)
    assert (["1"], False) == ([member.record.key for member in other.members], other.is_portion)


@few_examples
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 40))
def test_chunks_are_helped_out_within_the_limits(tokens: list[int], max_values: int, max_tokens: int) -> None:
    """Each goes once, in order; no helping is above the limits unless it is a single chunk."""
    later: Iterator[Chunk] | None = iter([Chunk(place, count) for place, count in enumerate(tokens)])
    seen: list[int] = []
    while later is not None:
        helping, later = take(later, max_values=max_values, max_tokens=max_tokens)
        seen += [chunk.value for chunk in helping.chunks]
        assert 1 <= len(helping.chunks) <= max_values
        assert helping.tokens <= max_tokens or len(helping.chunks) == 1
    assert [*range(len(tokens))] == seen
