"""Tests of the template of a request's body."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import assume, given

from airflow_provider_openai_dest.exceptions import ConfigurationError, InvalidTemplateError, RecordError
from airflow_provider_openai_dest.rendering.body import MAX_DEPTH, BodyTemplate, Missing
from tests.core.json_values import CARRIED, REFUSED, STRANGE_TEXTS, few_examples, json_objects, json_values, nested

DATA: dict[str, Any] = {"title": "Shoe", "n": 7, "tags": ["a"], "none": None, "any name": "x", "deep": {"yes": True}}

# A body template, and the body that it gives for DATA.
RENDERED: list[tuple[Any, Any]] = [
    ("{message.json}", DATA),
    (" {record} \n", DATA),
    ("{message.tags}", ["a"]),
    ('{"input": "{message.n}"}', {"input": 7}),
    ('{"input": "n is {message.n}"}', {"input": "n is 7"}),
    ('{"input": "{message[\\"any name\\"]}"}', {"input": "x"}),
    ('{"input": "\\\\{message.n}"}', {"input": "{message.n}"}),
    ('["{message.n}", 1, null, true, 1.5]', [7, 1, None, True, 1.5]),
    ('"{message.deep}"', {"yes": True}),
    ('"plain"', "plain"),
    ("12", 12),
    ({"a": [{"b": "{message.none}"}, ("{message.title}", 2)]}, {"a": [{"b": None}, ["Shoe", 2]]}),
    ({"{message.n}": "a name is no template"}, {"{message.n}": "a name is no template"}),
    ({"limit": 2**70, "day": date(2026, 1, 2)}, {"limit": 2**70, "day": date(2026, 1, 2)}),
    (None, None),
    ({}, {}),
    ([], []),
    ("{}", {}),
]

# A body that is no template, and where the fault is.
UNREADABLE: list[tuple[Any, str]] = [
    ("", "body, line 1, column 1: not JSON"),
    ("no JSON", "body, line 1, column 1: not JSON"),
    ('{"a": {message.n}}', "body, line 1, column 8: not JSON"),
    ('{"a": 1,\n "b": }', "body, line 2, column 7: not JSON"),
    ("{message.n} and {message.n}", "body, line 1, column 2: not JSON"),
    ("{message..n}", "body, column 0: can't read the placeholder"),
    ("x {message..n}", "body, column 2: can't read the placeholder"),
    ('{"a": "{message[\\"n\\"]}",}', "body, line 1, column "),
    ("{message.n", "body, column 0: the placeholder '{message.n' has no end"),
    ('{"a": ["{message.b.}"]}', "body.a[0], column 0: can't read the placeholder"),
    ({"a": {"b": [1, "x {message"]}}, "body.a.b[1], column 2: the placeholder '{message' has no end"),
    ('{"a": NaN}', "body.a: the value can't be written as JSON"),
    ('{"a": 1e999}', "body.a: the value can't be written as JSON"),
    ('{"a": "\\ud800"}', "body.a: the value can't be written as JSON: lone surrogate U+D800"),
    ('{"a": ' + "9" * 5000 + "}", "body: can't be read as JSON"),
    ("[" * 100_000, "body: can't be read as JSON"),
    ({"a": b"bytes"}, "body.a: the value can't be written as JSON: a bytes is no JSON value"),
    ({"a": {1: "b"}}, "body.a: the value can't be written as JSON: a field's name must be text, not int"),
    ({1: "a", "1": "b"}, "body: the value can't be written as JSON: a field's name must be text, not int"),
]


@pytest.mark.parametrize(("body", "rendered"), RENDERED)
def test_a_body_is_rendered(body: Any, rendered: Any) -> None:
    """A leaf that is one placeholder keeps the value's type, within a longer text it becomes text."""
    assert rendered == BodyTemplate(body).render(DATA)


@pytest.mark.parametrize(("body", "fault"), UNREADABLE)
def test_a_body_that_is_no_template_is_refused_with_the_place(body: Any, fault: str) -> None:
    """A body that can't be read is an InvalidTemplateError that says where, before any record is read."""
    with pytest.raises(InvalidTemplateError) as caught:
        BodyTemplate(body)

    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize("value", REFUSED.values(), ids=list(REFUSED))
def test_a_template_that_no_request_could_carry_is_refused(value: Any) -> None:
    """What can't be written as JSON is refused in a template when it is read, and not with every record."""
    with pytest.raises(InvalidTemplateError):
        BodyTemplate({"a": [value]})


def test_a_template_may_be_nested_a_hundred_deep() -> None:
    """A template of a hundred levels is rendered; one more is an InvalidTemplateError."""
    deepest, deeper = [*nested(MAX_DEPTH)], nested(MAX_DEPTH + 2)

    assert deepest == BodyTemplate(deepest).render(None)
    with pytest.raises(InvalidTemplateError, match=f"more than {MAX_DEPTH} levels deep"):
        BodyTemplate(deeper)


@pytest.mark.parametrize(
    ("body", "fault"), [("x", "line, line 1"), ("{message.}", "line, column 0"), (["{message"], r"line\[0\]")]
)
def test_a_template_of_something_else_says_its_own_name(body: Any, fault: str) -> None:
    """The template of a file's line says ``line`` where that of a body says ``body``."""
    with pytest.raises(InvalidTemplateError, match=f"^{fault}"):
        BodyTemplate(body, name="line")


def test_the_default_is_the_whole_record() -> None:
    """Without a body the request is the record itself."""
    assert BodyTemplate().render(DATA) is DATA


def test_a_record_may_be_anything() -> None:
    """The whole record may be a text, a number, null or a list."""
    assert ["a", 1, None, [2]] == [BodyTemplate().render(data) for data in ("a", 1, None, [2])]


