"""Record and Source: what is sent, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from airflow_provider_openai_dest.exceptions import RecordError


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a data set.

    ``key`` is its identity within the run, ``position`` its place in the source from 0 on, ``data`` the JSON
    value. A source that can't read an item (a broken line) still yields a Record, with ``fault`` set: it
    is rejected and counted, and never sent.
    """

    key: str
    position: int
    data: Any
    fault: RecordError | None = None


class Source(Protocol):
    """An iterable of Records that can be read again from the start."""

    def __iter__(self) -> Iterator[Record]:
        """Read the records in order, streaming."""

    def fingerprint(self) -> str:
        """Tell where the records come from, for people as well, without reading them.

        The same words mean the same source, however its records have changed; other words under a half-done delivery
        are refused. So what is new at each try, such as a time or an address in memory, may not stand in it.
        """
