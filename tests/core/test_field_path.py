"""Tests of the way into a JSON value."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.sources.field_path import FieldPath, FieldPathError, others

READABLE: Mapping[str, tuple[str | int, ...]] = {
    "sku": ("sku",),
    "a.b[0]": ("a", "b", 0),
    "[0]": (0,),
    "a[-1].b": ("a", -1, "b"),
    'a["any name"].b': ("a", "any name", "b"),
    '["a.b"]': ("a.b",),
    "x-ratelimit-reset": ("x-ratelimit-reset",),
    "größe": ("größe",),
    "a[0][1]": ("a", 0, 1),
}

UNREADABLE: Mapping[str, int] = {
    "": 0,
    ".a": 0,
    "a.": 1,
    "a..b": 1,
    "a b": 1,
    "a.1": 1,
    "1a": 0,
    "a.[0]": 1,
    'a.["b"]': 1,
    "a[0]b": 4,
    "a[]": 1,
    "a[x]": 1,
    "a['b']": 1,
    'a[""]': 1,
    "a[1234567890]": 1,
    "a[٣]": 1,
    "a-": 1,
    "{{ a }}": 0,
    "a.__class__()": 11,
}

DATA = {"a": {"b": [10, {"c": None}]}, "d e": 1, "pair": (1, 2), "text": "abc", "none": None}


@pytest.mark.parametrize(("text", "steps"), READABLE.items())
def test_a_path_is_read_into_its_steps(text: str, steps: tuple[str | int, ...]) -> None:
    """A dotted path with list places and quoted names is read step by step, and written the same way again."""
    path = FieldPath.parse(text)

    assert steps == path.steps
    assert text == str(path)


@pytest.mark.parametrize(("text", "column"), UNREADABLE.items())
def test_a_path_that_can_not_be_read_names_the_column(text: str, column: int) -> None:
    """What is no path is refused with the column of the fault."""
    with pytest.raises(FieldPathError) as caught:
        FieldPath.parse(text)

    assert (text, column) == (caught.value.text, caught.value.column)
    assert f"column {column}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b[0]", 10),
        ("a.b[-2]", 10),
        ("a.b[1].c", None),
        ('["d e"]', 1),
        ("pair[1]", 2),
        ("a", DATA["a"]),
        ("none", None),
    ],
)
def test_a_value_is_found_with_its_type(text: str, value: Any) -> None:
    """The value at the end of the path is given as it is, null too."""
    assert value == FieldPath.parse(text).find(DATA)


@pytest.mark.parametrize("text", ["x", "a.x", "a.b[2]", "a.b[-3]", "a[0]", "text[0]", "text.x", "none.x", "a.b.c"])
def test_a_missing_step_is_a_lookup_error(text: str) -> None:
    """A field or place that isn't there is a LookupError; text is no list, and attributes are never looked at."""
    with pytest.raises(LookupError):
        FieldPath.parse(text).find(DATA)


def test_the_fault_survives_pickling() -> None:
    """A FieldPathError that crosses a process says the same."""
    fault = FieldPathError("a b", 1)

    assert str(fault) == str(pickle.loads(pickle.dumps(fault)))  # noqa: S301 - our own bytes


names = st.text(st.characters(exclude_characters='"\\'), min_size=1, max_size=12)
places = st.integers(-999_999_999, 999_999_999)


@given(st.lists(names | places | st.sampled_from([".a", "[0]", "[a", "a.b", "-1"]), min_size=1))
def test_every_path_is_read_back_as_it_was_written(steps: list[str | int]) -> None:
    """Whatever its names hold, a path that is written as text is the same path when it is read again."""
    path = FieldPath(tuple(steps))

    assert path == FieldPath.parse(str(path))


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is either a path or a FieldPathError."""
    try:
        path = FieldPath.parse(text)
    except FieldPathError as fault:
        assert 0 <= fault.column <= len(text)
    else:
        assert path.steps


# a record, a path that it lacks, and what is said of it
LACKING: dict[str, tuple[Any, str, str]] = {
    "another case": ({"text": 1, "id": 2}, "Text", "; did you mean 'text'?"),
    "nothing near": ({"text": 1, "id": 2}, "ID", "; known are: id, text"),
    "below": ({"a": {"name": 1}}, "a.nam", "; did you mean 'name'?"),
    "no object": ({"a": "text"}, "a.b", ""),
    "empty": ({}, "a", ""),
    "many": (
        {f"{number:03}": 1 for number in range(500)},
        "q",
        f"; known are: {', '.join(f'{n:03}' for n in range(20))}",
    ),
    "long": ({"z" * 500: 1}, "q", f"; known are: {'z' * 60}"),
}


@pytest.mark.parametrize("case", LACKING)
def test_a_missing_field_names_its_neighbours(case: str) -> None:
    """The nearest names, or the first of them; never a value."""
    record, path, said = LACKING[case]
    with pytest.raises(LookupError) as raised:
        FieldPath.parse(path).find(record)
    assert said == others(raised.value)
