"""Tests of JSON Lines and JSON documents."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import RecordError
from airflow_provider_openai_dest.sources.json_document import read_json_document
from airflow_provider_openai_dest.sources.json_lines import read_json_lines
from airflow_provider_openai_dest.sources.lines import LINE_BYTES, split_lines
from tests.core.memory_file import EndlessLineFile, MemoryFile

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

BROKEN: dict[str, tuple[bytes, str]] = {
    "half an object": (b'{"secret": ', "truncated"),
    "two values": (b'{"secret": 1} {"secret": 2}', "trailing characters"),
    "no JSON": (b"secret", "invalid character"),
    "NaN": (b'{"secret": NaN}', "invalid character"),
    "Infinity": (b"-Infinity", "invalid"),
    "a lone surrogate": (b'"secret \\ud800"', "truncated"),
    "bad UTF-8": (b'"secret \xff"', "not UTF-8"),
    "a bad name": (b'{"secret\xff": 1}', "not UTF-8"),
    "a surrogate in UTF-8": (b'"secret \xed\xa0\x80"', "not UTF-8"),
    "too large a number": (b'{"secret": 1e400}', "out of range"),
    "too long an integer": (b"1" * 5000, "out of range"),
    "too deep": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "a control character": (b'"secret\x01"', "invalid character"),
    "a NUL": (b"\0", "invalid character"),
    "a vertical tab": (b"\x0b", "invalid character"),
}

GOOD: dict[bytes, Any] = {
    b'{"a": 1}': {"a": 1},
    b"[1, [2]]": [1, [2]],
    b'"text"': "text",
    b"null": None,
    b"false": False,
    b"-0.0": -0.0,
    b"123456789012345678901234567890": 123456789012345678901234567890,
    b'{"a": 1, "a": 2}': {"a": 2},
    b'"\\u0000\\ud83d\\ude00"': "\0\N{GRINNING FACE}",
    "{'ü': 1}".replace("'", '"').encode(): {"ü": 1},
    b"[" * 500 + b"]" * 500: json.loads("[" * 500 + "]" * 500),
}


def _lines(data: bytes) -> list[Any]:
    return list(read_json_lines(MemoryFile("a.jsonl", data)))


def _document(data: bytes) -> list[Any]:
    return list(read_json_document(MemoryFile("a.json", data)))


@pytest.mark.parametrize(("line", "value"), GOOD.items())
def test_a_line_is_any_json_value(line: bytes, value: Any) -> None:
    """Any JSON value is a record: objects, lists, text, numbers of any size, null."""
    assert [value] == _lines(line)


@pytest.mark.parametrize(("line", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_a_fault_of_its_own(line: bytes, reason: str) -> None:
    """A line that can't be read is one fault that names file, line and reason but no content; the others go on."""
    before, fault, after = _lines(b"1\n" + line + b"\n2\n")

    assert isinstance(fault, RecordError)
    assert fault.code == "broken_line"
    assert fault.message.startswith("mem://store/a.jsonl line 2: ")
    assert reason in fault.message
    assert "secret" not in fault.message
    assert (1, 2) == (before, after)


@pytest.mark.parametrize(
    "data",
    [
        b"1\n2\n3\n",
        b"1\n2\n3",
        b"1\r\n2\r\n3\r\n",
        b"\n\n1\n \t\n2\n\r\n3\n\n",
        BYTE_ORDER_MARK + b"1\n2\n3",
        b" 1\n\t2 \n3 ",
    ],
)
def test_lines_end_in_many_ways(data: bytes) -> None:
    """A byte order mark, CRLF, blank lines and a last line without an end are accepted, and are no records."""
    assert [1, 2, 3] == _lines(data)


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n \n", BYTE_ORDER_MARK])
def test_a_file_of_blank_lines_is_empty(data: bytes) -> None:
    """A file without a line that says something has no records."""
    assert [] == _lines(data)


def test_blank_lines_count_in_line_numbers() -> None:
    """The line that a fault names is the one an editor shows."""
    [fault] = _lines(b"\r\n\n\nx\n")

    assert "line 4:" in fault.message


