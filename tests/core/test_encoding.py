"""Tests of values written as JSON and within texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.rendering.encoding import as_text, encode_json, encode_text
from tests.core.json_values import CARRIED, REFUSED, few_examples, json_values, nested, python_values


@pytest.mark.parametrize(("value", "text"), CARRIED.values(), ids=list(CARRIED))
def test_a_value_is_written_exactly(value: Any, text: str) -> None:
    """JSON is compact UTF-8; dates, times, Decimal and UUID are texts."""
    assert text.encode() == encode_json(value)


@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_json_is_refused(value: Any) -> None:
    """What JSON can't carry exactly is a RecordError, and nothing else."""
    with pytest.raises(RecordError) as caught:
        encode_json(value)

    assert caught.value.code == "unserializable"


@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_a_refusal_can_be_written_itself(value: Any) -> None:
    """The row of a refusal is JSON and short, whatever was refused."""
    with pytest.raises(RecordError) as caught:
        encode_json(value)

    assert len(encode_json(caught.value.as_row())) < 300


def test_a_refusal_does_not_quote_the_value() -> None:
    """A message never holds the value, which may be a secret."""
    with pytest.raises(RecordError) as caught:
        encode_json({"secret": "a\ud800b"})

    assert caught.value.message == "the value can't be written as JSON: lone surrogate U+D800"


def test_nesting_of_a_thousand_is_carried_or_refused() -> None:
    """Deep nesting, whatever this Python can write, is exact or a RecordError."""
    value = nested(1000)
    try:
        written = encode_json(value)
    except RecordError:
        return
    assert written == b"[" * 1000 + b"]" * 1000


def test_ten_megabytes_are_carried() -> None:
    """A text of 10 MB is written whole."""
    text = "ü" * 5_000_000

    assert f'"{text}"'.encode() == encode_json(text)


@few_examples
@given(json_values)
def test_json_is_read_back_as_it_was(value: Any) -> None:
    """Every JSON value is the same when it is read again: types, order and signs too."""
    assert repr(value) == repr(json.loads(encode_json(value)))


@few_examples
@given(python_values)
def test_any_value_is_carried_or_refused(value: Any) -> None:
    """A Python value is UTF-8 JSON or a RecordError, never another error."""
    try:
        written = encode_json(value)
    except RecordError:
        return
    json.loads(written.decode())


@pytest.mark.parametrize(("value", "text"), CARRIED.values(), ids=list(CARRIED))
def test_within_a_text_texts_have_no_quotes(value: Any, text: str) -> None:
    """Within a longer text, texts and dates stand as they are and the rest as the same JSON."""
    is_text = text.startswith('"')

    assert as_text(value) == (json.loads(text) if is_text else text)


@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_json_is_no_text_either(value: Any) -> None:
    """A value that JSON can't carry is refused within a text too, at the latest when the text is written."""
    with pytest.raises(RecordError, match="unserializable"):
        encode_text(as_text([value]))


@few_examples
@given(json_values)
def test_a_value_within_a_text_is_a_text_or_json(value: Any) -> None:
    """A text is given as the same object, everything else as encode_json writes it."""
    text = as_text(value)

    assert text is value if isinstance(value, str) else text.encode() == encode_json(value)


def test_a_text_with_a_lone_surrogate_is_refused() -> None:
    """A text that UTF-8 does not have is a RecordError."""
    with pytest.raises(RecordError, match=r"lone surrogate U\+DFFF"):
        encode_text("a\udfff")
