"""Server-sent events out of bytes, however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_openai_dest.wire.event_stream import Event, EventParser


def events(*pieces: bytes) -> list[Event]:
    """Give the events of a stream that came in these pieces."""
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


# a stream, and its events by the WHATWG's rules; the first ones are its own examples
STREAMS: dict[str, tuple[bytes, list[tuple[str, bytes]]]] = {
    "several lines": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("", b"YHOO\n+2\n10")]),
    "a comment, an id, an open end": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
        [("", b"first event"), ("", b"second event")],
    ),
    "empty data": (b"data\n\ndata\ndata\n\ndata:", [("", b""), ("", b"\n")]),
    "one space at most": (
        b"data:test\n\ndata: test\n\ndata:  test\n\n",
        [("", b"test"), ("", b"test"), ("", b" test")],
    ),
    "a name": (b"event: add\ndata: 1\n\ndata: 2\n\n", [("add", b"1"), ("", b"2")]),
    "a name without data": (b"event: add\n\ndata: 1\n\n", [("", b"1")]),
    "CRLF": (b"data: 1\r\ndata: 2\r\n\r\ndata: 3\r\n\r\n", [("", b"1\n2"), ("", b"3")]),
    "CR": (b"data: 1\rdata: 2\r\rdata: 3\r\r", [("", b"1\n2"), ("", b"3")]),
    "a BOM": (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [("", b"1")]),
    "other fields": (b"retry: 10\nfoo: bar\ndata: 1\n data: 2\n\n", [("", b"1")]),
    "colons in data": (b'data: {"a": "b:c"}\n\n', [("", b'{"a": "b:c"}')]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_is_read_by_the_rules(case: str) -> None:
    """Lines, fields, comments and ends are those of the WHATWG's rules."""
    stream, expected = STREAMS[case]
    assert expected == events(stream)


@pytest.mark.parametrize("case", STREAMS)
def test_single_bytes_make_the_same_events(case: str) -> None:
    """Each byte may come alone."""
    stream, expected = STREAMS[case]
    assert expected == events(*(stream[at : at + 1] for at in range(len(stream))))


PARTS = st.sampled_from(
    [b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"event", b"id", b"x", b"\xef\xbb\xbf", "ü".encode()]
)


@given(stream=st.lists(PARTS, max_size=40).map(b"".join), cuts=st.lists(st.integers(0, 120), max_size=8))
def test_the_events_are_the_same_however_the_bytes_are_cut(stream: bytes, cuts: list[int]) -> None:
    """A cut within a line end, a BOM or a letter changes nothing."""
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert events(stream) == events(*pieces)


@given(st.lists(st.tuples(st.text("ab", max_size=3), st.lists(st.binary(max_size=9), min_size=1, max_size=3))))
def test_what_was_written_is_read(written: list[tuple[str, list[bytes]]]) -> None:
    """Names and data come back as they were written, line by line."""
    clean = [(name, [line.translate(None, b"\r\n") for line in lines]) for name, lines in written]
    stream = b"".join(
        b"event: %b\n" % name.encode() + b"".join(b"data: %b\n" % line for line in lines) + b"\n"
        for name, lines in clean
    )
    assert [(name, b"\n".join(lines)) for name, lines in clean] == events(stream)