def test_the_author_s_object_is_not_kept() -> None:
    """Changing the body after it was read changes no request."""
    body = {"a": {"b": [1]}}
    template = BodyTemplate(body)
    body["a"]["b"].append(2)

    assert template.render(None) == {"a": {"b": [1]}}


def test_fields_are_set_on_top_of_the_body() -> None:
    """``fields`` win over the body's own, and hold placeholders too."""
    template = BodyTemplate({"a": 1, "b": 2}, fields={"b": "{message.n}", "c": ["{message.title}!"]})

    assert template.render(DATA) == {"a": 1, "b": 7, "c": ["Shoe!"]}


def test_fields_leave_the_record_as_it_is() -> None:
    """Fields set on top of the whole record do not change the record."""
    data = {"a": 1}

    assert BodyTemplate(fields={"b": 2}).render(data) == {"a": 1, "b": 2}
    assert data == {"a": 1}


def test_a_field_that_can_not_be_read_is_named() -> None:
    """A fault in ``fields`` names the field."""
    with pytest.raises(InvalidTemplateError, match=r"^input\[1\], column 0"):
        BodyTemplate({}, fields={"input": ["a", "{message..b}"]})


@pytest.mark.parametrize("data", ["a", 1, None, [1]])
def test_fields_need_an_object(data: Any) -> None:
    """A record that is no object can't take fields: it is refused."""
    with pytest.raises(RecordError, match="not_an_object"):
        BodyTemplate(fields={"a": 1}).render(data)


@pytest.mark.parametrize(
    ("body", "step", "place", "known"),
    [
        ({"input": "{message.x}"}, "'x'", "body.input", "; known are: any name, deep, n, none, tags, title"),
        ({"input": "Say {message.deep.x}"}, "'x'", "body.input", "; known are: yes"),
        ({"messages": [{"content": "{message.tags[3]}"}]}, "3", "body.messages[0].content", ""),
    ],
)
def test_a_record_without_the_field_is_refused(body: Any, step: str, place: str, known: str) -> None:
    """A missing field rejects that record and names field and place, and the fields that are there."""
    with pytest.raises(RecordError) as caught:
        BodyTemplate(body).render(DATA)

    assert caught.value.code == "missing_field"
    assert caught.value.message == f"the record has no {step}, which {place} needs{known}"


@pytest.mark.parametrize(
    ("body", "as_null", "omitted"),
    [
        ({"a": "{message.x}", "b": 1}, {"a": None, "b": 1}, {"b": 1}),
        ({"a": "{message.n} {message.x}.", "b": 1}, {"a": "7 .", "b": 1}, {"b": 1}),
        ({"a": ["{message.x}", "{message.n}"]}, {"a": [None, 7]}, {"a": [7]}),
        ({"a": {"b": "{message.x}"}}, {"a": {"b": None}}, {"a": {}}),
        ("{message.x}", None, None),
    ],
)
def test_a_missing_field_can_be_null_or_omitted(body: Any, as_null: Any, omitted: Any) -> None:
    """``null`` sends null, or nothing within a longer text; ``omit`` leaves the whole leaf out."""
    assert as_null == BodyTemplate(body, missing="null").render(DATA)
    assert omitted == BodyTemplate(body, missing="omit").render(DATA)


def test_a_missing_field_on_top_can_be_omitted() -> None:
    """An omitted field of ``fields`` leaves the body's own in place."""
    template = BodyTemplate({"a": 1}, fields={"a": "{message.x}", "b": "{message.n}"}, missing="omit")

    assert template.render(DATA) == {"a": 1, "b": 7}


@pytest.mark.parametrize("missing", get_args(Missing))
def test_null_is_not_missing(missing: Missing) -> None:
    """A field that holds null is there."""
    assert BodyTemplate({"a": "{message.none}"}, missing=missing).render(DATA) == {"a": None}


def test_an_unknown_way_with_missing_fields_is_refused() -> None:
    """A misspelled ``missing`` is a ConfigurationError with the nearest word."""
    with pytest.raises(ConfigurationError, match="did you mean 'reject'"):
        BodyTemplate(missing="rejct")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", STRANGE_TEXTS)
def test_a_strange_value_stays_as_it_is(value: str) -> None:
    """A value that looks like a template of any language is not touched, alone or within a text."""
    template = BodyTemplate('{"alone": "{message.v}", "within": "<{message.v}>", "whole": "{message.json}"}')

    assert template.render({"v": value}) == {"alone": value, "within": f"<{value}>", "whole": {"v": value}}


@pytest.mark.parametrize("value", [value for value, _ in CARRIED.values()], ids=list(CARRIED))
def test_a_value_alone_keeps_its_type(value: Any) -> None:
    """A leaf that is one placeholder gives the very value of the record."""
    assert BodyTemplate({"a": ["{message.v}"]}).render({"v": value})["a"][0] is value


@few_examples
@given(json_objects, json_values)
def test_a_template_without_placeholders_is_the_body(body: dict[str, Any], data: Any) -> None:
    """A body that holds no placeholder comes out as it was given, as an object and as JSON text."""
    assume("{message" not in repr(body) and "{record" not in repr(body))

    assert repr(body) == repr(BodyTemplate(body).render(data))
    assert repr(body) == repr(BodyTemplate(json.dumps(body)).render(data))


@few_examples
@given(json_values)
def test_no_body_breaks_the_reader(body: Any) -> None:
    """Any JSON value, any text, is either a template or an InvalidTemplateError."""
    try:
        template = BodyTemplate(body)
    except InvalidTemplateError:
        return
    try:
        template.render({"x": 1})
    except RecordError as error:
        assert error.code == "missing_field"
