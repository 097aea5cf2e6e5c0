"""Large arrays that are handed out again once nobody holds them.

A fresh large array costs a page fault for each of its pages, which can take longer than all that
is then written to it. So an array that was handed out is kept here, and handed out again as soon as
the one reference to it is the one kept here: neither the caller nor a view, a tensor or a
memoryview made from it, all of which hold the array, can see it change.
"""

import sys

import numpy as np

KEPT = 4
"""Arrays kept at most; who holds on to more of them gets fresh ones."""


class Buffers:
    """uint8 arrays of one shape, games first."""

    def __init__(self, shape: tuple[int, ...]):
        self._shape = shape
        self._kept: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []  # of each, those that are not blank
        self._oldest = 0

    def take(self) -> np.ndarray:
        """An array of the caller's own, with anything in it."""
        return self._kept[self._free()]

    def take_blank(self, rows: np.ndarray) -> np.ndarray:
        """An array of the caller's own: zeros, but for the rows that the caller is to write."""
        k = self._free()
        array = self._kept[k]
        array[self._rows[k]] = 0
        self._rows[k] = rows
        return array

    def _free(self) -> int:
        """Where an array is that only this object holds."""
        for k in range(len(self._kept)):
            if _references(self._kept, k) == _ALONE:
                return k
        # It must own its memory: NumPy's views refer to the owner, and only so are counted.
        fresh, blank = np.zeros(self._shape, np.uint8), np.empty(0, np.int64)
        if len(self._kept) < KEPT:
            self._kept.append(fresh)
            self._rows.append(blank)
            return len(self._kept) - 1
        k = self._oldest
        self._oldest = (k + 1) % KEPT
        self._kept[k], self._rows[k] = fresh, blank
        return k

    def __reduce__(self):
        return Buffers, (self._shape,)  # what was handed out here is of no use elsewhere


def _references(arrays: list[np.ndarray], k: int) -> int:
    return sys.getrefcount(arrays[k])


_ALONE = _references([np.empty(0)], 0)
