"""Tests of ``{message.field}`` in a text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import InvalidTemplateError, RecordError
from airflow_provider_openai_dest.rendering.encoding import as_text
from airflow_provider_openai_dest.rendering.placeholders import parse_text
from tests.core.json_values import STRANGE_TEXTS, few_examples, json_values, texts

DATA: dict[str, Any] = {
    "title": "Shoe",
    "n": 7,
    "price": 1.5,
    "none": None,
    "yes": True,
    "tags": ["a", {"b": "ü"}],
    "a": {"b": [10, 20]},
    "any name": "x",
    "a}b": "brace",
    "json": "a field of that name",
    "{message.n}": "odd",
}

# A template, and what it becomes for DATA.
FILLED = {
    "": "",
    "no placeholder": "no placeholder",
    "{message.title}": "Shoe",
    "{record.title}": "Shoe",
    "{message.title}: {message.n}, {record.price}": "Shoe: 7, 1.5",
    "{message.title}{message.title}": "ShoeShoe",
    "{message.none} {message.yes}": "null true",
    "tags {message.tags}": 'tags ["a",{"b":"ü"}]',
    "{message.a.b[0]} {message.a.b[-1]}": "10 20",
    '{message["any name"]} {message.a["b"]}': "x [10,20]",
    '{message["a}b"]}': "brace",
    '{message["{message.n}"]}': "odd",
    '{message["json"]}': "a field of that name",
    "{{message.n}}": "{7}",
    "{x} {} { message.n } {x.n} {recorded} {messages} {message-x}": (
        "{x} {} { message.n } {x.n} {recorded} {messages} {message-x}"
    ),
    r"\{messages.n} \{x.n}": r"{messages.n} \{x.n}",
    r"\{message.n} {message.n}": "{message.n} 7",
    r"\{message.n\{message.n}": "{message.n{message.n}",
    r"\\{message.n}": r"\{message.n}",
    r"\n \{x} \ ": r"\n \{x} \ ",
    '{"message": 1, "record": {}}': '{"message": 1, "record": {}}',
}

# A template that can't be read, and the column that is named.
UNREADABLE = {
    "{message.title": 0,
    "ab {message": 3,
    "{message.title {message.n}": 0,
    "{message.}": 0,
    "{message..n}": 0,
    "{message.a.b[}": 0,
    "{message.[0]}": 0,
    "{message .n}": 0,
    "{message.n | upper}": 0,
    "{message.n + 1}": 0,
    "{message.n()}": 0,
    "{message[n]}": 0,
    '{message["n}': 0,
    "{message.n} {record.1}": 12,
    r"\{message.n} {message.}": 13,
}


@pytest.mark.parametrize(("template", "text"), FILLED.items())
def test_placeholders_are_filled(template: str, text: str) -> None:
    """Every placeholder is replaced by its value, and no other brace, backslash or dollar sign means anything."""
    assert text == parse_text(template, "body").fill(DATA)


@pytest.mark.parametrize(("template", "column"), UNREADABLE.items())
def test_a_broken_placeholder_is_refused_with_its_place(template: str, column: int) -> None:
    """A placeholder that can't be read is an InvalidTemplateError with place and column, before any record."""
    with pytest.raises(InvalidTemplateError) as caught:
        parse_text(template, "body.input")

    assert str(caught.value).startswith(f"body.input, column {column}: ")


def test_a_long_broken_placeholder_is_shown_in_part() -> None:
    """The message of a template fault stays short."""
    with pytest.raises(InvalidTemplateError) as caught:
        parse_text("{message." + "x y" * 10_000 + "}", "body")

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("template", ["{message.json}", "{message}", "{record.json}", "{record}"])
def test_the_whole_record_is_a_placeholder_too(template: str) -> None:
    """``{message.json}`` and ``{message}`` are the whole record: alone as it is, within a text as JSON."""
    only = parse_text(template, "body").only_placeholder

    assert only is not None
    assert only.find(DATA) is DATA
    assert '<{"a":1}>' == parse_text(f"<{template}>", "body").fill({"a": 1})


