"""Event stream: server-sent events out of bytes, however they are cut.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

EVENT_STREAM = "text/event-stream"

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its ``event`` field, empty where it has none, and its ``data``, the lines joined.

    The data stay bytes: whoever reads them as JSON refuses what is no UTF-8, where a browser would replace it silently.
    """

    name: str
    data: bytes


class EventParser:
    """Takes the pieces of a stream and gives its events as they end.

    ``id`` and ``retry`` are left out: they are for connecting again, which nobody does here. An event that no empty
    line ends is none. It holds the event that is being read; whoever feeds it bounds the whole.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._is_first = True
        self._is_after_cr = False
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Give the events that end within the next piece; read them all before the next one."""
        if self._is_after_cr and piece[:1] == b"\n":
            self._is_after_cr, piece = False, piece[1:]
        if not piece:
            return
        self._is_after_cr = piece.endswith(b"\r")
        rest, *starts = _LINE_END.split(piece)
        self._line.append(rest)
        for start in starts:
            line, self._line = b"".join(self._line), [start]
            event = self._take(line)
            if event is not None:
                yield event

    def _take(self, line: bytes) -> Event | None:
        if self._is_first:
            self._is_first, line = False, line.removeprefix(_BOM)
        if not line:
            return self._end()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value
        return None

    def _end(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data = b"", []
        return Event(name.decode(errors="replace"), b"\n".join(data)) if data else None
