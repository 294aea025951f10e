"""Seen keys: which keys a source has given, in about 16 bytes a key however long it is."""

from __future__ import annotations

from array import array

SMALLEST = 1 << 10
FULLEST = 0.6
"""Share of the table's places in use before it grows; beyond that the search for a free one gets long."""


class SeenKeys:
    """Keys in the order of their positions, told apart by their 64-bit hashes.

    A hash table of 4 bytes a place over an array of the hashes. Two of a million different keys are taken for equal
    once in 40 million runs; Python's text hash is keyed anew in each process, so nobody can make such keys.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._places = array("I", bytes(4 * SMALLEST))  # position + 1; 0 is a free place

    def claim(self, key: str) -> int | None:
        """Take the next position's key; or give the position that has it already, and take nothing."""
        hashed = hash(key)
        place = self._place_of(hashed)
        if taken := self._places[place]:
            return taken - 1
        self._hashes.append(hashed)
        self._places[place] = len(self._hashes)
        if len(self._hashes) > len(self._places) * FULLEST:
            self._grow()
        return None

    def _place_of(self, hashed: int) -> int:
        """Give the place of a hash, or the free one where it would stand."""
        places, hashes = self._places, self._hashes
        mask = len(places) - 1
        place = hashed & mask
        while (taken := places[place]) and hashes[taken - 1] != hashed:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        self._places = array("I", bytes(4 * 2 * len(self._places)))
        for position, hashed in enumerate(self._hashes):
            self._places[self._place_of(hashed)] = position + 1
