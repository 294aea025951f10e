"""Headers of a Dag author's own, which a record may fill as well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.rendering.request_headers import RequestHeaders
from tests.core.json_values import few_examples, texts


def test_a_value_may_hold_fields_of_the_record() -> None:
    """Texts as they are, all else as JSON; what has no placeholder is the same for all."""
    headers = RequestHeaders({"X-Trace": "t-{message.id}", "X-Tags": "{message.tags}", "X-Team": "search"})
    assert (
        ("X-Trace", "t-7"),
        ("X-Tags", '["a"]'),
        ("X-Team", "search"),
    ) == headers.fill({"id": 7, "tags": ["a"]})
    assert (True, False) == (headers.uses_record, RequestHeaders({"X-Team": "{x}"}).uses_record)


def test_all_faults_are_told_at_once() -> None:
    """Each by its name, and no value with it."""
    values: dict[str, Any] = {
        "Authorization": "Bearer {message.key}",
        "Cookie": "a=b",
        "api-key": "k",
        "Keep-Alive": "5",
        "no name": "x",
        "X-Number": 7,
        "X-Line": "a\nb{message.x}",
        "X-Open": "{message.a",
        "X-Fine": "{message.b}",
    }
    with pytest.raises(ConfigurationError) as caught:
        RequestHeaders(values)
    assert len(values) - 1 == len(caught.value.faults)
    for name, fault in zip(values, sorted(caught.value.faults), strict=False):
        assert "X-Fine" not in fault, name


# a record, and what its value in a header makes of it
REFUSED: list[tuple[Any, str]] = [
    ({}, "missing_field"),
    ({"v": "a\r\nX-Evil: 1"}, "unsafe_header_value"),
    ({"v": "a\nb"}, "unsafe_header_value"),
    ({"v": "\0"}, "unsafe_header_value"),
    ({"v": "ü"}, "unsafe_header_value"),
    ({"v": ""}, "unsafe_header_value"),
    ({"v": " a"}, "unsafe_header_value"),
    ({"v": float("nan")}, "unserializable"),
]


@pytest.mark.parametrize(("data", "code"), REFUSED)
def test_a_value_that_can_not_stand_in_a_header_refuses_its_record(data: Any, code: str) -> None:
    """The others go on."""
    with pytest.raises(RecordError) as caught:
        RequestHeaders({"X-A": "{message.v}"}).fill(data)
    assert code == caught.value.code


@few_examples
@given(texts | st.text(st.characters(), max_size=5))
def test_a_value_stays_in_its_line(value: str) -> None:
    """It is sent as it is, in printable ASCII, or its record is refused."""
    try:
        ((_, sent),) = RequestHeaders({"X-A": "a{message.v}b"}).fill({"v": value})
    except RecordError:
        return
    assert f"a{value}b" == sent
    assert sent.isascii()
    assert sent.replace("\t", " ").isprintable()
