"""Hash index: 64-bit hashes, each once and numbered in the order in which they came."""

from __future__ import annotations

from array import array

SMALLEST = 1 << 10
FULLEST = 0.6
"""Share of the table's places in use before it grows; beyond that the search for a free one gets long."""


class HashIndex:
    """A hash table of 4 bytes a place over an array of the hashes: about 16 bytes each.

    Two of a million different values have the same hash once in 40 million runs.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._places = _free_places(SMALLEST)  # number + 1; 0 is a free place

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, hashed: int) -> int | None:
        """Give the number of a hash; None when it was never added."""
        taken = self._places[self._place_of(hashed)]
        return taken - 1 if taken else None

    def add(self, hashed: int) -> int:
        """Give the number of a hash, the next one when it is new."""
        places, hashes = self._places, self._hashes
        mask = len(places) - 1
        place = hashed & mask
        while taken := places[place]:  # as in _place_of; a call for each record would be felt
            if hashes[taken - 1] == hashed:
                return taken - 1
            place = (place + 1) & mask
        hashes.append(hashed)
        number = len(hashes)
        places[place] = number
        if number > len(places) * FULLEST:
            self._grow()
        return number - 1

    def _place_of(self, hashed: int) -> int:
        """Give the place of a hash, or the free one where it would stand."""
        places, hashes = self._places, self._hashes
        mask = len(places) - 1
        place = hashed & mask
        while (taken := places[place]) and hashes[taken - 1] != hashed:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        self._places = _free_places(2 * len(self._places))
        for number, hashed in enumerate(self._hashes):
            self._places[self._place_of(hashed)] = number + 1


def _free_places(number: int) -> array[int]:
    return array("I", [0]) * number
