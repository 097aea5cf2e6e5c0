"""Generation of BoxWorld levels.

The generator of the released environment (Zambaldi et al., "Relational Deep Reinforcement
Learning", 2018, box_world of pycolab), with a solution chain c1 -> c2 -> ... -> gem and distractor
branches attached to it.

Differs from the release:
  * a room in which the objects do not fit is laid out again with the same problem; the release
    draws a new problem, which favours the easy ones;
  * distractors use all 20 colours; the release never uses the last one;
  * the agent may start on any empty cell of the room.
"""

import numpy as np
from numba import njit

from envs import random
from envs.boxworld.cells import BORDER, EMPTY, GEM, KEY, LOCK, NUM_COLOURS, WRONG_LOCK

TRIES = 200
"""Cells tried in one layout before the room is laid out again."""


def most_objects(grid_size: int) -> int:
    """Largest number of objects for which random layouts of the room soon succeed.

    They must not touch, so a box needs about ten cells; small rooms have too few rows and columns.
    With this many, one layout in fifteen or more succeeds (measured, rooms of 5 to 20).
    """
    rows, columns = -(-(grid_size - 2) // 2), -(-(grid_size - 4) // 3)
    return min(rows * columns, grid_size * (grid_size - 1) // 10)


@njit(cache=True, nogil=True)
def draw_objects(streams, i, problem, objects):
    """Draw the objects of one level into `objects`, and return how many there are.

    Args:
        problem: solution length, number of distractors, length of a distractor branch, and number
            of backward distractors (locks of free colours that hide keys of the solution).
        objects: uint8 `[n, 2]`, the content and the lock of each object (EMPTY for a loose key):
            the solution first, in order, then the distractors.
    """
    length, num_distractors, distractor_length, num_backward = problem
    colours = _shuffled_colours(streams, i)
    objects[0, 0] = KEY + colours[0]
    objects[0, 1] = EMPTY
    for k in range(1, length + 1):
        objects[k, 0] = GEM if k == length else KEY + colours[k]
        objects[k, 1] = LOCK + colours[k - 1]
    count = length + 1
    for _ in range(num_distractors):
        count = _draw_branch(streams, i, length, distractor_length, colours, objects, count)
    for _ in range(num_backward):
        free = colours[length + random.below(streams, i, NUM_COLOURS - length)]
        objects[count, 0] = KEY + colours[random.below(streams, i, length)]
        objects[count, 1] = WRONG_LOCK + free
        count += 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _shuffled_colours(streams, i):
    colours = np.empty(NUM_COLOURS, np.uint8)
    for k in range(NUM_COLOURS):
        colours[k] = k
    for k in range(NUM_COLOURS - 1, 0, -1):
        j = random.below(streams, i, k + 1)
        colours[k], colours[j] = colours[j], colours[k]
    return colours


@njit(cache=True, nogil=True, inline="always")
def _draw_branch(streams, i, length, boxes, colours, objects, count):
    """Draw a distractor branch: its first lock has a colour of the solution, its keys never do."""
    lock = colours[random.below(streams, i, length)]
    for _ in range(boxes):
        key = colours[length + random.below(streams, i, NUM_COLOURS - length)]
        while key == lock:
            key = colours[length + random.below(streams, i, NUM_COLOURS - length)]
        objects[count, 0] = KEY + key
        objects[count, 1] = WRONG_LOCK + lock
        lock = key
        count += 1
    return count


@njit(cache=True, nogil=True)
def place(streams, i, cells, objects, count):
    """Lay the objects out in an empty room; no two touch, nor the border, even diagonally.

    So the empty cells stay connected, and every level can be solved.
    """
    while not _try_to_place(streams, i, cells, objects, count):
        pass


@njit(cache=True, nogil=True)
def _try_to_place(streams, i, cells, objects, count):
    """Lay the objects out with `TRIES` tries in all; returns whether they fitted."""
    _clear(cells)
    width = cells.shape[0] - 2
    placed = 0
    for _ in range(TRIES):
        column = 2 + random.below(streams, i, width - 4)
        row = 2 + random.below(streams, i, width - 2)
        if _is_free(cells, row, column):
            cells[row, column] = objects[placed, 0]
            cells[row, column + 1] = objects[placed, 1]
            placed += 1
            if placed == count:
                return True
    return False


@njit(cache=True, nogil=True, inline="always")
def _clear(cells):
    last = len(cells) - 1
    for row in range(last + 1):  # assignments to slices take longer, to compile and to run
        for column in range(last + 1):
            inside = 0 < row < last and 0 < column < last
            cells[row, column] = EMPTY if inside else BORDER


@njit(cache=True, nogil=True, inline="always")
def _is_free(cells, row, column):
    """Whether the cell, a lock to its right and everything around the two are empty."""
    for r in range(row - 1, row + 2):
        for c in range(column - 1, column + 3):
            if cells[r, c] != EMPTY:
                return False
    return True


@njit(cache=True, nogil=True)
def empty_cell(streams, i, cells):
    """A uniformly drawn empty cell of the room, as row and column."""
    width = cells.shape[0] - 2
    while True:
        row = 1 + random.below(streams, i, width)
        column = 1 + random.below(streams, i, width)
        if cells[row, column] == EMPTY:
            return row, column
