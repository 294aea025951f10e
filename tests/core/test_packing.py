"""Tests of several records in one request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.endpoints.template import Packing
from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.packing import OPEN_PACKS, Packer, halves, own_values, packed_body
from airflow_provider_openai_dest.rendering.request import Member, Pack
from airflow_provider_openai_dest.rendering.tokens import estimate_tokens
from tests.core.json_values import few_examples
from tests.core.rendering_parts import records

PACKING = Packing(request_field="input", response_items="data", max_records=4, max_tokens=10)

Body = dict[str, Any]


def _packed(bodies: Sequence[Body], packing: Packing = PACKING) -> list[Pack]:
    packer = Packer(packing)
    packs: list[Pack] = []
    for record, body in zip(records(*bodies), bodies, strict=True):
        packs += packer.add(record, body)
    return [*packs, *packer.close()]


def _keys(packs: Sequence[Pack]) -> list[list[str]]:
    return [[member.record.key for member in pack.members] for pack in packs]


def _bodies(*values: Any, **rest: Any) -> list[Body]:
    return [{"input": value, **rest} for value in values]


def test_records_share_a_request() -> None:
    """Records of equal other fields go in one body, their values in one list."""
    (pack,) = _packed(_bodies("a", "b", "c", model="m"))

    assert packed_body(pack, PACKING) == {"model": "m", "input": ["a", "b", "c"]}


def test_a_list_of_values_is_spread() -> None:
    """A record that gives a list brings each of its values, and is known to have given a list."""
    (pack,) = _packed(_bodies(["a", "b"], "c", ["d"]))

    assert packed_body(pack, PACKING)["input"] == ["a", "b", "c", "d"]
    assert [member.is_list for member in pack.members] == [True, False, True]


def test_a_list_of_tokens_is_one_value() -> None:
    """A list of numbers is one input, a list of such lists are several."""
    (pack,) = _packed(_bodies([1, 2], [[3], [4]]))

    assert packed_body(pack, PACKING)["input"] == [[1, 2], [3], [4]]
    assert [member.is_list for member in pack.members] == [False, True]


def test_texts_and_tokens_never_share_a_request() -> None:
    """The API takes a list of texts or a list of token lists, so they go apart."""
    packs = _packed(_bodies("a", [1], "b", [[2]]))

    assert _keys(packs) == [["0", "2"], ["1", "3"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"model": "a"}, {"model": "b"}),
        ({"dimensions": 1}, {"dimensions": True}),
        ({"user": "1"}, {"user": 1}),
        ({"a": None}, {}),
    ],
)
def test_other_fields_part_records(one: Body, other: Body) -> None:
    """Records whose other fields differ in any way never share a request."""
    packs = _packed([{"input": "a", **one}, {"input": "b", **other}, {"input": "c", **one}])

    assert _keys(packs) == [["0", "2"], ["1"]]


def test_the_number_of_values_is_kept() -> None:
    """A pack holds at most ``max_records`` values."""
    assert _keys(_packed(_bodies(*"abcdef"))) == [["0", "1", "2", "3"], ["4", "5"]]
    assert _keys(_packed(_bodies(["a", "b", "c"], ["d", "e"], "f"))) == [["0"], ["1", "2"]]


def test_the_number_of_tokens_is_kept() -> None:
    """A pack holds at most ``max_tokens``; a record above that goes alone."""
    packs = _packed(_bodies([1] * 6, [1] * 4, [1], [1] * 11, [1]))

    assert _keys(packs) == [["0", "1"], ["2"], ["3"], ["4"]]


def test_only_so_many_packs_are_open() -> None:
    """When records differ in their other fields, the oldest pack is closed and nothing piles up."""
    bodies = [{"input": "a", "user": str(number)} for number in range(OPEN_PACKS + 1)]
    packer = Packer(PACKING)

    closed = [[*packer.add(record, body)] for record, body in zip(records(*bodies), bodies, strict=True)]

    assert [len(packs) for packs in closed] == [0] * OPEN_PACKS + [1]
    assert _keys(closed[-1]) == [["0"]]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "empty_input"),
        ("", "empty_input"),
        (["a", ""], "empty_input"),
        ([[]], "empty_input"),
        (["a"] * 5, "too_many_inputs"),
        (1, "invalid_input"),
        (None, "invalid_input"),
        (True, "invalid_input"),
        ({}, "invalid_input"),
        ({"text": "a"}, "invalid_input"),
        ([1.5], "invalid_input"),
        ([True], "invalid_input"),
        ([-1], "invalid_input"),
        ([1 << 32], "invalid_input"),
        ([None], "invalid_input"),
        ([["a"]], "invalid_input"),
        ([[[1]]], "invalid_input"),
        (["a", [1]], "invalid_input"),
        ([1, "a"], "invalid_input"),
        ("a\ud800", "invalid_input"),
        (["a", "\udfff"], "invalid_input"),
        (b"a", "invalid_input"),
    ],
)
def test_what_the_api_refuses_for_certain_spoils_no_pack(value: Any, code: str) -> None:
    """An input that can't be embedded rejects its record before it is packed, and blames the field."""
    with pytest.raises(RecordError) as caught:
        own_values(value, PACKING)

    assert (caught.value.code, caught.value.param) == (code, "input")


