"""Path planning in a BoxWorld room, compiled, for the scripted players.

A map is int8 `[rows, columns]` of visible cell codes: all locks are `LOCK + c`, and cells not yet
seen are `UNSEEN`.
"""

import numpy as np
from numba import njit

from envs.boxworld.cells import BORDER, EMPTY, GEM, KEY, LOCK, NUM_COLOURS, WRONG_LOCK
from envs.boxworld.rules import MOVES, NO_KEY

UNSEEN = -1
FAR = 30000
"""A distance that no cell has."""


@njit(cache=True, nogil=True)
def looks(cell):
    """The visible code of a cell: locks of distractors look like those of the solution."""
    return cell - (WRONG_LOCK - LOCK) if cell >= WRONG_LOCK else cell


@njit(cache=True, nogil=True)
def distances(known, row, column):
    """Steps from a cell to each cell that can be reached over empty cells; FAR elsewhere."""
    steps = np.full(known.shape, FAR, np.int16)
    queue = np.empty((known.size, 2), np.int16)
    steps[row, column] = 0
    queue[0] = row, column
    first, last = 0, 1
    while first < last:
        r, c = queue[first]
        first += 1
        for move in MOVES:
            y, x = r + move[0], c + move[1]
            inside = 0 <= y < known.shape[0] and 0 <= x < known.shape[1]
            if inside and steps[y, x] == FAR and known[y, x] == EMPTY:
                steps[y, x] = steps[r, c] + 1
                queue[last] = y, x
                last += 1
    return steps


@njit(cache=True, nogil=True)
def towards(known, row, column, target_row, target_column):
    """The first action of a shortest path to a target, or -1."""
    steps = distances(known, target_row, target_column)
    best, action = FAR, -1
    for a in range(len(MOVES)):
        y, x = row + MOVES[a, 0], column + MOVES[a, 1]
        if 0 <= y < known.shape[0] and 0 <= x < known.shape[1] and steps[y, x] < best:
            best, action = steps[y, x], a
    return action


@njit(cache=True, nogil=True)
def on_the_chain(known, held):
    """The next cell on the way to the gem, or (-1, -1) if the map does not show enough.

    Searches back from the gem, box by box, to a key that is held or loose; the shortest chain is
    taken.
    """
    boxes = np.empty((known.size, 2), np.int16)  # contents whose locks must be opened
    pushed = np.zeros(known.shape, np.bool_)
    first, last = 0, 0
    wanted = GEM
    while True:
        for r in range(known.shape[0]):
            for c in range(known.shape[1] - 1):
                if known[r, c] != wanted or pushed[r, c] or known[r, c + 1] == UNSEEN:
                    continue
                if known[r, c + 1] < LOCK:
                    return r, c
                if known[r, c + 1] - LOCK == held:
                    return r, c + 1
                pushed[r, c] = True
                boxes[last] = r, c
                last += 1
        if first == last:
            return -1, -1
        r, c = boxes[first]
        first += 1
        wanted = KEY + known[r, c + 1] - LOCK


@njit(cache=True, nogil=True)
def nearest(known, held, row, column):
    """The nearest reachable object that is useful without a plan, or (-1, -1).

    The gem if it is loose; a lock that the held key opens; without a key, a loose key.
    """
    steps = distances(known, row, column)
    best, target = FAR, (-1, -1)
    for r in range(known.shape[0]):
        for c in range(known.shape[1]):
            if _helps(known, held, r, c):
                for move in MOVES:
                    y, x = r + move[0], c + move[1]
                    inside = 0 <= y < known.shape[0] and 0 <= x < known.shape[1]
                    if inside and steps[y, x] < best:
                        best, target = steps[y, x], (r, c)
    return target


@njit(cache=True, nogil=True)
def _helps(known, held, row, column):
    cell = known[row, column]
    if cell >= LOCK:
        return cell - LOCK == held
    if cell >= KEY and held != NO_KEY:
        return False
    if cell >= KEY or cell == GEM:
        last = column + 1 == known.shape[1]
        return not last and known[row, column + 1] != UNSEEN and known[row, column + 1] < LOCK
    return False


@njit(cache=True, nogil=True)
def best_lookout(known, row, column, view):
    """The reachable cell with the most unseen cells in view per step of the way."""
    steps = distances(known, row, column)
    best, target = 0.0, (-1, -1)
    for r in range(known.shape[0]):
        for c in range(known.shape[1]):
            if 0 < steps[r, c] < FAR:
                worth = _unseen_around(known, r, c, view) / steps[r, c]
                if worth > best:
                    best, target = worth, (r, c)
    return target


@njit(cache=True, nogil=True)
def _unseen_around(known, row, column, view):
    unseen = 0
    for r in range(max(0, row - view // 2), min(known.shape[0], row + view // 2 + 1)):
        for c in range(max(0, column - view // 2), min(known.shape[1], column + view // 2 + 1)):
            unseen += known[r, c] == UNSEEN
    return unseen


@njit(cache=True, nogil=True)
def look(known, cells, top, left, row, column, view):
    """Add to a map what the window around the agent shows.

    Args:
        cells: the true room.
        top, left: where the room's first row and column are on the map.
        row, column: the agent, in the room.
    """
    half, size = view // 2, cells.shape[0]
    for r in range(max(0, row - half), min(size, row + half + 1)):
        for c in range(max(0, column - half), min(size, column + half + 1)):
            known[top + r, left + c] = looks(cells[r, c])
    if row - half <= 0:  # there is nothing behind a border
        known[: top + 1] = BORDER
    if row + half >= size - 1:
        known[top + size - 1 :] = BORDER
    if column - half <= 0:
        known[:, : left + 1] = BORDER
    if column + half >= size - 1:
        known[:, left + size - 1 :] = BORDER


@njit(cache=True, nogil=True)
def count_unsolvable(cells, rooms):
    """Number of games, just started, that cannot be solved."""
    count = 0
    for i in range(len(rooms)):
        count += not solvable(cells[i], rooms[i].row, rooms[i].column)
    return count


@njit(cache=True, nogil=True)
def solvable(cells, row, column):
    """Whether the chain of boxes leads from the gem back to a loose key.

    Exact: only locks and loose keys must be reachable, since the content of a box is entered from
    the cell of its lock; and cells become empty but never full, so a cell that is reachable at the
    start stays reachable.

    Args:
        cells: a true room, in which distractors differ.
        row, column: of the agent.
    """
    steps = distances(cells, row, column)
    wanted = GEM
    for _ in range(NUM_COLOURS + 1):  # or the chain is a circle
        r, c = _on_a_way(cells, wanted)
        if r < 0:
            return False
        lock = cells[r, c + 1]
        if lock < LOCK:
            return wanted != GEM and _beside(steps, r, c)
        if not _beside(steps, r, c + 1):
            return False
        wanted = KEY + lock - LOCK
    return False


@njit(cache=True, nogil=True)
def _on_a_way(cells, wanted):
    """The cell with the wanted content, loose or in a box of the solution, or (-1, -1)."""
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1] - 1):
            if cells[r, c] == wanted and cells[r, c + 1] < WRONG_LOCK:
                return r, c
    return -1, -1


@njit(cache=True, nogil=True)
def _beside(steps, row, column):
    """Whether a neighbouring cell is reachable."""
    for move in MOVES:
        if steps[row + move[0], column + move[1]] < FAR:
            return True
    return False
