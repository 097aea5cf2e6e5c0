"""The rules of BoxWorld, compiled, for a batch of games.

They are those of the released environment (Zambaldi et al., "Relational Deep Reinforcement
Learning", 2018, box_world of pycolab), which Santoro et al. ("Relational recurrent neural
networks", 2018, section 4.3) play through a window around the agent.

Differs from the release: an episode is truncated at step `max_steps`, not one later.
"""

import numpy as np
from numba import njit

from envs import random
from envs.boxworld.cells import AGENT, BORDER, EMPTY, GEM, KEY, LOCK, PALETTE, WRONG_LOCK
from envs.boxworld.level import draw_objects, empty_cell, place
from envs.words import as_words, store

ROOM = np.dtype(
    [
        ("row", np.int32),
        ("column", np.int32),
        ("held", np.int32),  # colour of the key in hand, or NO_KEY
        ("steps", np.int32),
        ("max_steps", np.int32),
        ("boxes_opened", np.int32),
        ("solution_length", np.int32),
        ("num_distractors", np.int32),
        ("solved", np.bool_),
    ],
    align=True,
)
"""The state of one game, apart from its cells and its random stream."""

INFO = np.dtype(
    [
        ("solved", np.bool_),
        ("boxes_opened", np.int32),
        ("solution_length", np.int32),
        ("num_distractors", np.int32),
        ("held_key", np.int32),  # colour of the key in hand, or NO_KEY
    ],
    align=True,
)
"""The info of one game."""

NO_KEY = -1
MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
"""Row and column of each action: up, down, left, right."""

FIRST, SECOND = as_words(PALETTE, 0), as_words(PALETTE, 1)
USUAL_VIEW = 5

GEM_REWARD = 10.0
BOX_REWARD = 1.0
WRONG_BOX_REWARD = -1.0


@njit(cache=True, nogil=True)
def begin(streams, cells, rooms, mask, lengths, distractors, problem):
    """Begin a new episode in the masked games.

    Args:
        lengths: the solution lengths to draw from.
        distractors: the numbers of distractors to draw from.
        problem: length of a distractor branch, number of backward distractors, steps, and the most
            objects there can be.
    """
    distractor_length, num_backward, max_steps, most_objects = problem
    objects = np.empty((most_objects, 2), np.uint8)
    for i in range(len(rooms)):
        if not mask[i]:
            continue
        room = rooms[i]
        room.solution_length = lengths[random.below(streams, i, len(lengths))]
        room.num_distractors = distractors[random.below(streams, i, len(distractors))]
        drawn = (room.solution_length, room.num_distractors, distractor_length, num_backward)
        place(streams, i, cells[i], objects, draw_objects(streams, i, drawn, objects))
        room.row, room.column = empty_cell(streams, i, cells[i])
        room.held = NO_KEY
        room.steps = 0
        room.max_steps = max_steps
        room.boxes_opened = 0
        room.solved = False


@njit(cache=True, nogil=True)
def step(cells, rooms, actions, mask, rewards, terminated, truncated, shown, out, info):
    """Advance the games in `mask` by one step and show those in `shown`; returns how many ended.

    If an action is none of `MOVES`, nothing is done and -1 is returned.
    """
    for action in actions:
        if action < 0 or action >= len(MOVES):
            return -1
    ended, size, row_of_cells = 0, cells.shape[1], cells.reshape(-1)
    for i in range(len(rooms)):
        if mask[i]:
            rewards[i], terminated[i] = _move(cells[i], rooms[i], MOVES[actions[i]])
            rooms[i].steps += 1
            truncated[i] = not terminated[i] and rooms[i].steps >= rooms[i].max_steps
            ended += terminated[i] or truncated[i]
        if shown[i]:
            _show(row_of_cells, size, rooms[i], i, out, info)
    return ended


@njit(cache=True, nogil=True)
def _move(cells, room, move):
    """Try to enter the neighbouring cell; returns the reward and whether the episode ends."""
    row, column = room.row + move[0], room.column + move[1]
    cell = cells[row, column]
    reward, terminated = 0.0, False
    if cell >= LOCK:
        wrong = cell >= WRONG_LOCK
        if room.held != cell - (WRONG_LOCK if wrong else LOCK):
            return reward, terminated
        room.held = NO_KEY  # the key stays in the lock
        room.boxes_opened += not wrong
        reward, terminated = (WRONG_BOX_REWARD, True) if wrong else (BOX_REWARD, False)
    elif cell >= KEY or cell == GEM:
        if cells[row, column + 1] >= LOCK:
            return reward, terminated
        if cell == GEM:
            room.solved = True
            reward, terminated = GEM_REWARD, True
        else:
            room.held = cell - KEY
    elif cell == BORDER:
        return reward, terminated
    cells[row, column] = EMPTY
    room.row, room.column = row, column
    return reward, terminated


@njit(cache=True, nogil=True)
def _show(cells, size, room, i, out, info):
    """Write observation and info of game i; `cells` holds the cells of all games, in one row."""
    info[i].solved = room.solved
    info[i].boxes_opened = room.boxes_opened
    info[i].solution_length = room.solution_length
    info[i].num_distractors = room.num_distractors
    info[i].held_key = room.held
    first, view = i * size * size, out.shape[1]
    if out.shape[3] == 3:
        _draw_room(cells, first, size, room, out, i)
    elif view == USUAL_VIEW:  # a constant, so that the loops are unrolled: half the time
        _draw_window(cells, first, size, room, out, i, USUAL_VIEW)
    else:
        _draw_window(cells, first, size, room, out, i, view)


@njit(cache=True, nogil=True, inline="always")
def _draw_window(cells, first, size, room, out, i, view):
    """A window centred on the agent: RGB, then the RGB of the held key.

    Args:
        cells: of all games, in one row; those of game i begin at `first`.
    """
    top, left = room.row - view // 2, room.column - view // 2
    held = np.uint64(KEY + room.held if room.held != NO_KEY else BORDER)  # the border is black
    red, green, blue = PALETTE[held, 0], PALETTE[held, 1], PALETTE[held, 2]
    for r in range(view):
        row = first + size * min(max(top + r, 0), size - 1)  # beyond the border as on it
        for c in range(view):
            cell = cells[np.uint64(row + min(max(left + c, 0), size - 1))]
            for channel in range(3):
                out[i, r, c, channel] = PALETTE[cell, channel]
            out[i, r, c, 3], out[i, r, c, 4], out[i, r, c, 5] = red, green, blue
    for channel in range(3):
        out[i, view // 2, view // 2, channel] = PALETTE[AGENT, channel]


@njit(cache=True, nogil=True, inline="always")
def _draw_room(cells, first, size, room, out, i):
    """The whole room; the held key shows in the corner of the border."""
    end, last = first + size * size, size - 1
    for k in range(first, end - 3, 2):
        store(out, 3 * k, FIRST[cells[np.uint64(k)]] | SECOND[cells[np.uint64(k + 1)]])
    for channel in range(3):
        for column in range(size - 3, size):  # a word would reach into another game's picture
            out[i, last, column, channel] = PALETTE[cells[first + size * last + column], channel]
        out[i, room.row, room.column, channel] = PALETTE[AGENT, channel]
        if room.held != NO_KEY:
            out[i, 0, 0, channel] = PALETTE[KEY + room.held, channel]