def test_an_endless_line_is_not_held() -> None:
    """A line above 64 MiB is a fault, the lines after it are read, and memory never holds more than the limit."""
    tracemalloc.start()
    try:
        before, fault, after = read_json_lines(EndlessLineFile("a.jsonl", b'1\n"', b'"\n2\n', blocks=512))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (1, 2) == (before, after)
    assert fault.message.endswith(" line 2: longer than 67,108,864 bytes")
    assert peak < LINE_BYTES + 4 * 1024 * 1024


@pytest.mark.parametrize(("length", "line"), [(9, b"x" * 9), (10, b"x" * 10), (11, None), (99, None)])
@pytest.mark.parametrize("block_bytes", [1, 3, 10])
def test_a_line_may_be_as_long_as_the_limit(length: int, line: bytes | None, block_bytes: int) -> None:
    """A line of just the limit is read and one byte more is not, however the blocks fall, and in the end too."""
    data = b"ab\n" + b"x" * length + b"\nc\n" + b"x" * length
    blocks = [data[at : at + block_bytes] for at in range(0, len(data), block_bytes)]

    assert [b"ab", line, b"c", line] == list(split_lines(blocks, line_bytes=10))


@given(st.binary(max_size=200), st.integers(1, 50))
def test_lines_do_not_depend_on_blocks(data: bytes, block_bytes: int) -> None:
    """However the bytes are cut into blocks, the lines are the same."""
    blocks = [data[at : at + block_bytes] for at in range(0, len(data), block_bytes)]
    expected = data.split(b"\n")
    expected[0] = expected[0].removeprefix(BYTE_ORDER_MARK)
    found = list(split_lines(blocks))

    assert b"\n".join(expected).removesuffix(b"\n") == b"\n".join(line for line in found if line is not None)


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"1", b'{"a": 1}', b"[", b"\xff", b"\r"])))
def test_any_bytes_account_for_each_line(lines: list[bytes]) -> None:
    """Whatever bytes a file holds, nothing raises, and each line that is not blank is one record."""
    data = b"\n".join(lines)
    assume(not data.startswith(b"\x1f\x8b"))
    said = [line for line in data.removeprefix(BYTE_ORDER_MARK).split(b"\n") if line.strip(b" \t\r")]

    assert len(said) == len(_lines(data))


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=5), st.booleans())
def test_any_json_value_survives(values: list[Any], ensure_ascii: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Any JSON value written as JSON Lines, or as one document, is read back exactly, with its types."""
    lines = "\n".join(json.dumps(value, ensure_ascii=ensure_ascii) for value in values)
    document = json.dumps(values, ensure_ascii=ensure_ascii, indent=1)

    assert repr(values) == repr(_lines(lines.encode())) == repr(_document(document.encode()))


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b"[]", []),
        (b'[{"a": 1}, 2, null]', [{"a": 1}, 2, None]),
        (b'{"a": [1]}', [{"a": [1]}]),
        (b" \n[1]\n", [1]),
        (BYTE_ORDER_MARK + b"[1]", [1]),
        (b'"text"', ["text"]),
        (b"null", [None]),
    ],
)
def test_a_document_is_an_array_or_one_record(data: bytes, records: list[Any]) -> None:
    """An array is a record for each item, and any other document is one record."""
    assert records == _document(data)


@pytest.mark.parametrize("data", [*(text for text, _ in BROKEN.values()), b"", b" \n", b"[1, 2", b"[1] [2]"])
def test_a_broken_document_is_one_fault(data: bytes) -> None:
    """A document that can't be read, an empty one too, is one fault that names the file and quotes nothing."""
    [fault] = _document(data)

    assert isinstance(fault, RecordError)
    assert fault.code == "broken_document"
    assert fault.message.startswith("mem://store/a.json: ")
    assert "secret" not in fault.message


def test_json_lines_named_json_are_explained() -> None:
    """A .json file that holds JSON Lines, as BigQuery and Spark write them, is told how to be read."""
    [fault] = _document(b'{"a": 1}\n{"a": 2}\n')

    assert "say that its format is jsonl" in fault.message


@given(st.binary(max_size=200))
def test_any_bytes_make_a_document_or_a_fault(data: bytes) -> None:
    """Whatever bytes a .json file holds, reading it never raises."""
    assume(not data.startswith(b"\x1f\x8b"))

    _document(data)
