"""Tests of CSV and TSV."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.exceptions import ConfigurationError, RecordError
from airflow_provider_openai_dest.sources.csv_rows import read_csv, read_tsv
from tests.core.memory_file import EndlessLineFile, MemoryFile, gzipped


def _rows(data: bytes) -> list[Any]:
    return list(read_csv(MemoryFile("a.csv", data)))


def _fault(item: Any) -> tuple[str, str]:
    """Give code and message without the file."""
    assert isinstance(item, RecordError)
    assert item.message.startswith("mem://store/a.csv ")
    return item.code, item.message.removeprefix("mem://store/a.csv ")


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"", []),
        (b"1,2", [("1", "2")]),
        (b"1,2\n3,4\n", [("1", "2"), ("3", "4")]),
        (b"1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
        (b"\n1,2\n\r\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        (b",\n", [("", "")]),
        (b'"x, ""y""", z \n', [('x, "y"', " z ")]),
        (b'"one\ntwo\r\nthree",2\n', [("one\ntwo\r\nthree", "2")]),
        (b'5" disc,2\n', [('5" disc', "2")]),
        (b"a\0b,\0\n", [("a\0b", "\0")]),
        ("ü,\N{GRINNING FACE}\u2028\x85\n".encode(), [("ü", "\N{GRINNING FACE}\u2028\x85")]),
        (b"null,1e5\n", [("null", "1e5")]),
    ],
)
def test_a_row_is_an_object_of_strings(body: bytes, rows: list[tuple[str, str]]) -> None:
    """Each row is an object of strings under the header's names; lines may end in CRLF, and empty ones are skipped."""
    assert [{"a": one, "b": two} for one, two in rows] == _rows(b"a,b\n" + body)


def test_tabs_separate_the_columns_of_a_tsv() -> None:
    """A TSV is read as a CSV, with tabs for commas."""
    assert [{"a": "1,5", "b": "2"}] == list(read_tsv(MemoryFile("a.tsv", b"a\tb\n1,5\t2\n")))


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"a,b", b"\n\na,b\n", b"\xef\xbb\xbfa,b\r\n", b'"a","b"\n'])
def test_a_file_of_a_header_alone_is_empty(data: bytes) -> None:
    """A header without rows, and a file without a line, have no records."""
    assert [] == _rows(data)


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    """The mark that Excel writes doesn't change the name of the first column, quoted or not."""
    assert [{"a": "1"}] == _rows(b"\xef\xbb\xbfa\n1") == _rows(b'\xef\xbb\xbf"a"\n1')


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        (b"1\n", "line 3", "has 1 columns, the header 2"),
        (b"1,2,3\n", "line 3", "has 3 columns, the header 2"),
        (b"  \n", "line 3", "has 1 columns"),
        (b'"x\ny"\n', "lines 3 to 4", "has 1 columns"),
        (b"\xff,2\n", "line 3", "not UTF-8"),
        (b'1,"x\n\xff"\n', "lines 3 to 4", "not UTF-8"),
        (b'"x"y,2\n', "line 3", "expected after"),
        (b"1\r2,3\n", "line 3", "new-line character"),
        (b'1,"' + b"x" * (17 * 1024 * 1024) + b'"\n', "line 3", "field larger than field limit"),
    ],
)
def test_a_broken_row_is_a_fault_of_its_own(body: bytes, place: str, reason: str) -> None:
    """A row that can't be read is one fault that names file, lines and reason; the others go on."""
    before, fault, after = _rows(b"a,b\n1,2\n" + body + b"3,4\n")
    code, message = _fault(fault)

    assert code == "broken_line"
    assert message.startswith(f"{place}: ")
    assert reason in message
    assert ({"a": "1", "b": "2"}, {"a": "3", "b": "4"}) == (before, after)


def test_an_endless_line_is_a_fault_of_its_own() -> None:
    """A line above 64 MiB is a fault, and the rows around it are read; in place of a header it is refused."""
    before, fault, after = read_csv(EndlessLineFile("a.csv", b"a\n1\n", b"\n2\n", blocks=257))

    assert fault.message.endswith(" line 3: longer than 67,108,864 bytes")
    assert ({"a": "1"}, {"a": "2"}) == (before, after)
    with pytest.raises(ConfigurationError, match="the header can't be read: longer than"):
        list(read_csv(EndlessLineFile("a.csv", b"\n", b"\na\n1\n", blocks=257)))


