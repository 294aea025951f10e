"""Rows: what stands in a results folder, read without the package, so that it can't hide its own mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.damage import vector


class Row(msgspec.Struct):
    """What a trial looks at."""

    key: str
    status: str
    answer: Any = None
    maybe_billed: bool = False
    error: Any = None
    attempts: int = 0


_read = msgspec.json.Decoder(Row).decode


@dataclass
class Rows:
    """Reads files of rows as they grow; what was read is not read again.

    ``torn`` counts last lines without an end, as a kill leaves them, and ``broken`` lines with an end that are no row.
    """

    folder: Path
    kind: str = "outcomes"
    by_key: dict[str, list[Row]] = field(default_factory=dict)
    broken: int = 0
    torn: int = 0
    _read_to: dict[str, int] = field(default_factory=dict)

    def read(self) -> Rows:
        """Read what is new."""
        self.torn = 0
        for path in sorted(self.folder.glob(f"{self.kind}-*.jsonl")):
            start = self._read_to.get(path.name, 0)
            with path.open("rb") as stream:
                stream.seek(start)
                content = stream.read()
            end = content.rfind(b"\n") + 1
            self.torn += end < len(content)
            self._read_to[path.name] = start + end
            for row in self._decoded(content[:end]):
                self.by_key.setdefault(row.key, []).append(row)
        return self

    def settled(self) -> set[str]:
        """Give the keys that have a row: a later try must not send them."""
        return set(self.by_key)

    def with_status(self, status: str) -> set[str]:
        """Give the keys that have a row of this status."""
        return {key for key, rows in self.by_key.items() if any(row.status == status for row in rows)}

    def maybe_billed(self) -> set[str]:
        """Give the keys of which a row says that they may have been billed twice."""
        return {key for key, rows in self.by_key.items() if any(row.maybe_billed for row in rows)}

    def count(self) -> int:
        """Give the number of rows."""
        return sum(map(len, self.by_key.values()))

    def wrong(self) -> int:
        """Count the delivered rows whose answer is not that of their record."""
        return sum(
            (row.answer or {}).get("embedding") != vector(int(row.key))
            for rows in self.by_key.values()
            for row in rows
            if row.status == "delivered"
        )

    def without_reason(self) -> int:
        """Count the rejected rows that do not say why."""
        return sum(
            not ((row.error or {}).get("code") and (row.error or {}).get("message"))
            for rows in self.by_key.values()
            for row in rows
            if row.status == "rejected"
        )

    def _decoded(self, content: bytes) -> Iterator[Row]:
        for line in content.splitlines():
            try:
                yield _read(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self.broken += 1