def test_a_refused_record_leaves_the_packs_as_they_were() -> None:
    """A record that can't be packed changes nothing for the others."""
    packer = Packer(PACKING)
    good, bad, worse, last = records(*"abcd")
    assert not [*packer.add(good, {"input": "a"})]
    with pytest.raises(RecordError):
        [*packer.add(bad, {"input": ""})]
    with pytest.raises(RecordError):
        [*packer.add(worse, {"input": "a", "user": float("nan")})]
    assert not [*packer.add(last, {"input": "b"})]

    assert _keys([*packer.close()]) == [["0", "3"]]


@pytest.mark.parametrize(
    ("value", "tokens"),
    [("a", 1), ("abc", 1), ("abcd", 2), ("a" * 300, 100), ("日", 1), ("日本", 2), ("ü" * 3, 2), ([7] * 9, 9)],
)
def test_tokens_are_estimated(value: Any, tokens: int) -> None:
    """A text counts a token for each three bytes, a list of tokens is exact."""
    assert tokens == estimate_tokens(value)


values = st.text("aü日", min_size=1, max_size=40) | st.lists(st.integers(0, 9), min_size=1, max_size=14)
inputs = values | st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=4)
some_bodies = st.lists(st.fixed_dictionaries({"input": inputs, "model": st.sampled_from("mn")}), max_size=12)


@few_examples
@given(some_bodies)
def test_every_record_is_in_exactly_one_pack(bodies: list[Body]) -> None:
    """No record is lost and none goes twice."""
    packs = _packed(bodies)

    assert sorted(str(place) for place in range(len(bodies))) == sorted(key for keys in _keys(packs) for key in keys)


@few_examples
@given(some_bodies)
def test_no_pack_is_above_the_limits(bodies: list[Body]) -> None:
    """Limits of values and tokens hold for each pack, but for tokens when a record is alone."""
    for pack in _packed(bodies):
        assert pack.members
        assert sum(len(member.values) for member in pack.members) <= PACKING.max_records
        assert len(pack.members) == 1 or sum(member.tokens for member in pack.members) <= PACKING.max_tokens


@few_examples
@given(some_bodies)
def test_records_keep_their_order(bodies: list[Body]) -> None:
    """Within a pack, and from one pack to the next of the same fields, records come in the order of the source."""
    by_fields: dict[Any, list[int]] = {}
    for pack in _packed(bodies):
        fields = (pack.rest["model"], isinstance(pack.members[0].values[0], str))
        by_fields.setdefault(fields, []).extend(int(member.record.key) for member in pack.members)

    assert all(positions == sorted(positions) for positions in by_fields.values())


@few_examples
@given(some_bodies)
def test_a_pack_says_what_its_records_said(bodies: list[Body]) -> None:
    """The values of a pack are those of its records, and its other fields are theirs."""
    for pack in _packed(bodies):
        body = packed_body(pack, PACKING)
        sent = iter(body.pop("input"))
        for member in pack.members:
            given_body = bodies[int(member.record.key)]
            own = [next(sent) for _ in member.values]
            assert given_body["input"] == (own if member.is_list else own[0])
            assert body == {"model": given_body["model"]}


@few_examples
@given(st.integers(2, 100))
def test_halving_ends_with_single_records(count: int) -> None:
    """Halving again and again gives each record alone, in order, in at most twice as many steps as there are."""

    def singles(pack: Pack) -> Iterator[Pack]:
        if len(pack.members) == 1:
            yield pack
        else:
            for half in halves(pack):
                assert half.rest is pack.rest
                assert 0 < len(half.members) < len(pack.members)
                yield from singles(half)

    members = tuple(Member(record=record, values=("a",), tokens=1) for record in records(*range(count)))

    assert _keys([*singles(Pack(rest={}, members=members))]) == [[str(place)] for place in range(count)]