def test_an_unclosed_quote_is_not_swallowed() -> None:
    """A quote that is never closed is a fault that names all the lines it took, not a long field."""
    before, fault = _rows(b'a,b\n1,2\n"3,4\n5,6\n7,8')

    assert {"a": "1", "b": "2"} == before
    assert ("broken_line", "lines 3 to 5: a quote is opened and never closed") == _fault(fault)


def test_a_stray_quote_ends_at_the_next_one() -> None:
    """A stray quote takes the lines up to the next quote, and the rows after that are read."""
    fault, after = _rows(b'a,b\n"3,4\n5,6\n"7",8\n9,10')

    assert _fault(fault)[1].startswith("lines 2 to 4: ")
    assert {"a": "9", "b": "10"} == after


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        (b"a,a", ["the header names column 'a' 2 times"]),
        (b"a,", ["column 2 has no name"]),
        (b"a,,", ["column 2 has no name", "column 3 has no name"]),
        (b" ,b,b,,b", ["column 1 has no name", "column 4 has no name", "the header names column 'b' 3 times"]),
        (b"\xff,b", ["the header can't be read: not UTF-8"]),
        (b"a\rb,c", ["the header can't be read: new-line character"]),
        (b'a,"b', ["the header can't be read: unexpected end of data"]),
        ("a,b".encode("utf-16"), ["the header can't be read: not UTF-8"]),
    ],
)
def test_a_wrong_header_is_a_wrong_setting(header: bytes, faults: list[str]) -> None:
    """Without a name for each column no row can be read: all faults of the header are told at once."""
    with pytest.raises(ConfigurationError) as caught:
        _rows(header + b"\n1,2\n")

    assert len(faults) == len(caught.value.faults)
    for expected, fault in zip(faults, caught.value.faults, strict=True):
        assert fault.startswith(f"mem://store/a.csv: {expected}")


def test_a_large_field_is_read() -> None:
    """A field of 10 MB is no fault, although Python's own limit is 131,072 characters."""
    csv.field_size_limit(131_072)
    [row] = _rows(b'a,b\n1,"' + b"x" * 10_000_000 + b'"\n')

    assert 10_000_000 == len(row["b"])


@given(st.lists(st.tuples(st.text(), st.text()), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_any_text_survives(rows: list[tuple[str, str]], line_end: str) -> None:
    """Whatever text Python's csv writes is read back exactly."""
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])

    assert [{"a": one, "b": two} for one, two in rows] == _rows(text.getvalue().encode())


unquoted = st.binary(max_size=20).map(lambda line: line.replace(b'"', b""))


@given(st.lists(unquoted | st.sampled_from([b"1,2", b"\xff", b"\r"])))
def test_any_bytes_account_for_each_line(lines: list[bytes]) -> None:
    """Whatever bytes stand below the header, nothing raises, and each line that is not empty is one record."""
    body = b"\n".join(lines)
    said = [line for line in body.split(b"\n") if line.strip(b"\r")]

    assert len(said) == len(_rows(b"a,b\n" + body))


@given(st.lists(st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"a", b"\xff", b"\0", b'",', b',"']), max_size=40))
def test_any_quotes_account_for_each_line(parts: list[bytes]) -> None:
    """However quotes stand, nothing raises, and rows and faults together take every line once and in order."""
    body = b"".join(parts)
    next_line = 2
    for item in _rows(b"a,b\n" + body):
        if isinstance(item, RecordError):
            first, last = _lines_of(_fault(item)[1])
            assert first >= next_line
            next_line = last + 1
        else:
            assert ["a", "b"] == list(item)
            next_line += 1
    assert next_line <= body.count(b"\n") + 3


def _lines_of(message: str) -> tuple[int, int]:
    words = message.partition(":")[0].split()
    return int(words[1]), int(words[-1])


@given(st.binary(max_size=100))
def test_any_bytes_are_rows_or_a_wrong_header(data: bytes) -> None:
    """Whatever bytes a .csv file holds, it is read, or its header is refused."""
    try:
        _rows(data)
    except ConfigurationError as error:
        assert "a.csv" in str(error)
    except RecordError:
        assert data.startswith(b"\x1f\x8b")


def test_rows_stream_with_flat_memory() -> None:
    """A packed file of 15 MB is read within 3 MB."""
    rows: Iterator[Any] = read_csv(gzipped("a.csv", b"a,b\n" + (b"x" * 1000 + b"," + b"y" * 2000 + b"\n") * 5_000))
    tracemalloc.start()
    try:
        count = sum(1 for _ in rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 5_000 == count
    assert peak < 3 * 1024 * 1024