@pytest.mark.parametrize("template", ["{message.n}", '{message["any name"]}', "{record.a.b[0]}"])
def test_a_text_that_is_one_placeholder_is_told_from_others(template: str) -> None:
    """Only a text that is exactly one placeholder keeps the value's type."""
    assert parse_text(template, "body").only_placeholder is not None
    assert parse_text(f"{template} ", "body").only_placeholder is None
    assert parse_text(template * 2, "body").only_placeholder is None
    assert parse_text(f"\\{template}", "body").only_placeholder is None


@pytest.mark.parametrize("template", ["{message.x}", "{message.a.x}", "{message.title.x}", "{message.tags[9]}"])
def test_a_missing_field_is_a_lookup_error(template: str) -> None:
    """A field that the record lacks is a LookupError, unless a text stands for it."""
    text = parse_text(f"<{template}>", "body")

    with pytest.raises(LookupError):
        text.fill(DATA)
    assert text.fill(DATA, absent="-") == "<->"


def test_a_value_that_is_no_json_refuses_the_record() -> None:
    """A value that can't be written within a text is a RecordError."""
    with pytest.raises(RecordError, match="unserializable"):
        parse_text("<{message.x}>", "body").fill({"x": float("nan")})


@few_examples
@given(
    st.lists(texts | st.sampled_from(["{message", ".a", "[0]", '["', "}", "\\", "{record", ".json", " "])).map("".join)
)
def test_no_template_breaks_the_reader(template: str) -> None:
    """Any text is either read or an InvalidTemplateError."""
    try:
        text = parse_text(template, "body")
    except InvalidTemplateError:
        return
    assert text.plain is not None or "{message" in template or "{record" in template


@few_examples
@given(texts.filter(lambda text: "{message" not in text and "{record" not in text))
def test_a_text_without_placeholders_is_unchanged(text: str) -> None:
    """A text in which no placeholder opens is given back byte for byte."""
    assert text == parse_text(text, "body").plain


@few_examples
@given(texts, json_values)
def test_a_value_is_never_read_as_a_template(text: str, value: Any) -> None:
    """Each placeholder is filled once: what a value holds is data, whatever it looks like."""
    template = parse_text("<{message.text}|{message.value}>", "body")

    assert f"<{text}|{as_text(value)}>" == template.fill({"text": text, "value": value})


@pytest.mark.parametrize("value", STRANGE_TEXTS)
def test_a_strange_text_is_filled_byte_for_byte(value: str) -> None:
    """Texts that other template languages would evaluate come out as they went in."""
    assert f"a {value} b" == parse_text("a {message.v} b", "body").fill({"v": value})


@few_examples
@given(st.fixed_dictionaries({}, optional={"a": json_values, "b": json_values}))
def test_any_record_fills_a_template_or_lacks_a_field(data: dict[str, Any]) -> None:
    """Whatever the record holds, filling gives a text or says what is missing."""
    try:
        text = parse_text("{message.a} {message.b[0]} {message.json}", "body").fill(data)
    except LookupError as missing:
        assert missing.args[0] in ("a", "b", 0)
    else:
        assert text.endswith(as_text(data))


@pytest.mark.parametrize(
    ("text", "quoted"), [("a {mesage.n} b", "{mesage.n}"), ('{mesage["a"]}', '{mesage["a"]}'), ("{mesage.n", "{mesage")]
)
def test_a_misspelt_placeholder_is_quoted_whole(text: str, quoted: str) -> None:
    """With its end, where it has one."""
    with pytest.raises(InvalidTemplateError) as caught:
        parse_text(text, "body")
    assert f": {quoted} is no placeholder: " in str(caught.value)
    assert f"Write \\{quoted} where" in str(caught.value)


@pytest.mark.parametrize("text", ["{mesage.n}", "a {messages.n}", "{Message.n}", "{recrod[0]}"])
def test_a_misspelt_root_is_refused_with_the_nearest(text: str) -> None:
    """What looks like a placeholder and is none would be sent as it is, and paid for: it is refused."""
    with pytest.raises(InvalidTemplateError, match=r"did you mean '(message|record)'"):
        parse_text(text, "body")
