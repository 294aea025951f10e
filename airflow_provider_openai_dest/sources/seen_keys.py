"""Seen keys: which keys a source has given, in about 16 bytes a key however long it is."""

from __future__ import annotations

from airflow_provider_openai_dest.sources.hash_index import HashIndex


class SeenKeys:
    """Keys in the order of their positions, told apart by their hashes.

    Python's text hash is keyed anew in each process, so nobody can make keys that are taken for equal.
    """

    def __init__(self) -> None:
        self._index = HashIndex()

    def claim(self, key: str) -> int | None:
        """Take the next position's key; or give the position that has it already, and take nothing."""
        new = len(self._index)
        position = self._index.add(hash(key))
        return None if position == new else position
